"""Two reports side by side, estimated or measured: they have the same keys. `reasons.py` says why they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from trainlint.memory import reasons
from trainlint.memory.report import TERMS

Report: TypeAlias = Mapping[str, Any]


class Row(NamedTuple):
    """A figure of both reports in bytes; None where a report does not know it. `why`: the likely reason."""

    name: str
    old: int | None
    new: int | None
    why: str | None = None

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
    return [
        row._replace(why=reasons.why(row.name, row.old, row.new, old, new) if row.change else None)
        for row in rows
        if row.old or row.new
    ]


def as_object(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """The rows by name, as JSON has them."""
    return {row.name: {"old": row.old, "new": row.new, "change": row.change, "why": row.why} for row in rows}


def title(report: Report) -> str:
    return f"measured ({report.get('device')})" if report.get("measured") else "estimated"
