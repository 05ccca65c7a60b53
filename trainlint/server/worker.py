"""The one thread that owns the project session: edits and jobs run there in the order in which they were asked for."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from trainlint.server.garbage import Garbage

if TYPE_CHECKING:
    from trainlint.project.session import Session

T = TypeVar("T")
logger = logging.getLogger(__name__)

# The parser recurses on the native stack: thousands of open brackets overflow the usual 8 MiB and end the process.
# Only address space is reserved, except on Windows.
_STACK = (64 if sys.platform == "win32" or sys.maxsize < 2**32 else 512) * 1024 * 1024

# seconds that background work goes on although a request waits, the first time and at most
PATIENCE, MOST_PATIENCE = 0.05, 2.0
# seconds that an analysis goes on although its text has changed: short ones leave more to build on than they cost
OUTDATED = 0.3


class GiveWay(BaseException):
    """Something more urgent waits, or nobody wants the result any more: the work ends and may begin again.

    No Exception, so that nothing on the way takes it for a failure of its own.
    """


class Worker:
    """Runs functions of the session off the event loop, one after the other; background work when nothing else waits.

    `make` builds the session on the worker's first use, so that the heavy imports do not delay `initialize`.
    The thread is a daemon: an analysis that is still running never keeps the process alive.
    """

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._session: Session | None = None
        # each with: is it a change?
        self._jobs: deque[tuple[Callable[[], None], bool]] = deque()
        self._background: deque[Callable[[], None]] = deque()
        self._glances: deque[Callable[[], None]] = deque()
        # when the work in progress began, None where there is none
        self._began: float | None = None
        # how many of the jobs are changes
        self._changes = 0
        self._news = threading.Condition()
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

        self._put(guarded, change=True)

    async def run(self, job: Callable[[Session], T]) -> T:
        """The result of the job, which sees every change posted before it.

        A cancelled caller does not stop a job that runs; one that has not started is skipped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            if not future.cancelled():
                self._settle(loop, future, lambda: job(self._ready()))

        self._put(work)
        return await future

    async def glance(self, job: Callable[[Session], T]) -> T:
        """The result of a short job that changes nothing: work in progress is held up for it.

        It sees every change posted before it. It may run in the middle of an analysis, between two statements.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            if not future.cancelled():
                self._settle(loop, future, lambda: job(self._ready()))

        with self._news:
            self._glances.append(work)
            self._news.notify()
        return await future

    def heed(self) -> None:
        """To be called again and again by a long job: serves who wants to glance at what is known.

        Raises GiveWay where the job works on a text that has changed, and somebody waits or it has taken long already.
        """
        if self._changes:
            if self._glances or self.spent() > OUTDATED:
                raise GiveWay
            return
        while self._glances:
            self._glances.popleft()()

    async def idle(self, job: Callable[[Session, Callable[[], None]], T]) -> T:
        """The result of a job that runs when nothing else waits and gives way to whatever comes.

        The job calls its second argument again and again; that raises `GiveWay` when the job must end: at once for a
        change and where the caller was cancelled, after a while for another request. It begins anew later and gets
        more time each time, so that requests that never end do not keep it from its end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        patience = PATIENCE
        deadline = 0.0

        def heed() -> None:
            if future.cancelled() or self._changes or (self._jobs and time.monotonic() > deadline):
                raise GiveWay
            while self._glances:
                self._glances.popleft()()

        def work() -> None:
            nonlocal patience, deadline
            if future.cancelled():
                return
            deadline = time.monotonic() + patience
            patience = min(2 * patience, MOST_PATIENCE)
            try:
                self._settle(loop, future, lambda: job(self._ready(), heed))
            except GiveWay:
                self._background.appendleft(work)

        with self._news:
            self._background.append(work)
            self._news.notify()
        return await future

    def spent(self) -> float:
        """Seconds that the work in progress has taken; 0 where there is none. From any thread."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def renew(self, make: Callable[[], Session]) -> None:
        """Build a new session before the next job; what was open must be posted again afterwards."""

        def drop() -> None:
            self._make, self._session = make, None

        self._put(drop, change=True)

    def _ready(self) -> Session:
        if self._session is None:
            self._session = self._make()
        return self._session

    def _put(self, job: Callable[[], None], change: bool = False) -> None:
        with self._news:
            self._jobs.append((job, change))
            self._changes += change
            self._news.notify()

    def _loop(self) -> None:
        garbage = Garbage()
        while True:
            garbage.relieve()
            with self._news:
                if not self._news.wait_for(self._wanted, garbage.patience):
                    job = garbage.rest
                # a glance sees the changes that were posted before it
                elif self._jobs and (self._changes or not self._glances):
                    job, change = self._jobs.popleft()
                    self._changes -= change
                else:
                    job = (self._glances or self._background).popleft()
                self._began = time.monotonic()
            job()
            self._began = None

    def _wanted(self) -> bool:
        return bool(self._jobs or self._background or self._glances)

    def _settle(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], work: Callable[[], T]) -> None:
        """Give the result or the error of the work to the future; GiveWay passes through."""

        def set_to(give: Callable[[], None]) -> None:
            if not future.done():
                give()

        try:
            result = work()
        except GiveWay:
            raise
        except Exception as error:
            problem = error
            self._hand_over(loop, lambda: set_to(lambda: future.set_exception(problem)))
        else:
            self._hand_over(loop, lambda: set_to(lambda: future.set_result(result)))

    @staticmethod
    def _hand_over(loop: asyncio.AbstractEventLoop, settle: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            logger.debug("the event loop has ended before the result came")
