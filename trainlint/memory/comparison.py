"""Two reports side by side, estimated or measured: they have the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainlint.memory.report import TERMS, human

Report = Mapping[str, Any]


class Row(NamedTuple):
    """A figure of both reports in bytes; None where a report does not know it."""

    name: str
    old: int | None
    new: int | None

    @property
    def change(self) -> int | None:
        return None if self.old is None or self.new is None else self.new - self.old


def compared(old: Report, new: Report) -> list[Row]:
    """Peak, reserved and the terms. Raises ValueError for what is no report."""
    try:
        rows = [Row(f"peak {name}", old["peak"][name], new["peak"][name]) for name in ("allocated", "reserved")]
        rows += [Row(name, old["terms"].get(name), new["terms"].get(name)) for name in TERMS]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no report of `memory` or `measure`: {error!r}") from error
    if not all(each is None or type(each) is int for row in rows for each in (row.old, row.new)):
        raise ValueError("it is no report of `memory` or `measure`: its sizes are no whole numbers")
    return [row for row in rows if row.old or row.new]


def as_text(rows: list[Row], old: Report, new: Report) -> list[str]:
    """A table, and what keeps the two from being comparable."""
    names = [title(old), title(new)]
    result = [f"  {'':16} {names[0]:>20} {names[1]:>20}"]
    for row in rows:
        cells = [human(each) if each is not None else "not known" for each in (row.old, row.new)]
        change = "same" if row.change == 0 else ""
        if row.change and row.old:
            change = f"{100 * row.change / row.old:+.1f} %"
        result.append(f"  {row.name:16} {cells[0]:>20} {cells[1]:>20}  {change}".rstrip())
    result += [
        f"  {name}: {_unknown(each)}" for name, each in zip(names, (old, new), strict=True) if each.get("unknown")
    ]
    workspace = next((row for row in rows if row.name == "workspace" and row.old), None)
    if workspace is not None and new.get("device") in ("fake", "cpu"):
        result.append("  a pretended card has no workspace of cuBLAS: it is in the other peak only")
    if old.get("batch_size") != new.get("batch_size"):
        result.append(f"  the batch sizes differ: {old.get('batch_size')} and {new.get('batch_size')}")
    return result


def title(report: Report) -> str:
    return f"measured ({report.get('device')})" if report.get("measured") else "estimated"


def _unknown(report: Report) -> str:
    texts = {str(each.get("what")) for each in report["unknown"] if isinstance(each, Mapping)}
    return "not complete: " + "; ".join(sorted(texts)[:3])
