"""Tells of an analysis that takes long, as progress that the server begins: not of a quick one, which would flicker."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lsprotocol import types as lsp

from trainlint.server.documents import Source

logger = logging.getLogger(__name__)

# seconds before it shows
LONG = 0.5
_TOKENS = itertools.count(1)


class Busy:
    """What is shown for a source: one progress, however many requests wait for its analysis."""

    def __init__(self, server: Any) -> None:
        self._server = server
        # does the client show progress that the server begins?
        self.shows = False
        self._waiting: dict[str, int] = {}
        # set when nobody waits any more
        self._over: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def waiting(self, source: Source) -> Iterator[None]:
        """Somebody waits for the analysis of the source inside."""
        key = source.key
        self._waiting[key] = self._waiting.get(key, 0) + 1
        if self.shows and key not in self._over:
            over = self._over[key] = asyncio.Event()
            task = asyncio.ensure_future(self._show(os.path.basename(source.path), over))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            yield
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]
                if key in self._over:
                    self._over.pop(key).set()

    async def _show(self, name: str, over: asyncio.Event) -> None:
        """Begin after a while and end when it is over. Never cancelled: pygls reports an answer that nobody awaits."""
        with suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(over.wait(), LONG)
        if over.is_set():
            return
        progress, token = self._server.work_done_progress, f"trainlint-analysis-{next(_TOKENS)}"
        try:
            await progress.create_async(token)
        except Exception as error:
            logger.info("the client shows no progress: %s", error)
            return
        if not over.is_set():
            progress.begin(token, lsp.WorkDoneProgressBegin("trainlint", message=f"analysing {name}"))
            await over.wait()
            progress.end(token, lsp.WorkDoneProgressEnd())
        # pygls never forgets a token
        progress.tokens.pop(token, None)
