"""`full`: findings with the lines of the source, related places and fixes, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainlint.cli.result import Result, place, shown_path
from trainlint.cli.style import LEVEL_COLOURS, Style, blanks, harmless, one_line, width

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding, Related
    from trainlint.text.place import Span


def render(result: Result) -> str:
    style = Style(result.colour)
    parts = [_finding(finding, result, style) for finding in result.shown]
    return "".join(part + "\n" for part in parts) + _summary(result, style)


def _finding(finding: Finding, result: Result, style: Style) -> str:
    colour = LEVEL_COLOURS[finding.level]
    head = style.paint(f"{finding.level}[{finding.code}]", "bold", colour)
    lines = [f"{head}: {style.paint(one_line(finding.message), 'bold')}"]
    here = [related.span.line for related in finding.related if related.path == finding.path]
    gutter = max(len(str(line)) for line in [*here, finding.span.line])
    bar = style.paint(f"{' ' * gutter} |", "dim")
    lines.append(f"{' ' * gutter}{style.paint('-->', 'dim')} {place(finding)}")
    lines.append(bar)
    lines += _excerpt(
        result.sources.line(finding.path, finding.cell, finding.span.line), finding.span, gutter, colour, style
    )
    for related in finding.related:
        lines += _related(finding, related, result, gutter, style)
    lines.append(bar)
    for fix in finding.fixes:
        option = "--fix" if fix.safety == "safe" else "--fix --unsafe-fixes"
        lines.append(f"{' ' * gutter} = {style.paint('fix', 'green')}: {one_line(fix.title)} ({option})")
    lines.append(f"{' ' * gutter} = {style.paint('help', 'dim')}: trainlint rule {finding.id}")
    return "\n".join(lines) + "\n"


def _excerpt(line: str, span: Span, gutter: int, colour: str, style: Style, note: str = "") -> list[str]:
    """The line with its number, and carets below the span."""
    line = harmless(line)
    end = span.end_column if span.end_line == span.line else len(line) + 1
    marked = line[span.column - 1 : max(span.column, end) - 1]
    carets = style.paint("^" * max(1, width(marked.rstrip())) + (f" {note}" if note else ""), "bold", colour)
    number = style.paint(f"{span.line:>{gutter}} |", "dim")
    below = style.paint(f"{' ' * gutter} |", "dim")
    return [f"{number} {line}".rstrip(), f"{below} {blanks(line[: span.column - 1])}{carets}"]


def _related(finding: Finding, related: Related, result: Result, gutter: int, style: Style) -> list[str]:
    note = one_line(related.message)
    same_text = related.path == finding.path and "(in cell " not in note
    if not same_text:
        where = f"{shown_path(related.path)}:{related.span.line}:{related.span.column}"
        if finding.cell is not None and related.path == finding.path:
            where = shown_path(related.path)
        return [f"{' ' * gutter} = {style.paint('note', 'cyan')}: {where}: {note}"]
    dots = style.paint(f"{'.' * gutter}", "dim")
    line = result.sources.line(related.path, finding.cell, related.span.line)
    return [dots, *_excerpt(line, related.span, gutter, "cyan", style, note)]


def _summary(result: Result, style: Style) -> str:
    files = _count(len(result.paths), "file")
    skipped = f", {result.skipped} of them not checked" if result.skipped else ""
    if not result.shown:
        text = style.paint("No findings", "green") + f" in {files}{skipped}"
    else:
        found = [_count(n, level) for level in result.counts if (n := sum(f.level == level for f in result.shown))]
        text = f"Found {', '.join(found)} in {files}{skipped}"
    hidden = len(result.findings) - len(result.shown)
    lines = [f"{text}."]
    if hidden:
        lines.append(f"{_count(hidden, 'more finding')} below the level shown (--min-level).")
    safe, unsafe = _fixable(result)
    if safe or unsafe:
        more = f"{' and ' if safe else ''}{unsafe} with --fix --unsafe-fixes" if unsafe else ""
        lines.append(f"Fixable: {f'{safe} with --fix' if safe else ''}{more}.")
    return "\n".join(lines) + "\n"


def _fixable(result: Result) -> tuple[int, int]:
    safe = sum(any(fix.safety == "safe" for fix in finding.fixes) for finding in result.shown)
    return safe, sum(bool(finding.fixes) for finding in result.shown) - safe


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 or noun == "info" else noun + "s"
    return f"{number} {plural}"
