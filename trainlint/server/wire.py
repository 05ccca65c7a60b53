"""Messages from the client, read whole in a thread of their own: one hand-over to the event loop for each.

pygls' reader hands over every line of a header. While an analysis runs, each of these waits for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from typing import BinaryIO

_LENGTH = re.compile(rb"content-length:\s*([1-9]\d*)\s*", re.IGNORECASE)


class Reader:
    """What pygls reads from: lines of a header, then the body. The thread never keeps the process alive."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bodies: asyncio.Queue[bytes | None] = asyncio.Queue()
        # what is left of the header that was written for the body at hand
        self._header: deque[bytes] = deque()
        self._body = b""

    async def readline(self) -> bytes:
        """The next line of a header; empty when there are no more messages."""
        if self._header:
            return self._header.popleft()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, name="trainlint-messages", daemon=True).start()
        # what the message before began goes first, however many wait
        await asyncio.sleep(0)
        body = await self._bodies.get()
        if body is None:
            return b""
        self._body = body
        self._header.append(b"\r\n")
        return b"Content-Length: %d\r\n" % len(body)

    async def readexactly(self, n: int) -> bytes:
        return self._body

    def end(self) -> None:
        """No more messages, whatever the client still sends. Call it in the event loop's thread."""
        self._bodies.put_nowait(None)

    def _read(self) -> None:
        length = 0
        try:
            while line := self._stream.readline():
                found = _LENGTH.fullmatch(line)
                if found is not None:
                    length = int(found[1])
                elif not line.strip() and length:
                    body = self._stream.read(length)
                    if len(body) < length:
                        break
                    self._hand_over(body)
                    length = 0
        except (OSError, ValueError):
            pass
        self._hand_over(None)

    def _hand_over(self, body: bytes | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._bodies.put_nowait, body)
        except RuntimeError:
            return  # the event loop has ended
