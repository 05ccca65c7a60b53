"""A measured step as the object that `trainlint measure --output-format json` prints: the keys of the estimate's."""

from __future__ import annotations

from typing import Any

from trainlint.memory.figures import Figures
from trainlint.memory.recording import Measured, RuntimeFinding
from trainlint.memory.report import AT_PEAK, TERMS, Locate, entry, heaviest, place

HOW = {"fake": "with fake tensors, nothing computed", "cpu": "computed on the CPU as if on a card"}


def as_object(measured: Measured, locate: Locate) -> dict[str, Any]:
    """The contract: the keys of `trainlint memory`, and what was measured how. Sizes in bytes, 1-based lines."""
    figures = measured.figures
    peak = figures.peak
    return {
        "version": 1,
        "path": locate(figures.path, 1)[0],
        "loop": {**place((figures.path, figures.line), locate), "name": None},
        "measured": True,
        "how": how(measured),
        "device": measured.device,
        "torch": measured.torch,
        "rules": measured.rules,
        "steps": measured.steps,
        "batch_size": figures.batch_size,
        "complete": not figures.unknown,
        "unknown": [{**place(where, locate), "what": what} for where, what in figures.unknown],
        "notes": measured.notes,
        "findings": [finding(each, figures, locate) for each in measured.findings],
        "terms": {name: figures.terms.get(name, 0 if figures.terms else None) for name in TERMS},
        "peak": {
            "allocated": peak.allocated,
            "reserved": figures.reserved,
            "device": None,
            "at": {**place(peak.line or (figures.path, figures.line), locate), "phase": peak.phase},
            "terms": {name: peak.roles.get(name, 0 if figures.terms else None) for name in AT_PEAK},
        },
        "parameters": figures.parameters,
        "per_sample": None,
        "fits": None,
        "lines": [entry(figures, where, locate) for where in heaviest(figures)],
        "remedies": [],
        "timeline": [
            {"step": point.step, "phase": point.phase, "allocated": point.allocated, "terms": point.roles}
            for point in measured.timeline
        ],
    }


def how(measured: Measured) -> str:
    """`with fake tensors, nothing computed; memory rules of CUDA; torch 2.13.0, 2 optimizer steps`."""
    if not measured.torch:
        return f"a memory snapshot of {measured.device}"
    parts = [HOW.get(measured.device, f"on {measured.device}")]
    if measured.device in HOW:
        parts.append(f"memory rules of {measured.rules.upper()}")
    steps = f"{measured.steps} optimizer step{'' if measured.steps == 1 else 's'}"
    return "; ".join([*parts, f"torch {measured.torch}, {steps}"])


def finding(found: RuntimeFinding, figures: Figures, locate: Locate) -> dict[str, Any]:
    """A finding in the form of `trainlint check`; the whole line is meant."""
    where = place(found.where or (figures.path, figures.line), locate)
    return {
        "code": found.code,
        "id": found.id,
        "family": "runtime",
        "level": found.level,
        "certainty": "proved",
        "message": found.message,
        "path": where["path"],
        "cell": where["cell"],
        "line": where["line"],
        "column": 1,
        "end_line": where["line"],
        "end_column": 1,
        "related": [],
        "fixes": [],
        "url": "",
    }
