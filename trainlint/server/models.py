"""The memory model of the open sources: computed behind the diagnostics, shown from the last good one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trainlint.server.checks import Checked, Checks
from trainlint.server.documents import OpenSources, Part, Snapshot, Source, Splice
from trainlint.server.marks import Mark, moved
from trainlint.server.moving import Moving, moving_finding
from trainlint.server.uris import document_key
from trainlint.server.worker import Worker

if TYPE_CHECKING:
    from trainlint.memory.loop_notes import Spot
    from trainlint.memory.notes import Hint, Lens, Notes
    from trainlint.project.session import Session
    from trainlint.rules.finding import Finding

logger = logging.getLogger(__name__)

TYPING_PAUSE = 0.2  # seconds without a keystroke before the diagnostics that the model waits for are asked for
REST = 0.25  # seconds without a keystroke behind them, so that quick typing never meets the model


@dataclass(slots=True)
class Shown:
    """What a model says about one document."""

    spots: list[Mark[Spot]] = field(default_factory=list)
    hints: list[Mark[Hint]] = field(default_factory=list)
    lenses: list[Mark[Lens]] = field(default_factory=list)

    def edit(self, splice: Splice) -> None:
        self.spots, self.hints = moved(self.spots, splice), moved(self.hints, splice)
        self.lenses = moved(self.lenses, splice)


@dataclass(slots=True)
class Model:
    """The last good model of a source, by the key of each document that it says something about."""

    notes: Notes
    shown: dict[str, Shown]
    findings: list[Moving]


class Models:
    """One computation waits and one runs for each source; an edit ends both and starts the wait anew."""

    def __init__(
        self,
        worker: Worker,
        sources: OpenSources,
        checks: Checks,
        figures: Callable[[], None],
        findings: Callable[[Source], None],
    ) -> None:
        """`figures` and `findings` are called on the event loop when there is something new of them to show."""
        self._worker, self._sources, self._checks = worker, sources, checks
        self._new_figures, self._new_findings = figures, findings
        self._models: dict[str, Model] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # set when no model of the source is due any more
        self._due: dict[str, asyncio.Event] = {}

    def soon(self, source: Source, pause: float) -> None:
        """Compute the model of the source after `pause` seconds and after its diagnostics."""
        self._stop(source.key)
        self._due.setdefault(source.key, asyncio.Event())
        loop = asyncio.get_running_loop()
        self._timers[source.key] = loop.call_later(pause, self._start, source, REST if pause else 0)

    def edited(self, source: Source, splices: dict[str, list[Splice]]) -> None:
        """Documents of the source changed by these splices, each relative to the text before it."""
        concerned = {source.key}
        for uri, edits in splices.items():
            key = document_key(uri)
            for owner, model in self._models.items():
                shown = model.shown.get(key)
                if shown is not None:
                    concerned.add(owner)
                    for splice in edits:
                        shown.edit(splice)
                        model.findings = [f for finding in model.findings if (f := finding.edited(key, splice))]
        for key in concerned:
            found = self._sources.by_key(key)
            if found is not None:
                self.soon(found, TYPING_PAUSE)

    def closed(self, source: Source) -> None:
        self._stop(source.key)
        self._settle(source.key)
        self._models.pop(source.key, None)

    def of(self, uri: str) -> list[Shown]:
        """What is known about a document: from its own model, and from those of files that import it."""
        key = document_key(uri)
        return [shown for model in self._models.values() if (shown := model.shown.get(key)) is not None]

    def completed(self, checked: Checked) -> Checked:
        """The findings of a check with those about memory, which lag behind and move with edits meanwhile."""
        model, source = self._models.get(checked.snapshot.key), self._sources.by_key(checked.snapshot.key)
        if model is None or source is None or source.revision != checked.snapshot.revision or not model.findings:
            return checked
        more = [found for each in model.findings if (found := each.placed(checked.snapshot)) is not None]
        return replace(checked, findings=tuple(sorted((*checked.findings, *more), key=lambda each: each.sort_key)))

    async def settled(self, source: Source, seconds: float) -> None:
        """Wait until no model of the source is due, but not longer than that."""
        due = self._due.get(source.key)
        if due is not None:
            with suppress(asyncio.TimeoutError, TimeoutError):
                await asyncio.wait_for(due.wait(), seconds)

    def _settle(self, key: str) -> None:
        due = self._due.pop(key, None)
        if due is not None:
            due.set()

    def _stop(self, key: str) -> None:
        timer, task = self._timers.pop(key, None), self._tasks.pop(key, None)
        if timer is not None:
            timer.cancel()
        if task is not None:
            task.cancel()

    def _start(self, source: Source, rest: float) -> None:
        self._timers.pop(source.key, None)
        task = self._tasks[source.key] = asyncio.ensure_future(self._compute(source, rest))

        def done(_: object) -> None:
            if self._tasks.get(source.key) is task:
                del self._tasks[source.key]
                self._settle(source.key)

        task.add_done_callback(done)

    async def _compute(self, source: Source, rest: float) -> None:
        try:
            await self._checks.current(source)
            await asyncio.sleep(rest)
            found = await self._worker.idle(lambda session, heed: self._asked(session, source, heed))
        except Exception:
            logger.exception("the memory model of %s failed", source.uri)
            return
        if self._sources.by_key(source.key) is not source:
            return
        known = self._models.get(source.key)
        if found is None:
            if known is not None and known.findings:
                known.findings = []
                self._new_findings(source)
            return
        notes, findings, broken, snapshots = found
        if snapshots[source.path].revision != source.revision:
            return
        moving = [each for one in findings if (each := moving_finding(one, snapshots[source.path])) is not None]
        if broken and known is not None and worse(notes, known.notes):
            # figures stay while code is half typed; findings are those of the text
            self._models[source.key] = Model(known.notes, known.shown, moving)
        elif known is not None or notes.loops or moving:
            self._models[source.key] = Model(notes, self._placed(notes, snapshots), moving)
            if known is None or known.notes != notes:
                self._new_figures()
        if told(moving) != told(known.findings if known else []):
            self._new_findings(source)

    def _asked(
        self, session: Session, source: Source, heed: Callable[[], None]
    ) -> tuple[Notes, tuple[Finding, ...], bool, dict[str, Snapshot]] | None:
        """On the worker: the notes, the findings, are there broken statements, and the texts that they are about."""
        from trainlint.project.errors import UsageError

        snapshot = self._checks.given(source.key)
        try:
            found = session.notes(source.path, heed) if snapshot is not None else None
        except UsageError:
            # the check tells of the configuration
            return None
        if found is None or snapshot is None:
            return None
        notes, findings, broken = found
        paths = {item.path for items in (notes.spots, notes.hints, notes.lenses) for item in items}
        others = {path: self._checks.given_path(path) for path in paths - {source.path}}
        known = {path: found for path, found in others.items() if found is not None}
        return notes, findings, broken, {source.path: snapshot, **known}

    def _placed(self, notes: Notes, snapshots: dict[str, Snapshot]) -> dict[str, Shown]:
        """The notes by document, as ranges of its text; those about a text that changed meanwhile are left out."""
        result: dict[str, Shown] = {}

        def of(item: Any) -> tuple[Part, Shown] | None:
            part = self._part(snapshots.get(item.path), item.cell)
            return None if part is None else (part, result.setdefault(document_key(part.uri), Shown()))

        for spot in notes.spots:
            if (found := of(spot)) is not None:
                part, shown = found
                lines = part.body.lines
                start = lines.offset(spot.span.line, spot.span.column)
                end = lines.offset(spot.span.end_line, spot.span.end_column)
                shown.spots.append(Mark(start, end, spot, spot.whole))
        for hint in notes.hints:
            if (found := of(hint)) is not None:
                found[1].hints.append(line_mark(found[0], hint.line, hint))
        for lens in notes.lenses:
            if (found := of(lens)) is not None:
                found[1].lenses.append(line_mark(found[0], lens.line, lens))
        return result

    def _part(self, snapshot: Snapshot | None, cell: int | None) -> Part | None:
        """The document of a snapshot, if it is still as it was."""
        source = None if snapshot is None else self._sources.by_key(snapshot.key)
        if snapshot is None or source is None or source.revision != snapshot.revision:
            return None
        index = cell if snapshot.notebook else 0
        return snapshot.parts[index] if index is not None and 0 <= index < len(snapshot.parts) else None


def told(findings: list[Moving]) -> list[tuple[str, Finding]]:
    """Findings with their documents: a cell that was moved is another one, at the same place."""
    return [(each.key, each.finding) for each in findings]


def line_mark(part: Part, line: int, about: Any) -> Mark[Any]:
    lines = part.body.lines
    return Mark(lines.offset(line, 1), lines.offset(line, 1_000_000), about, whole=True)


def worse(new: Notes, old: Notes) -> bool:
    """Was less of the program understood than before?"""
    return new.loops < old.loops or new.gaps > old.gaps
