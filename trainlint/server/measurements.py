"""What was measured, and where it lies in the open texts.

A result belongs to texts, by their hashes, and to a torch and a device. While a text is the one that was measured its
lines are shown as such; after an edit they move along and say that they are older. The lines of a function go when its
text changes, everything goes when that of the training loop does, and all comes back when the edit is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from trainlint.server.documents import OpenSources, Part, Source, Splice
from trainlint.server.extents import Extents
from trainlint.server.marks import Mark, moved
from trainlint.server.uris import document_key

MOST_RESULTS = 8
# path, and the cell of a notebook
Text: TypeAlias = "tuple[str, int | None]"
Place: TypeAlias = "tuple[str, int | None, int]"


@dataclass(eq=False, slots=True)
class Result:
    """A report with absolute paths; `files` holds the hash of each text that it is about, where that is known."""

    report: Mapping[str, Any]
    files: Mapping[Text, str | None]
    # the estimate of the same loop, what it says stays until backward by place, and both side by side
    estimate: Mapping[str, Any] | None = None
    kept: Mapping[Place, int] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] | None = None
    # those of the report that are selected and not silenced, at their levels
    findings: Sequence[Mapping[str, Any]] = ()

    @property
    def name(self) -> tuple[object, ...]:
        """Results with the same name replace each other."""
        files = tuple(sorted(((path, cell or 0, name or "") for (path, cell), name in self.files.items())))
        return (files, self.report["torch"], self.report["device"])

    @property
    def loop(self) -> Place:
        where = self.report["loop"]
        return (where["path"], where["cell"], where["line"])


@dataclass(slots=True)
class Shown:
    """Something of a result on a line of a piece of text: `offset` code points behind the start of the piece."""

    result: Result
    offset: int
    # an entry of the report's lines, a finding, or None for the piece that runs the step
    about: Mapping[str, Any] | None
    estimated: Mapping[str, Any] | None = None
    finding: bool = False


class Measurements:
    """The results and their marks in the open texts. `changed` is called with a source whose findings changed."""

    def __init__(self, sources: OpenSources, changed: Callable[[Source], None]) -> None:
        self._sources, self._changed = sources, changed
        # the newest first
        self._results: list[Result] = []
        self._marks: dict[str, list[Mark[Shown]]] = {}

    def add(self, result: Result) -> None:
        """A new result: it is what is shown from now on."""
        self._results = [result, *(each for each in self._results if each.name != result.name)][:MOST_RESULTS]
        for source in self._sources:
            self._renew(source)

    def clear(self, source: Source | None = None) -> None:
        """Forget all results, or those about a source."""
        gone = [each for each in self._results if source is None or any(path == source.path for path, _ in each.files)]
        self._results = [each for each in self._results if each not in gone]
        for open_source in self._sources:
            self._renew(open_source)

    @property
    def results(self) -> list[Result]:
        """The newest first."""
        return list(self._results)

    def judged(self, result: Result, findings: Sequence[Mapping[str, Any]]) -> None:
        """Other findings of a result apply now: the configuration has changed."""
        if list(result.findings) != list(findings):
            result.findings = findings
            for source in self._sources:
                self._renew(source)

    # texts come and go

    def opened(self, source: Source) -> None:
        self._renew(source)

    def closed(self, source: Source) -> None:
        for part in source.parts:
            self._marks.pop(document_key(part.uri), None)

    def edited(self, source: Source, splices: Mapping[str, list[Splice]]) -> bool:
        """Move the marks of the texts; True where what is shown changed otherwise than by moving."""
        if not self._results:
            return False
        before = self._state()
        loops = self._loops()
        for uri, edits in splices.items():
            key = document_key(uri)
            for splice in edits:
                self._marks[key] = moved(self._marks.get(key, ()), splice)
        gone = loops - self._loops()
        if gone:
            for key, marks in self._marks.items():
                self._marks[key] = [mark for mark in marks if id(mark.about.result) not in gone]
        # the text may be one that was measured: an edit was taken back
        back = any(self._fresh(source, part) is not None for part in source.parts)
        for each in self._sources:
            if back:
                self._renew(each, quiet=each is source)
            elif gone and each is not source:
                self._changed(each)
        return before != self._state()

    def _loops(self) -> set[int]:
        """The results whose training loop is shown."""
        marks = (mark for marks in self._marks.values() for mark in marks)
        return {id(mark.about.result) for mark in marks if mark.about.about is None}

    def _state(self) -> list[tuple[bool, int]]:
        marks = [mark for marks in self._marks.values() for mark in marks]
        return [(self.stale(each), sum(mark.about.result is each for mark in marks)) for each in self._results]

    def _renew(self, source: Source, quiet: bool = False) -> None:
        """Place anew what is known of the present texts of a source; moved marks stay where they are not known."""
        before = [mark.about.about for part in source.parts for mark in self._findings(part)]
        for index, part in enumerate(source.parts):
            key = document_key(part.uri)
            result = self._fresh(source, part)
            if result is not None and not self._superseded(result, source):
                self._marks[key] = list(placed(result, part, _text(source, index)))
            else:
                self._marks[key] = [mark for mark in self._marks.get(key, ()) if self._kept(mark.about)]
        after = [mark.about.about for part in source.parts for mark in self._findings(part)]
        if before != after and not quiet:
            self._changed(source)

    def _kept(self, shown: Shown) -> bool:
        return shown.result in self._results and (not shown.finding or shown.about in shown.result.findings)

    def _fresh(self, source: Source, part: Part) -> Result | None:
        """The newest result about just this text."""
        known = _text(source, source.parts.index(part))
        found = [each for each in self._results if known in each.files]
        if not found:
            return None
        name = part.body.hash
        return next((each for each in found if each.files[known] == name), None)

    def _superseded(self, result: Result, source: Source) -> bool:
        """Is the training loop of the result open, with another text that does not show it?"""
        path, cell, _ = result.loop
        for other in self._sources:
            if other.path == path and other is not source:
                index = cell if other.notebook else 0
                if index is not None and index < len(other.parts):
                    part = other.parts[index]
                    marks = self._marks.get(document_key(part.uri), ())
                    shown = any(mark.about.result is result for mark in marks)
                    return not shown and part.body.hash != result.files.get((path, cell))
        return False

    # what is shown

    def stale(self, result: Result) -> bool:
        """Has an open text of the result changed since it was measured?"""
        for source in self._sources:
            for index, part in enumerate(source.parts):
                known = result.files.get(_text(source, index))
                if known is not None and known != part.body.hash:
                    return True
        return False

    def of(self, part: Part) -> list[Mark[Shown]]:
        """The marks of lines and of loops in a document; findings are not among them."""
        return [mark for mark in self._marks.get(document_key(part.uri), ()) if not mark.about.finding]

    def of_loop(self, loop: Place) -> Iterator[Result]:
        """What was measured of a loop of the estimate, given by the place that it has now."""
        for source in self._sources:
            for index, part in enumerate(source.parts):
                for mark in self.of(part):
                    result = mark.about.result
                    if mark.about.about is not None or result.estimate is None:
                        continue
                    where = result.estimate["loop"]
                    # edits have moved the loop as they moved the line that runs backward
                    moved = line_of(mark, part) - result.loop[2] if _place(where) == _text(source, index) else 0
                    if (where["path"], where["cell"], where["line"] + moved) == loop:
                        yield result

    def findings(self, source: Source) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
        """(index of the part, 1-based line, finding of the report) of the texts of a source."""
        for index, part in enumerate(source.parts):
            for mark in self._findings(part):
                if mark.about.about is not None:
                    yield index, line_of(mark, part), mark.about.about

    def _findings(self, part: Part) -> list[Mark[Shown]]:
        return [mark for mark in self._marks.get(document_key(part.uri), ()) if mark.about.finding]


def line_of(mark: Mark[Shown], part: Part) -> int:
    """The 1-based line of what a mark shows."""
    return part.body.lines.position(mark.start + mark.about.offset)[0]


def placed(result: Result, part: Part, text: Text) -> Iterator[Mark[Shown]]:
    """The marks of a result in a text that it is about."""
    extents, lines = Extents(part.body.text), part.body.lines
    estimated = {
        (line["path"], line["cell"], line["line"]): line
        for line in (result.estimate or {}).get("lines", ())
        if line["path"] is not None
    }

    def mark(line: int, about: Mapping[str, Any] | None, finding: bool = False) -> Mark[Shown] | None:
        found = extents.around(line)
        if found is None:
            return None
        _, start, end = found
        shown = Shown(result, lines.offset(line, 1) - start, about, estimated.get((*text, line)), finding)
        return Mark(start, end, shown, whole=True)

    here = [(each["line"], each, False) for each in result.report["lines"] if _place(each) == text]
    here += [(each["line"], each, True) for each in result.findings if _place(each) == text]
    if result.loop[:2] == text:
        here.append((result.loop[2], None, False))
    for line, about, finding in here:
        if (made := mark(line, about, finding)) is not None:
            yield made


def _place(each: Mapping[str, Any]) -> Text:
    return (each["path"], each["cell"])


def _text(source: Source, index: int) -> Text:
    return (source.path, index if source.notebook else None)
