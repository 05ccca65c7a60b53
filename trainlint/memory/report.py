"""An estimate as the object that `trainlint memory --output-format json` prints, and as text with bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainlint.memory.estimate import Estimate, line_number
from trainlint.memory.timeline import Peak

TERMS = ("parameters", "buffers", "gradients", "optimizer", "batch", "activations", "workspace")
AT_PEAK = ("parameters", "buffers", "gradients", "optimizer", "batch", "activations", "temporary", "workspace")
BAR = 32
MOST_LINES = 12


def as_object(estimate: Estimate, shown: Callable[[str], str]) -> dict[str, Any]:
    """The contract of DESIGN: sizes in bytes, places with 1-based lines. `shown` makes a path short."""
    peak = estimate.peak
    return {
        "version": 1,
        "path": shown(estimate.path),
        "batch_size": estimate.batch_size,
        "complete": estimate.complete,
        "unknown": [{"line": line or None, "what": what} for line, what in estimate.unknown],
        "terms": {name: estimate.terms.get(name, 0) for name in TERMS},
        "peak": {
            "allocated": peak.allocated,
            "reserved": estimate.reserved,
            "device": None,
            "at": place(peak, estimate, shown),
            "terms": {name: dict(peak.roles).get(name, 0) for name in AT_PEAK},  # type: ignore[call-overload]
        },
        "parameters": estimate.parameters,
        "per_sample": {"activations": estimate.per_sample},
        "fits": None,
        "lines": lines(estimate, shown),
        "remedies": [],
    }


def place(peak: Peak, estimate: Estimate, shown: Callable[[str], str]) -> dict[str, Any]:
    """Where the peak was reached."""
    where = peak.line if isinstance(peak.line, tuple) else (estimate.path, 0)
    path = where[0] if isinstance(where[0], str) and line_number(where) else estimate.path
    return {"path": shown(path), "line": line_number(where) or estimate.line, "phase": peak.phase}


def lines(estimate: Estimate, shown: Callable[[str], str]) -> list[dict[str, Any]]:
    """What the lines of the program hold at the peak, the heaviest first."""
    held: dict[tuple[str, int], int] = {}
    for where, size in estimate.peak.lines.items():
        number = line_number(where)
        if number and isinstance(where, tuple):
            key = (str(where[0]), number)
            held[key] = held.get(key, 0) + size
    for where, size in estimate.parameter_lines.items():
        held[where] = held.get(where, 0) + size
    result = []
    for (path, number), size in sorted(held.items(), key=lambda item: -item[1]):
        saved = sum(n for where, n in estimate.saved.items() if where == (path, number))
        owned = estimate.parameter_lines.get((path, number), 0)
        result.append({"path": shown(path), "line": number, "held": size, "saved": saved, "parameters": owned})
    return result


def as_text(estimate: Estimate, shown: Callable[[str], str]) -> list[str]:
    """Terms with bars, the peak, the heaviest lines, and what is not known."""
    peak = estimate.peak
    least = "" if estimate.complete else "at least "
    batch = f" at batch {estimate.batch_size}" if estimate.batch_size is not None else ""
    result = [f"{shown(estimate.path)}:{estimate.line}  one training step{batch}"]
    result.append(f"  peak {least}{human(peak.allocated)} allocated, {least}{human(estimate.reserved)} reserved")
    where = place(peak, estimate, shown)
    result.append(f"  reached in the {peak.phase} of line {where['line']}")
    most = max([*estimate.terms.values(), 1])
    for name in TERMS:
        size = estimate.terms.get(name, 0)
        if size:
            result.append(f"  {name:12} {human(size):>10}  {'█' * max(1, round(BAR * size / most))}")
    heavy = lines(estimate, shown)[:MOST_LINES]
    if heavy:
        result.append("  held at the peak by line")
        widest = heavy[0]["held"] or 1
        for line in heavy:
            bar = "█" * max(1, round(BAR * line["held"] / widest))
            result.append(f"  {line['path']}:{line['line']:<6} {human(line['held']):>10}  {bar}")
    if estimate.unknown:
        result.append("  not known, and left out of the sums:")
        result += [f"    {f'line {line}: ' if line else ''}{what}" for line, what in estimate.unknown]
    return result


def human(size: int) -> str:
    """Bytes as a person reads them."""
    number = float(size)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} GiB"
