"""From a document to its report: the rules, levels, suppressions, what did not parse, and notebook places."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from trainlint.project import suppressions
from trainlint.project.internal import describe
from trainlint.project.notebooks import Joined
from trainlint.project.report import FileReport
from trainlint.project.selection import enabled_rules, with_levels
from trainlint.project.settings import Settings
from trainlint.project.statements import broken_lines, is_python2
from trainlint.rules.finding import Finding, Fix, Related

if TYPE_CHECKING:
    from trainlint.rules.engine import Analyser, Base
    from trainlint.syntax.document import Document


def judge(
    path: str,
    document: Document,
    joined: Joined | None,
    base: Base | None,
    analyser: Analyser,
    settings: Settings,
) -> FileReport:
    """Check one document. Raises ConfigError, and whatever the analysis raises."""
    config = settings.config(os.path.dirname(path))
    active = settings.codes(path)
    broken, count = broken_lines(document.module)
    if is_python2(document.text, broken, count):
        return FileReport(path, error=f"does not parse as Python 3 ({_where(broken[0], joined)})", skipped=True)
    findings = analyser.check(path, document, enabled_rules(active), base)
    failed = [(rule, describe(error)) for _, rule, error in analyser.failures]
    if "analysis" in dict(failed):
        return FileReport(path, error=dict(failed)["analysis"], skipped=True, internal=True)
    findings = suppressions.apply(
        path,
        document,
        findings,
        active,
        has_base=base is not None,
        complete=not broken and not failed,
        cell_ends=() if joined is None else joined.last_lines(),
    )
    findings = with_levels((each for each in findings if each.code in active), config.levels)
    if joined is not None:
        findings = [in_cells(each, path, joined) for each in findings]
    warnings = [f"{_where(broken[0], joined)} does not parse; the rest was checked"] if broken else []
    warnings += [f"the rule {rule} failed, its findings are missing: {message}" for rule, message in failed]
    findings.sort(key=lambda each: each.sort_key)
    return FileReport(path, tuple(findings), warning="; ".join(warnings) or None, internal=bool(failed))


def _where(line: int, joined: Joined | None) -> str:
    if joined is None:
        return f"line {line}"
    cell, line = joined.locate(line)
    return f"cell {cell} line {line}"


def in_cells(finding: Finding, path: str, joined: Joined) -> Finding:
    """A finding in the joined text of a notebook, with its places in the cells.

    A related place in another cell keeps its message and says which cell; a fix that leaves the cell is dropped.
    """
    if finding.path != path:
        return finding
    cell, span = joined.locate_span(finding.span)
    related = tuple(_related_in_cell(each, path, cell, joined) for each in finding.related)
    fixes = tuple(fix for each in finding.fixes if (fix := _fix_in_cell(each, path, cell, joined)) is not None)
    message = joined.retold(finding.message, cell)
    return replace(finding, span=span, cell=cell, message=message, related=related, fixes=fixes)


def _related_in_cell(related: Related, path: str, cell: int, joined: Joined) -> Related:
    if related.path != path:
        return related
    other, span = joined.locate_span(related.span)
    message = joined.retold(related.message, other)
    if other != cell:
        message += f" (in cell {other})"
    return Related(path, span, message)


def _fix_in_cell(fix: Fix, path: str, cell: int, joined: Joined) -> Fix | None:
    edits = []
    for edit in fix.edits:
        if edit.path == path:
            where, span = joined.locate_span(edit.span)
            if where != cell:
                return None
            edit = replace(edit, span=span)
        edits.append(edit)
    return replace(fix, edits=tuple(edits))
