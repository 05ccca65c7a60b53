"""What an editor shows of the memory model: notes for hovers, hints at the ends of lines, a lens over each loop.

Everything is plain text with places, so that it can be shown when the program that it came from is long gone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainlint.analysis.facts import TrainLoop
from trainlint.analysis.files import File
from trainlint.analysis.incremental import blocks
from trainlint.analysis.program import Program
from trainlint.memory import wording
from trainlint.memory.entries import called_from
from trainlint.memory.estimate import Estimate
from trainlint.memory.fits import Curve
from trainlint.memory.loop_notes import LoopNotes, Spot, Spots
from trainlint.memory.target import Target
from trainlint.memory.wording import Named, size
from trainlint.syntax import ir
from trainlint.text.place import Span

# columns behind the end of any line: whoever shows a span cuts it there
END = 1_000_000
# up to so many loops the search for the largest batch is worth its time without a stated GPU
FEW = 3


class Hint(NamedTuple):
    """Bytes that a line keeps until backward; `more` says how they come about, as Markdown."""

    path: str
    line: int
    bytes: int
    text: str
    more: str
    cell: int | None = None


class Lens(NamedTuple):
    """The title over the function of a training loop. `line` is that of the function, `loop` that of the loop."""

    path: str
    line: int
    loop: int
    title: str
    cell: int | None = None


@dataclass(slots=True)
class Notes:
    """All there is to show of a file. `loops` and `gaps` tell how much of the program was understood."""

    spots: list[Spot] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    lenses: list[Lens] = field(default_factory=list)
    loops: int = 0
    gaps: int = 0


def notes_of(program: Program, curves: Sequence[Curve], named: Named, target: Target | None = None) -> Notes:
    """What to show of the estimates of a program that was interpreted with a tape and a watch over its statements.

    With a target GPU, the notes of batch sizes say what fits there.
    """
    found = [curve.first for curve in curves]
    result = Notes(loops=len(found), gaps=sum(len(one.unknown) for one in found))
    spots = Spots(program)
    for curve, one in zip(curves, found, strict=True):
        if one.loop is not None:
            result.spots += LoopNotes(program, one.loop, curve, named, target, len(curves) <= FEW).all(spots)
            result.lenses += lenses(program, one.loop, one, found)
    for where, one in heaviest(found).items():
        result.spots.append(line_note(where, one))
        held = one.held.get(where, 0)
        if held:
            sign = "≥ " if where in dict(one.unknown) else ""
            result.hints.append(Hint(*where, held, f"{sign}{size(held)}", line_text(where, one)))
    return result


def lenses(program: Program, loop: TrainLoop, one: Estimate, found: Sequence[Estimate]) -> Iterator[Lens]:
    """`≈ 5.1 GiB at batch 64`, over the function that the loop is in, or over the loop of a script.

    For a loop in another file also over the function that calls it here.
    """
    title = f"{'≥' if one.bound == 'at least ' else '≈'} {size(one.peak.allocated)}{at_batch(one)}"
    function = function_around(loop.file, one.line)
    same = [other for other in found if other is not one and other.path == one.path]
    twice = function is not None and any(function_around(loop.file, other.line) is function for other in same)
    suffix = f" (loop of line {one.line})" if twice else ""
    line = function.first_line if function is not None else one.line
    yield Lens(one.path, line, one.line, title + suffix)
    calls = called_from(loop)
    if loop.file is not program.file and calls:
        caller = function_around(program.file, calls[-1])
        line = caller.first_line if caller is not None else calls[-1]
        yield Lens(program.file.path, line, calls[-1], f"{title} in {one.name or 'the loop'}")


def function_around(file: File, line: int) -> ir.FunctionDef | None:
    """The innermost function of a file whose body has this line."""
    found: ir.FunctionDef | None = None
    block: list[ir.Stmt] = file.document.module.body
    while before := bisect_right(block, line, key=starts):
        stmt = block[before - 1]
        if isinstance(stmt, ir.FunctionDef):
            found = stmt
        block = sorted((inner for body in inner_blocks(stmt) for inner in body), key=starts)
    return found


def starts(stmt: ir.Stmt) -> int:
    return stmt.first_line


def inner_blocks(stmt: ir.Stmt) -> Iterator[list[ir.Stmt]]:
    yield from (stmt.body,) if isinstance(stmt, (ir.FunctionDef, ir.ClassDef)) else blocks(stmt)


def heaviest(found: Sequence[Estimate]) -> dict[tuple[str, int], Estimate]:
    """The lines that do something in a step, each with the loop where it holds most."""
    result: dict[tuple[str, int], Estimate] = {}
    for one in found:
        for where in one.lines:
            if where is None:
                continue
            known = result.get(where)
            if known is None or one.held.get(where, 0) > known.held.get(where, 0):
                result[where] = one
    return result


def line_note(where: tuple[str, int], one: Estimate) -> Spot:
    """The note of a whole line."""
    path, line = where
    text = f"**this line in a step{at_batch(one)}**: {line_text(where, one)}"
    doubt = dict(one.unknown).get(where)
    if doubt:
        text += f"\n\n- not counted: {wording.escaped(doubt)}"
    return Spot(path, Span(line, 1, line, END), text, whole=True)


def at_batch(one: Estimate) -> str:
    return f" at batch {one.batch_size:,}" if one.batch_size is not None else ""


def line_text(where: tuple[str, int], one: Estimate) -> str:
    """`96 MiB stay until backward · results 64 MiB · its backward needs 80 MiB · 32 MiB for a moment`."""
    line, held = one.lines[where], one.held.get(where, 0)
    parts = [f"{size(held)} stay until backward" if held else "nothing of it stays until backward"]
    if line.output:
        shape = f" (the last one `{' '.join(map(str, line.shape))}`)" if line.shape else ""
        parts.append(f"results {size(line.output)}{shape}")
    if line.saved:
        parts.append(f"its backward needs {size(line.saved)}")
    if line.temporary:
        parts.append(f"{size(line.temporary)} for a moment")
    return " · ".join(parts)
