"""The memory of a training step of a program: which loop, which models, which numbers.

`estimates` wants a program that was interpreted with a tape and a watch (`Program.tape`, `Program.watch`). It never
invents a number: what is not known stands in `Estimate.unknown` with its line, and the sums are then lower bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainlint.analysis.facts import TrainLoop
from trainlint.analysis.modules import is_module, walk
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Mark, Returned, Site
from trainlint.analysis.values import Instance, Obj, Value, alternatives
from trainlint.memory.book import Book
from trainlint.memory.entries import name_of, strangers
from trainlint.memory.playback import MOVES, Line, Outcome, Playback
from trainlint.memory.sizes import Sizes
from trainlint.memory.timeline import Peak, Storage, Where, total


@dataclass(slots=True)
class Estimate:
    """Bytes of one steady step. `unknown` names what could not be known, with file and line (None: of no line)."""

    path: str
    line: int
    function: str
    batch_size: int | None
    # how many numbers the parameters are
    parameters: int
    terms: dict[str, int]
    peak: Peak
    reserved: int
    lines: dict[Where, Line]
    # bytes of the parameters that are built on a line
    parameter_lines: dict[Where, int]
    unknown: list[tuple[Where, str]]
    # bytes of activations that one more sample adds
    per_sample: int = 0
    # the function with its class
    name: str = ""
    loop: TrainLoop | None = None
    # plays the loop again, at another batch size
    step: Step | None = None
    # what the step itself made and backward finds alive, by line
    held: dict[Where, int] = field(default_factory=dict)
    # what an operation keeps for backward, by the identity of its site on the tape
    kept: dict[int, tuple[Storage, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.unknown


def estimates(program: Program, batch: int | None = None) -> list[Estimate]:
    """Every training loop that the file runs, those in other files that it calls included.

    With what one more sample adds.
    """
    found = []
    for loop in program.facts:
        if isinstance(loop, TrainLoop):
            step = Step(program, loop)
            one = step.estimate(batch)
            if one.batch_size:
                more = step.estimate(2 * one.batch_size)
                one.per_sample = (more.terms["activations"] - one.terms["activations"]) // one.batch_size
            found.append(one)
    return found


class Step:
    """A training loop, made ready to be played at any batch size on any device."""

    def __init__(self, program: Program, loop: TrainLoop) -> None:
        assert program.tape is not None
        self.loop = loop
        self.heed = program.heed
        self.entries = [entry for entry in program.tape.entries if loop.loop in entry.loops]
        self.book = Book(program, modules_of(loop), Sizes())
        self.unknown = strangers(loop)
        if loop.framework:
            self.unknown.append((None, "what the framework does around the step is not known"))
        if loop.trace.incomplete or program.tape.full:
            self.unknown.append((None, "the program is too large to be followed whole"))

    def estimate(self, batch: int | None = None, capacity: int | None = None) -> Estimate:
        """The memory of a steady step, at the batch size of the program where none is given.

        With a capacity, PyTorch gets no more than so many bytes of the device; OutOfMemory where that is too little.
        """
        sizes = Sizes(batch)
        outcome = Playback(self.book, self.loop.loop, sizes, self.heed, capacity).run(self.entries)
        return self._told(outcome, batch_of(self.entries, sizes))

    def _told(self, outcome: Outcome, batch: int | None) -> Estimate:
        book, loop = self.book, self.loop
        owned: dict[Where, int] = {}
        for tensor in book.tensors:
            owned[tensor.line] = owned.get(tensor.line, 0) + tensor.size
        parameters = [tensor for tensor in book.tensors if not tensor.buffer]
        return Estimate(
            path=loop.file.path,
            line=loop.place.line,
            function=loop.loop.function,
            batch_size=batch,
            parameters=sum(tensor.weight.elements for tensor in parameters),
            terms={
                "parameters": sum(tensor.size for tensor in parameters),
                "buffers": sum(tensor.size for tensor in book.tensors if tensor.buffer),
                "gradients": sum(tensor.size for tensor in parameters if tensor.key in outcome.trained),
                "optimizer": total(outcome.timeline.by_role(), "optimizer"),
                "batch": outcome.batch,
                "activations": total(outcome.forward, "activations", "temporary"),
                "workspace": 0,
            },
            peak=outcome.timeline.peak,
            reserved=outcome.timeline.allocator.peak_reserved,
            lines=outcome.lines,
            parameter_lines=owned,
            unknown=[*self.unknown, *((None, text) for text in book.unknown), *outcome.unknown.items()],
            held=outcome.held,
            kept=outcome.kept,
            name=name_of(loop),
            loop=loop,
            step=self,
        )


def batch_of(entries: Sequence[Site | Mark | Returned], sizes: Sizes) -> int | None:
    """The batch size of the step: the first axis of what is moved to the device first."""
    for entry in entries:
        if isinstance(entry, Site) and entry.op in MOVES and entry.results:
            shape = sizes.shape(entry.results[0].shape)
            if shape:
                return shape[0]
    return sizes.batch


def modules_of(loop: TrainLoop) -> list[Value]:
    """The models of a loop, whole: those whose forward runs in it and that are no part of another one."""
    found = {
        id(value): value
        for event in loop.of("forward")
        for value in alternatives(event.subject)
        if isinstance(value, (Instance, Obj)) and is_module(value)
    }
    inside = {id(part) for value in found.values() for _, part in walk(value) if part is not value}
    return [value for key, value in found.items() if key not in inside]
