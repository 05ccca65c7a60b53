"""Two reports side by side as text for a terminal: a table, and under each figure that differs the likely reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainlint.cli.memory_text import LABELS, human
from trainlint.cli.style import Style, harmless

NAMES = {"peak allocated": "peak", "peak reserved": "reserved"}


def as_text(rows: Mapping[str, Mapping[str, Any]], names: tuple[str, str], style: Style) -> list[str]:
    """`rows` are those of `memory.comparison.as_object`; `names` say what the two are."""
    result = [style.paint(f"  {'':16} {names[0]:>16} {names[1]:>16}", "bold")]
    for name, row in rows.items():
        cells = [human(each) if each is not None else "not known" for each in (row["old"], row["new"])]
        label = NAMES.get(name, LABELS.get(name, name))
        result.append(f"  {label:16} {cells[0]:>16} {cells[1]:>16}  {changed(row)}".rstrip())
        if row.get("why"):
            result.append(style.paint(f"    {harmless(row['why'])}", "dim"))
    return result


def changed(row: Mapping[str, Any]) -> str:
    """`+4.2 %`, `same`; nothing where one of the two is not known."""
    if row["change"] is None:
        return ""
    if row["change"] == 0:
        return "same"
    if not row["old"]:
        return "+"
    share = 100 * row["change"] / row["old"]
    if share >= 1000:
        return "more than tenfold"
    return f"{share:+.1f} %" if abs(share) >= 0.05 else f"{row['change']:+,} B"
