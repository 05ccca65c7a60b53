"""A measured step as the object that `trainlint measure --output-format json` prints, and as text with bars."""

from __future__ import annotations

from typing import Any

from trainlint.memory.figures import Figures
from trainlint.memory.recording import Measured, RuntimeFinding
from trainlint.memory.report import AT_PEAK, MOST_LINES, TERMS, Locate, bar, entry, heaviest, human, place, written

HOW = {"fake": "fake tensors, nothing computed", "cpu": "computed on the CPU as if on a card"}


def as_object(measured: Measured, locate: Locate) -> dict[str, Any]:
    """The contract: the keys of `trainlint memory`, and what was measured how. Sizes in bytes, 1-based lines."""
    figures = measured.figures
    peak = figures.peak
    return {
        "version": 1,
        "path": locate(figures.path, 1)[0],
        "measured": True,
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


def as_text(measured: Measured, locate: Locate) -> list[str]:
    """How it was measured, the terms with bars, the peak, the heaviest lines, and what the figures rest on."""
    figures, peak = measured.figures, measured.figures.peak
    least = "about " if figures.unknown else ""
    batch = f" at batch {figures.batch_size}" if figures.batch_size is not None else ""
    how = HOW.get(measured.device, measured.device) if measured.torch else f"a snapshot of {measured.device}"
    rules = f", memory rules of {measured.rules.upper()}" if measured.device in HOW else ""
    result = [
        f"{written((figures.path, figures.line), locate)}  measured{batch}: {how}{rules}",
        *([f"  torch {measured.torch}, {measured.steps} optimizer steps"] if measured.torch else []),
        f"  peak {least}{human(peak.allocated)} allocated, {least}{human(figures.reserved)} reserved",
    ]
    if peak.line is not None:
        result.append(f"  reached in the {peak.phase} of {written(peak.line, locate)}")
    shown = [(name, figures.terms[name]) for name in TERMS if figures.terms.get(name)]
    result += [f"  {name:12} {human(size):>10}  {bar(size, max(n for _, n in shown))}" for name, size in shown]
    heavy = [(where, peak.lines[where]) for where in heaviest(figures) if peak.lines.get(where)][:MOST_LINES]
    if heavy:
        result.append("  held at the peak by line")
        names = [written(where, locate) for where, _ in heavy]
        width = max(map(len, names))
        for name, (_, size) in zip(names, heavy, strict=True):
            result.append(f"  {name:{width}}  {human(size):>10}  {bar(size, heavy[0][1])}")
    if figures.unknown:
        result.append("  not known:")
        result += [f"    {written(w, locate) + ': ' if w is not None else ''}{text}" for w, text in figures.unknown]
    for found in measured.findings:
        at = written(found.where or (figures.path, figures.line), locate)
        result.append(f"{at}: {found.level}[{found.code}]: {found.message}")
    return [*result, *(f"  note: {note}" for note in measured.notes)]
