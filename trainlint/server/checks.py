"""Findings of the open sources: computed on the worker, kept per source, never shown for an older text."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainlint.rules.finding import Finding
from trainlint.server.documents import OpenSources, Snapshot, Source, Splice
from trainlint.server.worker import GiveWay, Worker

if TYPE_CHECKING:
    from trainlint.project.session import Session

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of one snapshot. `epoch` counts changes of configuration, base revision and files on disk.

    `reads` are the paths of other files that the findings depend on, `others` key and revision of those that are open.
    """

    snapshot: Snapshot
    epoch: int
    findings: tuple[Finding, ...]
    reads: frozenset[str] = frozenset()
    others: tuple[tuple[str, int], ...] = ()

    def of_part(self, index: int) -> list[Finding]:
        """The findings of one cell, or all of a plain file, in the order of the report."""
        mine = (finding for finding in self.findings if finding.path == self.snapshot.path)
        return [finding for finding in mine if not self.snapshot.notebook or finding.cell == index]

    @property
    def elsewhere(self) -> list[Finding]:
        """Findings that lie in other files (a configuration file that this one reads)."""
        return [finding for finding in self.findings if finding.path != self.snapshot.path]


class Checks:
    """Keeps the worker's session equal to the open sources and asks it for findings."""

    def __init__(
        self,
        worker: Worker,
        sources: OpenSources,
        before_check: Callable[[], Awaitable[None]],
        tell: Callable[[str], None],
    ) -> None:
        """`before_check` may hold a check back for a moment; `tell` (any thread) is for a problem of configuration."""
        self._worker = worker
        self._sources = sources
        self._before_check = before_check
        self._tell = tell
        # adds what is known of the text beside its check
        self.complete: Callable[[Checked], Checked] = lambda checked: checked
        # around the wait for a check
        self.waiting: Callable[[Source], AbstractContextManager[None]] = lambda source: nullcontext()
        self._epoch = 0
        self._results: dict[str, Checked] = {}
        self._queued: dict[str, asyncio.Future[Checked | None]] = {}
        self._given: dict[str, tuple[Snapshot, int]] = {}  # touched by the worker thread only

    def opened(self, source: Source) -> None:
        self._give(source, lambda session, snapshot: _open(session, snapshot))

    def edited(self, source: Source, splices: list[Splice]) -> None:
        """A plain file changed by these splices, each relative to the text before it."""
        source.revise()

        def edit(session: Session, snapshot: Snapshot) -> None:
            try:
                for splice in splices:
                    session.edit(snapshot.path, splice.start, splice.end, splice.text)
            except Exception:
                logger.exception("an incremental edit failed; the whole text is given again")
                _open(session, snapshot)

        self._give(source, edit)

    def rearranged(self, source: Source) -> None:
        """A notebook changed."""
        source.revise()
        self._give(source, lambda session, snapshot: _open(session, snapshot))

    def closed(self, source: Source) -> None:
        key, path = source.key, source.path
        self._results.pop(key, None)

        def close(session: Session) -> None:
            self._given.pop(key, None)
            session.close(path)

        self._worker.post(close)

    def outdate(self) -> None:
        """What the findings depend on changed outside the texts: every result is computed again when asked for."""
        self._epoch += 1
        epoch = self._epoch

        def raise_epoch(_: Session) -> None:
            self._given = {key: (snapshot, epoch) for key, (snapshot, _) in self._given.items()}

        self._worker.post(raise_epoch)

    async def current(self, source: Source) -> Checked | None:
        """The findings of the text as it is when they are ready; None when the source was closed meanwhile."""
        while self._sources.by_key(source.key) is source:
            # each time: the session may have been made anew meanwhile
            await self._before_check()
            known = self._results.get(source.key)
            if known and known.snapshot.revision == source.revision and self._holds(known):
                return self.complete(known)
            # Shielded: other requests may wait for the same check, and its result is worth keeping.
            with self.waiting(source):
                await asyncio.shield(self._queue(source.key))
        return None

    def readers(self, source: Source) -> list[Source]:
        """The other sources whose findings depend on this one, which was opened, edited or closed."""
        found = [key for key, known in self._results.items() if source.path in known.reads and key != source.key]
        return [other for key in found if (other := self._sources.by_key(key)) is not None]

    def forget(self, source: Source) -> None:
        """What the findings of a source depend on was opened or closed: they are computed again when asked for."""
        self._results.pop(source.key, None)

    def _holds(self, known: Checked) -> bool:
        """Is what the findings depend on still as it was?"""
        now = ((key, self._sources.by_key(key)) for key, _ in known.others)
        revisions = tuple((key, source.revision) for key, source in now if source is not None)
        return known.epoch == self._epoch and revisions == known.others

    def given(self, key: str) -> Snapshot | None:
        """The text of a source that the session has now. For jobs of the worker only."""
        known = self._given.get(key)
        return None if known is None else known[0]

    def given_path(self, path: str) -> Snapshot | None:
        """The text of the source with this path that the session has now. For jobs of the worker only."""
        return next((snapshot for snapshot, _ in self._given.values() if snapshot.path == path), None)

    def _findings(self, session: Session, path: str) -> tuple[Finding, ...]:
        """What the session finds; where it cannot, the log says why and there is nothing to show."""
        from trainlint.project.errors import UsageError

        try:
            session.settings.config(os.path.dirname(path))
        except UsageError as error:
            self._tell(str(error))
            return ()
        try:
            report = session.check_open(path, self._worker.heed)
        except Exception:
            logger.exception("checking %s failed", path)
            return ()
        if report.error or report.warning:
            level = logging.ERROR if report.internal else logging.INFO
            logger.log(level, "%s: %s", path, report.error or report.warning)
        return tuple(report.findings)

    def _give(self, source: Source, change: Callable[[Session, Snapshot], None]) -> None:
        snapshot, epoch = source.snapshot(), self._epoch

        def apply(session: Session) -> None:
            self._given[snapshot.key] = (snapshot, epoch)
            change(session, snapshot)

        self._worker.post(apply)

    def _queue(self, key: str) -> asyncio.Future[Checked | None]:
        """The check of this source that waits for its turn, or a new one: there is never more than one in the queue."""
        waiting = self._queued.get(key)
        if waiting is not None:
            return waiting
        loop = asyncio.get_running_loop()

        def leave_queue() -> None:
            if self._queued.get(key) is task:
                del self._queued[key]

        def check(session: Session) -> Checked | None:
            loop.call_soon_threadsafe(leave_queue)
            given = self._given.get(key)
            if given is None:
                return None
            snapshot, epoch = given
            try:
                findings = self._findings(session, snapshot.path)
                reads = session.reads(snapshot.path)
                given_now = (each for each, _ in self._given.values())
                others = tuple((each.key, each.revision) for each in given_now if each.path in reads)
                return Checked(snapshot, epoch, findings, reads, others)
            except GiveWay:
                # there is a newer text: who waits asks for its findings
                return None

        async def run() -> Checked | None:
            try:
                checked = await self._worker.run(check)
            finally:
                leave_queue()
            if checked is not None and self._sources.by_key(key) is not None:
                self._results[key] = checked
            return checked

        task = asyncio.ensure_future(run())
        self._queued[key] = task
        return task


def _open(session: Session, snapshot: Snapshot) -> None:
    if not snapshot.notebook:
        session.open(snapshot.path, snapshot.parts[0].body.text)
        return
    from trainlint.project.notebooks import Cell

    cells = [Cell("code" if part.is_python else "markdown", part.body.text) for part in snapshot.parts]
    session.open_notebook(snapshot.path, cells)
