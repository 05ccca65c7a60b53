"""Findings of a measured step (RT001 …), selected, silenced and levelled as those of `trainlint check` are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainlint.project import suppressions
from trainlint.project.selection import with_levels
from trainlint.rules.finding import Finding
from trainlint.rules.registry import DOCS_BASE
from trainlint.text.place import Span

if TYPE_CHECKING:
    from trainlint.project.notebooks import Joined
    from trainlint.project.session import Session
    from trainlint.project.settings import Settings
    from trainlint.syntax.document import Document


def applying(session: Session, found: Iterable[Mapping[str, Any]], silence: bool = True) -> list[dict[str, Any]]:
    """Those of a report's findings that apply, at the levels of the configuration.

    Paths are absolute or relative to the current folder. Without `silence` comments in the files are not looked at: the
    report is about other texts. Raises ConfigError.
    """
    kept: list[dict[str, Any]] = []
    for each in found:
        path = os.path.abspath(each["path"])
        level = session.level_of(path, as_finding(each, path), silence)
        if level is not None:
            kept.append({**each, "level": level, "url": f"{DOCS_BASE}{each['id']}"})
    return kept


def as_finding(found: Mapping[str, Any], path: str) -> Finding:
    """A finding of a report; its line is that of the cell in a notebook."""
    return Finding(
        code=found["code"],
        id=found["id"],
        family=found["family"],
        level=found["level"],
        certainty=found["certainty"],
        message=found["message"],
        path=path,
        span=Span(found["line"], found["column"], found["end_line"], found["end_column"]),
        cell=found["cell"],
        url=found.get("url") or "",
    )


def level_of(finding: Finding, document: Document | None, joined: Joined | None, settings: Settings) -> str | None:
    """The level that the finding has in its file; None where it is not selected or a comment there silences it.

    `document` is the text of the file, of a notebook that of its cells `joined`; None where there is none to look at.
    Raises ConfigError.
    """
    if finding.code not in settings.codes(finding.path):
        return None
    if document is not None:
        span, ends = finding.span, () if joined is None else joined.last_lines()
        if joined is not None and finding.cell is not None:
            try:
                line = joined.line_of(finding.cell, span.line)
            except ValueError:
                line = span.line
            span = Span(line, 1, line, 1)
        if not suppressions.silenced(finding.path, document, [replace(finding, span=span)], ends):
            return None
    levels = settings.config(os.path.dirname(finding.path)).levels
    return with_levels([finding], levels)[0].level
