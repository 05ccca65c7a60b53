"""The text of Markdown without its marks, for editors that show plain text only."""

from __future__ import annotations

import re

_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}")
_TABLE_RULE = re.compile(r"^\s*\|?[\s:|-]*-[\s:|-]*\|?\s*$")


def plain(markdown: str) -> str:
    """Readable plain text: tables become aligned columns, links `text (url)`, emphasis and fences go."""
    lines: list[str] = []
    table: list[list[str]] = []
    fenced = False
    for line in [*markdown.splitlines(), ""]:
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not fenced and line.lstrip().startswith("|"):
            if not _TABLE_RULE.match(line):
                table.append([_inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
            continue
        lines += _aligned(table)
        table = []
        if fenced:
            lines.append(line)
        elif not _RULE.fullmatch(line.strip()):
            lines.append(_inline(re.sub(r"^#{1,6}\s+", "", line)).rstrip())
    return "\n".join(lines).strip()


def _inline(text: str) -> str:
    pieces = re.split(r"(?<![\\`])(`+)(?!`)(.+?)(?<!`)\1(?!`)", text)
    out = []
    for position in range(0, len(pieces), 3):
        prose = _LINK.sub(r"\1 (\2)", pieces[position])
        prose = re.sub(r"(?<![\\\w])(\*\*|__|\*|_)(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", prose)
        out.append(re.sub(r"\\([\\`*_{}\[\]<>()#+\-.!|~$&])", r"\1", prose))
        if position + 2 < len(pieces):
            out.append(pieces[position + 2])
    return "".join(out)


def _aligned(rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    count = max(len(row) for row in rows)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
        if any(row)
    ]
