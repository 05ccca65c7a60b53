"""Applying fixes: which fit together, the new texts, and round after round until nothing more can be mended."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from trainlint.project.notebooks import read_notebook
from trainlint.project.report import Change, FileReport, Fixed
from trainlint.project.session import Session
from trainlint.project.source import decode
from trainlint.rules.finding import Edit, Finding
from trainlint.text.place import Span

ROUNDS = 10
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


# the edits of one file, each with the cell of the notebook that it is for
_Edits = list[tuple["int | None", Edit]]


def fix(session: Session, reports: Iterable[FileReport], *, unsafe: bool) -> Fixed:
    """Apply the safe (and with `unsafe` all) fixes to texts laid over the files; nothing is written.

    A file that a fix would break keeps its text. Raises ConfigError.
    """
    by_path = {report.path: report for report in reports}
    before: dict[str, str] = {}
    stuck: set[str] = set()
    count = 0
    for _ in range(ROUNDS):
        new_texts, done = _round(session, by_path.values(), unsafe, stuck, before)
        if not new_texts:
            break
        count += done
        touched = {path for path, report in by_path.items() if _mentions(report, new_texts)}
        for path, text in new_texts.items():
            session.put_text(path, text)
        for path in (touched | set(new_texts)) & set(by_path):
            by_path[path] = session.check(path)
    changes = tuple(
        Change(path, old, new)
        for path, old in sorted(before.items())
        if (new := session.workspace.overlay.text(path)) is not None and new != old
    )
    return Fixed(list(by_path.values()), changes, count)


def write(session: Session, changes: Iterable[Change]) -> list[tuple[str, str]]:
    """Write the changed files in place, each in its own encoding; returns (path, message) of what failed."""
    failed = []
    for change in changes:
        try:
            with open(change.path, "rb") as file:
                source = decode(file.read())
            raw = source.encode(change.after)
            with open(change.path, "wb") as file:
                file.write(raw)
        except (OSError, ValueError, LookupError) as error:
            failed.append((change.path, f"the fixes could not be written: {error}"))
        session.put_text(change.path, None)
    return failed


def _mentions(report: FileReport, paths: Mapping[str, str]) -> bool:
    return any(edit.path in paths for finding in report.findings for each in finding.fixes for edit in each.edits)


def _round(
    session: Session, reports: Iterable[FileReport], unsafe: bool, stuck: set[str], before: dict[str, str]
) -> tuple[dict[str, str], int]:
    """The new texts of one round; files whose new text would not parse join `stuck` and the round starts again."""
    reports = list(reports)
    while True:
        chosen, count = choose((each for report in reports for each in report.findings), unsafe=unsafe, skip=stuck)
        new_texts: dict[str, str] = {}
        failed = set()
        for path, edits in chosen.items():
            text = _text(session, path)
            new = None if text is None else _edited(path, text, edits)
            if text is None or new is None or _breaks(path, text, new):
                failed.add(path)
            else:
                before.setdefault(path, text)
                new_texts[path] = new
        if not failed:
            return new_texts, count
        stuck |= failed


def choose(findings: Iterable[Finding], *, unsafe: bool, skip: Iterable[str] = ()) -> tuple[dict[str, _Edits], int]:
    """The first allowed fix of each finding that fits with those before it, by file; and how many fixes that is."""
    taken: dict[str, _Edits] = {}
    count = 0
    skipped = frozenset(skip)
    for finding in findings:
        for candidate in finding.fixes:
            if candidate.safety == "unsafe" and not unsafe:
                continue
            placed = [(finding.cell if edit.path == finding.path else None, edit) for edit in candidate.edits]
            if skipped.isdisjoint(edit.path for edit in candidate.edits) and _fits(placed, taken):
                for cell, edit in placed:
                    if (cell, edit) not in taken.setdefault(edit.path, []):
                        taken[edit.path].append((cell, edit))
                count += 1
            break
    return taken, count


def _fits(placed: _Edits, taken: Mapping[str, _Edits]) -> bool:
    for cell, edit in placed:
        for other_cell, other in taken.get(edit.path, ()):
            if cell == other_cell and edit != other and _collide(edit.span, other.span):
                return False
    return True


def _collide(one: Span, other: Span) -> bool:
    """Do two spans overlap, or touch where one of them only inserts?"""
    first, first_end = (one.line, one.column), (one.end_line, one.end_column)
    second, second_end = (other.line, other.column), (other.end_line, other.end_column)
    if first == first_end or second == second_end:
        return first <= second_end and second <= first_end
    return first < second_end and second < first_end


def _text(session: Session, path: str) -> str | None:
    laid = session.workspace.overlay.text(path)
    if laid is not None:
        return laid
    if not session.workspace.locator.contains(path) or not os.access(path, os.W_OK):
        return None
    try:
        with open(path, "rb") as file:
            return decode(file.read()).text
    except (OSError, ValueError):
        return None


def _edited(path: str, text: str, edits: _Edits) -> str | None:
    if not path.endswith(".ipynb"):
        return apply_edits(text, [edit for _, edit in edits])
    notebook = read_notebook(text)
    sources: dict[int, str] = {}
    for cell in {cell for cell, _ in edits}:
        if cell is None:
            return None
        mine = [edit for other, edit in edits if other == cell]
        new = apply_edits(notebook.cells[cell].source, mine)
        if new is None:
            return None
        sources[cell] = new
    return notebook.with_sources(sources)


def apply_edits(text: str, edits: Iterable[Edit]) -> str | None:
    """The text with edits that do not collide; None where one lies outside. Line ends are those of the text."""
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    newline = "\r\n" if "\r\n" in text else "\n"
    spans = []
    for edit in edits:
        start = _offset(edit.span.line, edit.span.column, starts, text)
        end = _offset(edit.span.end_line, edit.span.end_column, starts, text)
        if start is None or end is None or end < start:
            return None
        spans.append((start, end, re.sub(r"\r\n|\n", newline, edit.text)))
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _offset(line: int, column: int, starts: list[int], text: str) -> int | None:
    if not (1 <= line <= len(starts)) or column < 1:
        return None
    offset = starts[line - 1] + column - 1
    limit = starts[line] if line < len(starts) else len(text)
    return offset if offset <= limit else None


def _breaks(path: str, before: str, after: str) -> bool:
    """Would the new text parse worse than the old one?"""
    if path.endswith(".ipynb"):
        return _broken_cells(after) > _broken_cells(before)
    if path.endswith((".yaml", ".yml", ".json", ".toml")):
        from trainlint.project.data_files import parse_data

        return parse_data(path, after) is None
    return _broken(after) > _broken(before)


def _broken(text: str) -> int:
    from trainlint.project.statements import broken_lines
    from trainlint.syntax.document import Document

    return len(broken_lines(Document(text).module)[0])


def _broken_cells(text: str) -> int:
    from trainlint.project.notebooks import join_cells

    return _broken(join_cells(read_notebook(text).cells).text)
