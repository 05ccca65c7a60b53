"""Findings as plain JSON values and back: for the cache and for the worker processes."""

from __future__ import annotations

from typing import Any

from trainlint.rules.finding import Edit, Finding, Fix, Related
from trainlint.text.place import Span


def to_plain(finding: Finding) -> list[Any]:
    """A list of plain values; `from_plain` gives an equal finding back."""
    related = [[each.path, *each.span, each.message] for each in finding.related]
    fixes = [
        [fix.title, fix.safety, [[edit.path, *edit.span, edit.text] for edit in fix.edits]] for fix in finding.fixes
    ]
    head = [finding.code, finding.id, finding.family, finding.level, finding.certainty, finding.message, finding.path]
    return [*head, list(finding.span), related, fixes, finding.cell, finding.url]


def from_plain(value: list[Any]) -> Finding:
    """The finding of `to_plain`. Raises ValueError, TypeError or KeyError for anything else."""
    code, id, family, level, certainty, message, path, span, related, fixes, cell, url = value
    return Finding(
        code=code,
        id=id,
        family=family,
        level=level,
        certainty=certainty,
        message=message,
        path=path,
        span=Span(*span),
        related=tuple(Related(each[0], Span(*each[1:5]), each[5]) for each in related),
        fixes=tuple(
            Fix(title, safety, tuple(Edit(edit[0], Span(*edit[1:5]), edit[5]) for edit in edits))
            for title, safety, edits in fixes
        ),
        cell=cell,
        url=url,
    )
