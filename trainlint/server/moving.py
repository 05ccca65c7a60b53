"""A finding that is older than the text: it moves with edits, without its related places.

It loses its fixes when an edit touches them, and goes when one touches its own range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainlint.rules.finding import Finding, Fix
from trainlint.server.documents import Part, Snapshot, Splice
from trainlint.server.marks import Mark, moved
from trainlint.server.uris import document_key
from trainlint.text.place import Span


@dataclass(frozen=True, slots=True)
class Moving:
    """A finding in the document `key`, with marks for its own range and for those of the edits of its fixes."""

    key: str
    finding: Finding
    own: Mark[None]
    edits: tuple[Mark[None], ...]

    def edited(self, key: str, splice: Splice) -> Moving | None:
        """The finding after an edit of a document; None where its own range was touched."""
        if key != self.key:
            return self
        own, edits = moved([self.own], splice), moved(self.edits, splice)
        if not own:
            return None
        if len(edits) == len(self.edits):
            return Moving(key, replace(self.finding, related=()), own[0], tuple(edits))
        return Moving(key, replace(self.finding, fixes=(), related=()), own[0], ())

    def placed(self, snapshot: Snapshot) -> Finding | None:
        """The finding with the places of a text."""
        part = next((part for part in snapshot.parts if document_key(part.uri) == self.key), None)
        if part is None:
            return None
        spans = iter([span_of(mark, part) for mark in self.edits])
        fixes = tuple(
            Fix(fix.title, fix.safety, tuple(replace(edit, span=next(spans)) for edit in fix.edits))
            for fix in self.finding.fixes
        )
        cell = snapshot.parts.index(part) if snapshot.notebook else None
        return replace(self.finding, span=span_of(self.own, part), fixes=fixes, cell=cell)


def moving_finding(finding: Finding, snapshot: Snapshot) -> Moving | None:
    """A finding of the snapshot; None where it lies in another file. Fixes of other files are left out."""
    index = finding.cell if snapshot.notebook else 0
    if finding.path != snapshot.path or index is None or index >= len(snapshot.parts):
        return None
    part = snapshot.parts[index]
    own = tuple(fix for fix in finding.fixes if all(edit.path == finding.path for edit in fix.edits))
    marks = tuple(mark_of(edit.span, part) for fix in own for edit in fix.edits)
    return Moving(document_key(part.uri), replace(finding, fixes=own), mark_of(finding.span, part), marks)


def mark_of(span: Span, part: Part) -> Mark[None]:
    lines = part.body.lines
    return Mark(lines.offset(span.line, span.column), lines.offset(span.end_line, span.end_column), None)


def span_of(mark: Mark[None], part: Part) -> Span:
    lines = part.body.lines
    return Span(*lines.position(mark.start), *lines.position(mark.end))
