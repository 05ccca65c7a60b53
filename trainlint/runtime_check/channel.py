"""The way back to the launcher: JSON lines on a descriptor of its own, and a watch on the launcher's life."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any


class Channel:
    """Sends messages; after a fork the child's copy is mute, so that one process speaks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._owner = os.getpid()

    def send(self, type: str, **fields: Any) -> None:
        """Write one message. A launcher that is gone is no error of the program."""
        if os.getpid() != self._owner:
            return
        data = (json.dumps({"type": type, **fields}) + "\n").encode("ascii")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            return


def opened(number: int, flags: int) -> int:
    """The descriptor that the launcher handed over: its number, or on Windows the handle. Children do not get it."""
    if sys.platform == "win32":
        import msvcrt

        number = msvcrt.open_osfhandle(number, flags)
    os.set_inheritable(number, False)
    return number


def die_with(descriptor: int) -> None:
    """End the process group as soon as the launcher is gone, however it went: its end of the pipe closes."""

    def watch() -> None:
        try:
            while os.read(descriptor, 1):
                pass
        except OSError:
            pass
        if sys.platform != "win32" and os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="trainlint-watch").start()
