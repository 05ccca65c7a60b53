"""The git revision that open files are compared with: asked for in the background, never waited for long."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from trainlint.server.worker import Worker

logger = logging.getLogger(__name__)

REVISION = "HEAD"
# Seconds that a first check waits for git; a client without refresh would otherwise miss LR001 until an edit.
GRACE = 0.4


class GitBase:
    """Gives the session its base once git has answered for the workspace. A git that hangs costs only LR001."""

    def __init__(self, worker: Worker, late: Callable[[], None]) -> None:
        """`late` is called on the event loop when the base came after findings may have been shown without it."""
        self._worker = worker
        self._late = late
        self._answered: asyncio.Event | None = None
        self._asked = 0.0
        # was a check let through without the base?
        self._missed = False

    def ask(self, roots: Sequence[str]) -> None:
        """Find out in a thread whether git answers quickly, then let the session use it. Call on the event loop."""
        loop = asyncio.get_running_loop()
        self._answered, self._asked, self._missed = asyncio.Event(), time.monotonic(), False
        answered = self._answered

        def probe() -> None:
            for root in roots:
                _read_once(root)
            try:
                loop.call_soon_threadsafe(self._ready, answered)
            except RuntimeError:
                logger.debug("the event loop ended before git answered")

        threading.Thread(target=probe, name="trainlint-git", daemon=True).start()

    def renew(self) -> None:
        """HEAD may have moved."""
        if self._answered is not None and self._answered.is_set():
            self._worker.post(lambda session: session.set_base(REVISION))

    async def grace(self) -> None:
        """Wait for git, but not longer than `GRACE` since it was asked."""
        if self._answered is None or self._answered.is_set():
            return
        answered, left = self._answered, GRACE - (time.monotonic() - self._asked)
        if left > 0:
            try:
                await asyncio.wait_for(answered.wait(), left)
            except (asyncio.TimeoutError, TimeoutError):
                logger.info("git takes longer; findings are shown without a base for now")
        if not answered.is_set():
            self._missed = True

    def _ready(self, answered: asyncio.Event) -> None:
        if answered is not self._answered:
            return
        answered.set()
        self._worker.post(lambda session: session.set_base(REVISION))
        if self._missed:
            self._late()


def _read_once(root: str) -> None:
    """Let git resolve the revision and list its files, so that the disk is warm for the session, or hang here."""
    from trainlint.project.git import Blobs, GitError, resolve_rev

    try:
        with Blobs(resolve_rev(root, REVISION)) as blobs:
            blobs.is_file(os.path.join(root, "train.py"))
    except (GitError, OSError) as error:
        logger.info("no base to compare with: %s", error)
