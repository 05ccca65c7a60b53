"""An estimate as the object that `trainlint memory --output-format json` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeAlias, get_args

from trainlint.memory.answer import Answer, Fit
from trainlint.memory.estimate import Estimate
from trainlint.memory.figures import Figures
from trainlint.memory.stretch import Line
from trainlint.memory.timeline import Role, Where

TERMS = ("parameters", "buffers", "gradients", "optimizer", "batch", "activations", "workspace")
AT_PEAK = get_args(Role)
BAR = 32
MOST_LINES = 12
# file and line → the path as a person knows it, the cell of a notebook, the line in the file or the cell
Locate: TypeAlias = Callable[[str, int], tuple[str, "int | None", int]]


def as_object(estimate: Estimate, locate: Locate, found: Answer | None = None) -> dict[str, Any]:
    """The contract of DESIGN: sizes in bytes, places with 1-based lines. `found` is what follows from the estimate."""
    peak = estimate.peak
    at = place(peak.line or (estimate.path, estimate.line), locate)
    device = found.device if found is not None else None
    result = {
        "version": 1,
        "path": locate(estimate.path, 1)[0],
        "loop": {**place((estimate.path, estimate.line), locate), "name": estimate.name or None},
        "batch_size": estimate.batch_size,
        "complete": estimate.complete,
        "unknown": [{**place(where, locate), "what": what} for where, what in (*estimate.assumed, *estimate.unknown)],
        "assumed": len(estimate.assumed),
        "terms": {name: estimate.terms.get(name, 0) for name in TERMS},
        "peak": {
            "allocated": peak.allocated,
            "reserved": estimate.reserved,
            "device": device.expected if device is not None else None,
            "device_range": [device.low, device.high] if device is not None else None,
            "device_basis": device.why if device is not None else None,
            "convolution_workspaces": found.convolutions if found is not None else 0,
            "convolution_workspaces_asked": found.asked if found is not None else 0,
            "at": {**at, "phase": peak.phase},
            "terms": {name: peak.roles.get(name, 0) for name in AT_PEAK},
        },
        "parameters": estimate.parameters,
        "per_sample": {"activations": estimate.per_sample},
        "iterations": found.iterations if found is not None else None,
        "fits": fitting(found.fit) if found is not None and found.fit is not None else None,
        "what_if": [asdict(other) for other in found.what_if] if found is not None else [],
        "lines": [entry(estimate, where, locate) for where in heaviest(estimate)],
        "remedies": [asdict(remedy) for remedy in found.remedies] if found is not None else [],
    }
    if found is not None and found.notes:
        result["notes"] = found.notes
    if found is not None and found.course:
        result["gpus"] = [fitting(each) for each in found.table]
        result["timeline"] = [
            {"phase": moment.phase, "allocated": moment.allocated, "terms": moment.roles} for moment in found.course
        ]
    return result


def fitting(fit: Fit) -> dict[str, Any]:
    """What fits; of a step without workspaces of convolutions nothing is said of them."""
    return {name: value for name, value in asdict(fit).items() if name != "largest_at_ease" or value is not None}


def place(where: Where, locate: Locate) -> dict[str, Any]:
    """Path, cell and line; None where no line is meant."""
    path, cell, line = locate(*where) if where is not None else (None, None, None)
    return {"path": path, "cell": cell, "line": line}


def heaviest(estimate: Figures) -> list[tuple[str, int]]:
    """The lines that something is known of, those first that hold most at the peak."""
    known = {*estimate.peak.lines, *estimate.lines}
    held = estimate.peak.lines
    return sorted((where for where in known if where is not None), key=lambda where: (-held.get(where, 0), where))


def entry(estimate: Figures, where: tuple[str, int], locate: Locate) -> dict[str, Any]:
    """One line of the contract."""
    line = estimate.lines.get(where, Line())
    return {
        **place(where, locate),
        "held": estimate.peak.lines.get(where, 0),
        "saved": line.saved,
        "output": line.output,
        "temporary": line.temporary,
        "parameters": estimate.parameter_lines.get(where, 0),
        "shape": " ".join(map(str, line.shape)) if line.shape is not None else None,
        "what": line.what or None,
    }


def written(where: tuple[str, int], locate: Locate) -> str:
    """`train.py:31`, `notebook.ipynb:cell 3:2`."""
    path, cell, line = locate(*where)
    return f"{path}:{line}" if cell is None else f"{path}:cell {cell}:{line}"


def bar(size: int, most: int) -> str:
    return "█" * max(1, round(BAR * size / max(most, 1)))


def human(size: int) -> str:
    """Bytes as a person reads them."""
    number = float(size)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} GiB"
