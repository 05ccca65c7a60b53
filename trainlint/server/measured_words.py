"""A measurement in words: titles of lenses, hints and the tables of hovers, "estimated / measured" side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainlint.memory.wording import escaped, size

# the share of a figure from which on a difference is explained in a hover
WORTH = 1 / 500
ROWS = {"peak allocated": "peak", "peak reserved": "reserved", "optimizer": "optimizer state"}


def lens(report: Mapping[str, Any], estimate: Mapping[str, Any] | None, stale: bool) -> str:
    """`measured 5.3 GiB (estimate -4 %)`."""
    text = f"{before(stale)} {size(report['peak']['allocated'])}"
    if estimate is None:
        return text
    share = 100 * (comparable(estimate, report) / max(report["peak"]["allocated"], 1) - 1)
    return (
        f"{text} (estimate {share:+.0f} %)".replace("-", "\u2212").replace("+0 %", "±0 %").replace("\u22120 %", "±0 %")
    )


def comparable(estimate: Mapping[str, Any], report: Mapping[str, Any]) -> int:
    """The estimated peak without what a pretended card does not have."""
    peak = estimate["peak"]
    own = 0 if (report["peak"]["terms"].get("workspace") or 0) else peak["terms"].get("workspace") or 0
    return int(peak["allocated"] - own)


def before(stale: bool) -> str:
    return "measured before the edit" if stale else "measured"


def hint(line: Mapping[str, Any], least: int, stale: bool) -> str | None:
    """`measured 34 MiB` that stay until backward, or what is held at the peak; None below `least` bytes."""
    if line["saved"] and line["saved"] >= least:
        return f"{before(stale)} {size(line['saved'])}"
    if line["held"] and line["held"] >= least:
        return f"{before(stale)} {size(line['held'])} at the peak"
    return None


def of_line(line: Mapping[str, Any], estimated: Mapping[str, Any] | None, kept: int | None, how: str) -> str:
    """Markdown: a table of what a line holds, estimated and measured. `kept`: what the estimate says stays."""
    known: Mapping[str, Any] = estimated or {}
    rows: list[tuple[str, int | None, int]] = [
        ("held at the peak", known.get("held"), line["held"]),
        ("stays until backward", kept, line["saved"]),
        ("parameters", known.get("parameters"), line["parameters"]),
    ]
    table = [f"| {name} | {cell(first)} | {cell(second)} |" for name, first, second in rows if first or second]
    if not table:
        return ""
    return "\n".join(["| this line | estimated | measured |", "|:--|--:|--:|", *table, "", f"*{escaped(how)}*"])


def of_step(rows: Mapping[str, Mapping[str, Any]] | None, report: Mapping[str, Any], how: str) -> str:
    """Markdown: the whole step, estimated and measured, and the likely reasons of what differs."""
    if rows is None:
        rows = {f"peak {name}": {"old": None, "new": report["peak"][name]} for name in ("allocated", "reserved")}
        rows |= {name: {"old": None, "new": number} for name, number in report["terms"].items() if number}
    batch = f" at batch {report['batch_size']:,}" if report["batch_size"] else ""
    table = [
        f"| {ROWS.get(name, name)} | {cell(row['old'])} | {cell(row['new'])} | {change(row)} |"
        for name, row in rows.items()
    ]
    reasons = [f"- {ROWS.get(name, name)}: {escaped(row['why'])}" for name, row in rows.items() if worth(row)]
    head = [f"| one step{batch} | estimated | measured | |", "|:--|--:|--:|--:|"]
    return "\n".join([*head, *table, "", *reasons, *([""] if reasons else []), f"*{escaped(how)}*"])


def worth(row: Mapping[str, Any]) -> bool:
    """Has a difference a reason, and is it large enough to be explained?"""
    return bool(row.get("why")) and abs(row["change"]) > WORTH * max(row["old"], row["new"])


def cell(number: int | None) -> str:
    return "" if number is None else size(number)


def change(row: Mapping[str, Any]) -> str:
    if not row.get("change") or not row.get("old"):
        return ""
    share = 100 * row["change"] / row["old"]
    return "more than tenfold" if share >= 1000 else f"{share:+.1f} %"


def summary(
    report: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]] | None,
    found: Sequence[Mapping[str, Any]] = (),
) -> str:
    """What the person is told when the run is over; `found` are the findings that are shown."""
    batch = f" at batch {report['batch_size']:,}" if report["batch_size"] else ""
    text = f"one step{batch} takes {size(report['peak']['allocated'])} at its peak, measured {report['how']}"
    if rows and rows["peak allocated"]["old"]:
        text += f"; the estimate was {size(rows['peak allocated']['old'])}"
    if found:
        text += (
            f"; {len(found)} finding{'s' if len(found) > 1 else ''}: {', '.join(sorted({f['code'] for f in found}))}"
        )
    return text
