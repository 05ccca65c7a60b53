"""`trainlint model FILE:LINE`: what is known at a line, as an editor's hover says it, and the facts that rules see."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from trainlint.cli.style import Style, harmless, wants_colour, width
from trainlint.project.errors import UsageError
from trainlint.project.files import root_of
from trainlint.project.session import Session

if TYPE_CHECKING:
    import argparse

    from trainlint.analysis.describe import Told

# rows of the table of a model: as many as a person scrolls through
MOST_ROWS = 400


def show_facts(options: argparse.Namespace) -> int:
    """Print the values, then one fact a line. Raises UsageError for a wrong place."""
    name, _, number = options.place.rpartition(":")
    if not name or not number.isdecimal() or int(number) < 1:
        raise UsageError(f"{options.place!r} is not FILE:LINE, such as train.py:120")
    path, line = os.path.abspath(name), int(number)
    if not os.path.isfile(path):
        raise UsageError(f"{name}: no such file")
    with open(path, "rb") as file:
        count = sum(1 for _ in file)
    if line > count and not path.endswith(".ipynb"):
        raise UsageError(f"{name} has {count} lines: there is no line {line}")
    session = Session([root_of(path)])
    style = Style(wants_colour(sys.stdout))
    told = session.told_at(path, line, MOST_ROWS)
    facts = [fact for fact in session.facts_at(path, line) if " → " not in fact]
    blocks = [block(each, style) for each in told]
    if facts:
        blocks.append([style.paint("facts that rules see", "bold"), *(f"  {harmless(fact)}" for fact in facts)])
    print("\n\n".join("\n".join(lines) for lines in blocks) if blocks else f"nothing is known at {options.place}")
    return 0


def block(told: Told, style: Style) -> list[str]:
    """The lines about one expression."""
    card = told.card
    lines = [f"{style.paint(harmless(told.text.strip()), 'bold', 'cyan')}  {text_of(card.head)}"]
    lines += [f"    {text_of(note)}" if note.startswith("- ") else f"  {text_of(note)}" for note in card.notes]
    lines += [f"  {line}" for line in table([card.header, *card.rows], style)] if card.rows else []
    return lines + [f"  {style.paint(where, 'dim')}  {text_of(text)}" for where, text in card.steps]


def text_of(markdown: str) -> str:
    """Inline Markdown as plain text: the code marks go."""
    return harmless(markdown.replace("`", ""))


def table(rows: list[tuple[str, ...]], style: Style) -> list[str]:
    """Cells in columns, the last one to the right; the first row is the header."""
    widths = [max(width(harmless(row[at])) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [harmless(cell) for cell in row]
        padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=True)]
        padded[-1] = " " * (widths[-1] - width(cells[-1])) + cells[-1]
        line = "  ".join(padded).rstrip()
        lines.append(style.paint(line, "dim") if number == 0 else line)
    return lines
