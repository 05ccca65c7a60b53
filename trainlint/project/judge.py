"""From a document to its report: the rules, levels, suppressions, what did not parse, and notebook places."""

from __future__ import annotations

import os
from collections.abc import Iterable
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
from trainlint.rules.registry import OWN_CODES

if TYPE_CHECKING:
    from trainlint.memory.target import Target
    from trainlint.rules.engine import Analyser, Base
    from trainlint.rules.registry import Rule
    from trainlint.syntax.document import Document

# the rules that say nothing without a git base, and little without a target GPU
NEED_BASE = frozenset({"LR001"})
NEED_TARGET = frozenset({"BS001"})


def judge(
    path: str,
    document: Document,
    joined: Joined | None,
    base: Base | None,
    analyser: Analyser,
    settings: Settings,
    weigh: bool = True,
) -> FileReport:
    """Check one document. Raises ConfigError, and whatever the analysis raises.

    With `weigh` false the rules that need the memory of training loops are left out: they take longer.
    """
    config = settings.config(os.path.dirname(path))
    active = settings.codes(path)
    broken, count = broken_lines(document.module)
    if is_python2(document.text, broken, count):
        return FileReport(path, error=f"does not parse as Python 3 ({_where(broken[0], joined)})", skipped=True)
    target = target_for(path, settings) if weigh else None
    asked = enabled_rules(active if weigh else active - NEED_TARGET)
    findings = analyser.check(path, document, asked, base, target, config.world_size)
    failed = [(rule, describe(error)) for _, rule, error in analyser.failures]
    if "analysis" in dict(failed):
        return FileReport(path, error=dict(failed)["analysis"], skipped=True, internal=True)
    findings = suppressions.apply(
        path,
        document,
        findings,
        active,
        left_out=_left_out(base, target),
        later=not weigh and not NEED_TARGET.isdisjoint(active),
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


def _left_out(base: Base | None, target: Target | None) -> frozenset[str]:
    nothing: frozenset[str] = frozenset()
    return (NEED_BASE if base is None else nothing) | (NEED_TARGET if target is None else nothing)


def late_suppressions(
    path: str,
    document: Document,
    joined: Joined | None,
    base: Base | None,
    analyser: Analyser,
    weighed: Iterable[Finding],
    settings: Settings,
) -> list[Finding]:
    """The suppressions that are unused now that the rules about memory have spoken (`weighed`, not suppressed).

    They are what `judge` with `weigh` false could not say. Raises ConfigError.
    """
    active, broken = settings.codes(path), broken_lines(document.module)[0]
    if NEED_TARGET.isdisjoint(active) or not suppressions.mentions(document.text):
        return []
    found = analyser.check(path, document, enabled_rules(active - NEED_TARGET), base)
    complete = not broken and not analyser.failures
    ends = () if joined is None else joined.last_lines()
    target = target_for(path, settings)
    early = suppressions.apply(
        path, document, found, active, left_out=_left_out(base, None), later=True, complete=complete, cell_ends=ends
    )
    late = suppressions.apply(
        path, document, [*found, *weighed], active, left_out=_left_out(base, target), complete=complete, cell_ends=ends
    )
    new = [each for each in late if each.code in OWN_CODES and each not in early]
    new = list(
        with_levels((each for each in new if each.code in active), settings.config(os.path.dirname(path)).levels)
    )
    return new if joined is None else [in_cells(each, path, joined) for each in new]


def target_for(path: str, settings: Settings) -> Target | None:
    """The GPU that a file is meant for. Raises ConfigError."""
    config = settings.config(os.path.dirname(path))
    if config.gpu is None and config.gpu_memory is None:
        return None
    from trainlint.memory.target import target_of

    return target_of(config.gpu, config.gpu_memory)


def weighing(path: str, settings: Settings) -> list[Rule]:
    """The rules in use that need the memory of training loops. Raises ConfigError."""
    return enabled_rules(settings.codes(path) & NEED_TARGET)


def reported(
    path: str, document: Document, joined: Joined | None, findings: Iterable[Finding], settings: Settings
) -> list[Finding]:
    """Findings that are not suppressed, at their levels and in the cells of a notebook. Raises ConfigError."""
    kept = suppressions.silenced(path, document, findings, () if joined is None else joined.last_lines())
    kept = with_levels(kept, settings.config(os.path.dirname(path)).levels)
    return kept if joined is None else [in_cells(each, path, joined) for each in kept]


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
