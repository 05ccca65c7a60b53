"""The process that started the editor's side: when it dies, nobody needs us, even if the pipe stays open."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# seconds between looks where the system cannot tell us
LOOK = 2.0


def watch(pid: int, gone: Callable[[], None]) -> None:
    """Call `gone` in a thread when the process ends. One that we cannot see (another container) is not watched."""
    if pid <= 0 or not alive(pid):
        logger.info("the client's process %s is not to be seen; only its pipe is watched", pid)
        return

    def wait() -> None:
        wait_for_end(pid)
        gone()

    threading.Thread(target=wait, name="trainlint-parent", daemon=True).start()


if sys.platform == "win32":
    import ctypes

    _SYNCHRONIZE, _INFINITE, _ACCESS_DENIED = 0x00100000, 0xFFFFFFFF, 5
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.OpenProcess.restype = ctypes.c_void_p
    _kernel.WaitForSingleObject.argtypes = [ctypes.c_void_p, ctypes.c_ulong]
    _kernel.CloseHandle.argtypes = [ctypes.c_void_p]

    def alive(pid: int) -> bool:
        # os.kill(pid, 0) would end the process here
        handle = _kernel.OpenProcess(_SYNCHRONIZE, False, pid)
        if not handle:
            return ctypes.get_last_error() == _ACCESS_DENIED
        ended = _kernel.WaitForSingleObject(handle, 0) == 0
        _kernel.CloseHandle(handle)
        return not ended

    def wait_for_end(pid: int) -> None:
        handle = _kernel.OpenProcess(_SYNCHRONIZE, False, pid)
        if handle:
            _kernel.WaitForSingleObject(handle, _INFINITE)
            _kernel.CloseHandle(handle)
            return
        while alive(pid):
            time.sleep(LOOK)

else:

    def alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True

    def wait_for_end(pid: int) -> None:
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(pid)
                try:
                    select.select([descriptor], [], [])
                finally:
                    os.close(descriptor)
                return
        # a dead parent that nobody has asked about still has its number
        ours = os.getppid() == pid
        while alive(pid) and (not ours or os.getppid() == pid):
            time.sleep(LOOK)
