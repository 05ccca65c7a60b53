"""The one thread that owns the project session: edits and jobs run there in the order in which they were asked for."""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from trainlint.project.session import Session

T = TypeVar("T")
logger = logging.getLogger(__name__)

# The parser recurses on the native stack: thousands of open brackets overflow the usual 8 MiB and end the process.
# Only address space is reserved, except on Windows.
_STACK = (64 if sys.platform == "win32" or sys.maxsize < 2**32 else 512) * 1024 * 1024


class Worker:
    """Runs functions of the session off the event loop, one after the other.

    `make` builds the session on the worker's first use, so that the heavy imports do not delay `initialize`.
    The thread is a daemon: an analysis that is still running never keeps the process alive.
    """

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._session: Session | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        before = threading.stack_size(_STACK)
        threading.Thread(target=self._loop, name="trainlint-analysis", daemon=True).start()
        threading.stack_size(before)

    def post(self, change: Callable[[Session], None]) -> None:
        """Do something to the session later; a failure is logged and costs nothing else."""

        def guarded() -> None:
            try:
                change(self._ready())
            except Exception:
                logger.exception("a change to the session failed")

        self._jobs.put(guarded)

    async def run(self, job: Callable[[Session], T]) -> T:
        """The result of the job, which sees every change posted before it.

        A cancelled caller does not stop a job that runs; one that has not started is skipped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(set_to: Callable[[], None]) -> None:
            if not future.done():
                set_to()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = job(self._ready())
            except Exception as error:
                problem = error
                self._hand_over(loop, lambda: settle(lambda: future.set_exception(problem)))
            else:
                self._hand_over(loop, lambda: settle(lambda: future.set_result(result)))

        self._jobs.put(work)
        return await future

    def renew(self, make: Callable[[], Session]) -> None:
        """Build a new session before the next job; what was open must be posted again afterwards."""

        def drop() -> None:
            self._make, self._session = make, None

        self._jobs.put(drop)

    def _ready(self) -> Session:
        if self._session is None:
            self._session = self._make()
        return self._session

    def _loop(self) -> None:
        while True:
            self._jobs.get()()

    @staticmethod
    def _hand_over(loop: asyncio.AbstractEventLoop, settle: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            logger.debug("the event loop has ended before the result came")
