"""The memory of a training step of a program: which loop, which models, which numbers.

`estimates` wants a program that was interpreted with a tape and a watch (`Program.tape`, `Program.watch`). It never
invents a number: what is not known stands in `Estimate.unknown` with its line, and the sums are then lower bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from trainlint.analysis.facts import TrainLoop
from trainlint.analysis.listing import optimised
from trainlint.analysis.modules import OWN, is_module, walk
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Entry, Mark, Site
from trainlint.analysis.values import Const, Instance, Obj, Value, alternatives
from trainlint.memory.book import ZERO, Book
from trainlint.memory.copies import copies, default_dtype
from trainlint.memory.entries import name_of, strangers
from trainlint.memory.figures import Figures
from trainlint.memory.frozen import frozen, useful
from trainlint.memory.placing import MOVES, Placing
from trainlint.memory.plan import AS_WRITTEN, Plan
from trainlint.memory.playback import Outcome, Playback, is_constant
from trainlint.memory.precision import lowered
from trainlint.memory.processes import ASSUMED, engines, processes_of
from trainlint.memory.recompute import checkpointed
from trainlint.memory.rescale import any_batch, literal_of, unstated, with_given, with_number, with_symbol
from trainlint.memory.sizes import Sizes
from trainlint.memory.timeline import Moment, Storage, Where, total
from trainlint.memory.units import sharding_of


@dataclass(slots=True)
class Estimate(Figures):
    """Bytes of one steady step. `unknown` names what could not be known, with file and line (None: of no line).

    `assumed` names what is not known either and was taken for something, so that the figures may be too large as well.
    """

    function: str = ""
    # the function with its class
    name: str = ""
    # of a measured step there is neither a loop nor anything to play again
    loop: TrainLoop | None = None
    step: Step | None = None
    plan: Plan = AS_WRITTEN
    # what the plan lets be recorded of the step
    course: list[Moment] = field(default_factory=list)
    # what the step itself made and backward finds alive, by line
    held: dict[Where, int] = field(default_factory=dict)
    # what an operation keeps for backward, by the identity of its site on the tape
    kept: dict[int, tuple[Storage, ...]] = field(default_factory=dict)
    assumed: list[tuple[Where, str]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.unknown and not self.assumed

    @property
    def bound(self) -> Literal["", "at least ", "about "]:
        """How to read the sums: as they are, as lower bounds, or under assumptions."""
        return "about " if self.assumed else "at least " if self.unknown else ""

    @property
    def per_sample(self) -> int:
        """Bytes of activations that one more sample adds; 0 where the batch size is not known."""
        if not self.batch_size or self.step is None:
            return 0
        more = self.step.estimate(replace(self.plan, batch=2 * self.batch_size))
        return (more.terms["activations"] - self.terms["activations"]) // self.batch_size


def estimates(program: Program, plan: Plan = AS_WRITTEN) -> list[Estimate]:
    """Every training loop that the file runs, those in other files that it calls included."""
    return [Step(program, loop).estimate(plan) for loop in program.facts if isinstance(loop, TrainLoop)]


class Step:
    """A training loop, made ready to be played at any batch size on any device."""

    def __init__(self, program: Program, loop: TrainLoop, base: Step | None = None) -> None:
        """`base` is the step as the program has it, of one at another batch size."""
        assert program.tape is not None
        self.loop = loop
        self.base = base
        self.program = program
        models = modules_of(loop)
        self.book = Book(program, models, Sizes())
        for model, line in copies(program, models):
            self.book.copy(model, line)
        sharding = sharding_of(program, models)
        self.book.shard(sharding.units)
        self.recorded = [entry for entry in program.tape.entries if loop.loop in entry.loops]
        self.before = [entry for entry in program.tape.entries if loop.loop not in entry.loops]
        self._prepared: dict[object, tuple[Sequence[Entry], dict[int, str]]] = {}
        self.entries, _ = self.prepared(AS_WRITTEN)
        self.unknown = strangers(loop)
        if loop.framework:
            self.unknown.append((None, "what the framework does around the step is not known"))
        if loop.trace.incomplete or program.tape.full:
            self.unknown.append((None, "the program is too large to be followed whole"))
        if default_dtype(program):
            self.unknown.append((None, "the default dtype is not known"))
        self.unknown += [(None, text) for text in dict.fromkeys([*sharding.unknown, *engines(program)])]
        # what is taken for something that it may not be
        self.assumed: list[tuple[Where, str]] = []
        for place in program.tape.compiled[:1]:
            text = "what `torch.compile` fuses and computes again is not modelled: the figures are those of eager mode"
            self.assumed.append(((place.path, place.line), text))
        self.processes = processes_of(program)
        self.unknown += own_optimizers(self.entries)
        self.batch = batch_of(self.entries, Sizes())
        # at other batch sizes; None: at any
        self._others: dict[int | None, Step | None] = {}
        # the value from outside that is the batch size, once that is known
        self._sources: list[Value] = []

    def estimate(self, plan: Plan = AS_WRITTEN) -> Estimate:
        """The memory of a steady step. Raises OutOfMemory where the capacity of the plan does not suffice.

        Where the batch size cannot be changed, `batch_size` of the result is not that of the plan.
        """
        step = self.at(plan.batch)
        return replace(step.played(plan), loop=step.loop, step=step)

    def at(self, batch: int | None) -> Step:
        """What is to be played for a batch size: this step, or that of the program interpreted with another one."""
        if batch is None or batch == self.batch:
            return self
        if self.base is not None:
            return self if self.scales() else self.base.at(batch)
        literal = literal_of(self.program, self.loop, first_axis(self.entries))
        if self.scales() and (literal is not None or not self.played(Plan(batch)).unknown):
            return self
        found = self._stated(literal, batch) if literal is not None else self._given(batch)
        return found if found is not None else self

    def _stated(self, literal: Const, batch: int) -> Step | None:
        """The step where the program states another batch size: for all of them, or for this one."""
        if None not in self._others:
            other = self._other(with_symbol(self.program, self.loop, literal))
            self._others[None] = other if other is not None and self.same(other) else None
        found = self._others[None]
        if found is None:
            if batch not in self._others:
                self._others[batch] = self._other(with_number(self.program, self.loop, literal, batch))
            found = self._others[batch]
        return found

    def _given(self, batch: int) -> Step | None:
        """The step where the program gets this batch size from outside; None where it does not."""
        if self._others.get(None) is not None:
            return self._others[None]
        if batch not in self._others:
            self._others[batch] = None
            known = len(self.played(Plan(batch)).unknown)
            for value in self._sources or unstated(self.program, self.loop, first_axis(self.entries)):
                step = self._with(value, batch)
                if step is None or len(step.played(Plan(batch)).unknown) >= known:
                    continue
                self._others[batch], self._sources = step, [value]
                other = self._other(with_given(self.program, self.loop, value, any_batch(value, batch)))
                self._others[None] = other if other is not None and step.same(other) else None
                break
        return self._others[batch]

    def _with(self, value: Value, batch: int) -> Step | None:
        """The step whose batches are this large because of what is given for a value from outside."""
        step = self._other(with_given(self.program, self.loop, value, Const(batch, value.origin)))
        if step is None or not step.batch or step.batch == batch:
            return step if step is not None and step.batch else None
        # the program divides it, among processes or micro-batches
        whole, rest = divmod(batch * batch, step.batch)
        if rest:
            return None
        step = self._other(with_given(self.program, self.loop, value, Const(whole, value.origin)))
        return step if step is not None and step.batch == batch else None

    def optimizers(self) -> list[str]:
        """The classes of the optimizers that step in the loop, without their libraries."""
        return [value.name.rpartition(".")[2] for value in self.steppers() if isinstance(value, Obj)]

    def steppers(self) -> list[Value]:
        """The optimizers that step in the loop, each once."""
        return list({id(event.subject): event.subject for event in self.loop.of("step")}.values())

    def idle(self) -> list[Site]:
        """The operations that have a graph although nobody uses the gradients that come through them."""
        if not self.steppers():
            return []
        attached = frozen(self.entries, self.book, set())
        left = useful(self.entries, self.book.stepped_only(self.steppers()), set())
        pairs = zip(self.entries, attached, left, strict=True)
        return [
            site
            for site, with_graph, other in pairs
            if isinstance(site, Site) and isinstance(with_graph, Site) and isinstance(other, Site)
            if with_graph.grad and not other.grad
        ]

    def accumulates(self) -> bool:
        """Does the optimizer step in some of the steps only?"""
        return any(event.conds_in(self.loop.loop) for event in self.loop.of("step"))

    def single_precision(self) -> bool:
        """Is everything computed in float32: no autocast, no weights in half precision?"""
        sites = [entry for entry in self.recorded if isinstance(entry, Site)]
        return all(site.autocast is None for site in sites) and all(
            tensor.weight.itemsize == 4 for tensor in self.book.tensors if not tensor.buffer
        )

    def keeps_cleared(self) -> bool:
        """Does `zero_grad` of the loop keep the gradients, as zeros?"""
        return any(is_constant(event.value, False) for event in self.loop.of("zero_grad"))

    def convolves(self) -> bool | None:
        """Does the step have convolutions, which load cuDNN? None where not all of it is known."""
        found = any("Conv" in entry.op or ".conv" in entry.op for entry in self.recorded if isinstance(entry, Site))
        return found or (False if not self.unknown else None)

    def _other(self, found: tuple[Program, TrainLoop] | None) -> Step | None:
        return Step(*found, base=self) if found is not None else None

    def scales(self) -> bool:
        """Is the batch size a symbol of the tape?"""
        return self.batch is not None and batch_of(self.entries, Sizes(2 * self.batch)) == 2 * self.batch

    def same(self, other: Step) -> bool:
        """Does another step scale, and is it this one at this one's batch size?"""
        if not other.scales():
            return False
        mine, theirs = self.played(Plan(self.batch)), other.played(Plan(self.batch))
        return (mine.terms, mine.peak, mine.unknown) == (theirs.terms, theirs.peak, theirs.unknown)

    def played(self, plan: Plan) -> Estimate:
        """The estimate of this step as it is on the tape."""
        entries, dtypes = self.prepared(plan)
        processes = self.processes if plan.processes is None else plan.processes
        book = self.book.in_place_of_adam(plan.optimizer).frozen_but(plan.head).over(processes or ASSUMED)
        detached: set[int] = set()
        if plan.head is not None:
            entries = frozen(entries, book, detached)
        if plan.no_grad:
            book = book.stepped_only(self.steppers())
            entries = useful(entries, book, detached)
        sizes = Sizes(plan.batch, dtypes, detached)
        placing = Placing([*self.before, *entries], book.weighs, everything=bool(self.loop.framework))
        playing = Playback(book, self.loop.loop, placing, sizes, self.program.heed, plan)
        outcome = playing.run(entries)
        told = self._told(outcome, plan, batch_of(entries, sizes), book)
        if processes is None and (book.units or any(name == ZERO for name in self.optimizers())):
            text = f"how many processes train is not known (`--world-size`): the figures are those of {ASSUMED}"
            told.assumed = [*told.assumed, (None, text)]
        return told

    def prepared(self, plan: Plan) -> tuple[Sequence[Entry], dict[int, str]]:
        """The operations with those that autocast adds, and the dtypes that are others than recorded."""
        key = (tuple(map(id, plan.blocks)), plan.autocast)
        if key not in self._prepared:
            dtypes: dict[int, str] = {}
            entries = checkpointed(self.recorded, plan.blocks) if plan.blocks else self.recorded
            self._prepared[key] = lowered(entries, self.book, Sizes(dtypes=dtypes), plan.autocast), dtypes
        return self._prepared[key]

    def _told(self, outcome: Outcome, plan: Plan, batch: int | None, book: Book) -> Estimate:
        loop = self.loop
        owned: dict[Where, int] = {}
        for tensor in book.tensors:
            owned[tensor.line] = owned.get(tensor.line, 0) + book.local(tensor).size
        parameters = [tensor for tensor in book.tensors if not tensor.buffer]
        return Estimate(
            path=loop.file.path,
            line=loop.place.line,
            function=loop.loop.function,
            batch_size=batch,
            parameters=sum(tensor.weight.elements for tensor in parameters),
            terms={
                "parameters": sum(book.local(tensor).size for tensor in parameters),
                "buffers": sum(tensor.size for tensor in book.tensors if tensor.buffer),
                "gradients": sum(book.local(tensor).size for tensor in parameters if tensor.key in outcome.trained),
                "optimizer": total(outcome.timeline.by_role(), "optimizer"),
                "batch": outcome.batch,
                "activations": total(outcome.forward, "activations", "temporary"),
                "workspace": total(outcome.timeline.by_role(), "workspace"),
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
            plan=plan,
            course=outcome.timeline.course or [],
            assumed=self.assumed,
        )


def batch_of(entries: Sequence[Entry], sizes: Sizes) -> int | None:
    """The batch size of the step: the first axis of what is moved to the device first."""
    first = first_axis(entries)
    return sizes.number(first) if first is not None else None


def first_axis(entries: Sequence[Entry]) -> Value | None:
    """The first axis of what is moved to the device first, else of what goes into a layer; None where not known."""
    sites = [entry for entry in entries if isinstance(entry, Site)]
    moved = [array for site in sites if site.op in MOVES for array in site.results]
    given = [array for site in sites if site.layer is not None for array in site.operands]
    return next((array.shape[0] for array in (*moved, *given) if array.shape), None)


def own_optimizers(entries: Sequence[Entry]) -> list[tuple[Where, str]]:
    """Optimizers whose class the program writes itself: what they keep is not followed."""
    found: dict[str, Where] = {}
    for entry in entries:
        held = entry.within if isinstance(entry, Site) else (entry.event.subject,) if isinstance(entry, Mark) else ()
        for value in held:
            if isinstance(value, Instance) and value.cls.extends(
                "torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"
            ):
                found.setdefault(value.cls.name, (value.cls.file.path, value.cls.node.first_line))
    return [(where, f"what the optimizer `{name}` of the program keeps is not known") for name, where in found.items()]


def modules_of(loop: TrainLoop) -> list[Value]:
    """The models of a loop, whole: those whose forward runs in it and that are no part of another one."""
    used = [value for event in loop.of("forward") for value in alternatives(event.subject)]
    # one of which only parts are called, by a method of another name than `forward`
    used += [value for event in loop.of("step") for value in optimised(event.subject)]
    found = {id(value): value for value in used if isinstance(value, (Instance, Obj)) and is_module(value)}
    parts = [(value, part) for value in found.values() for _, part in walk(value)]
    inside = {id(part) for value, part in parts if part is not value}
    inside |= {id(part.attrs.get(OWN)) for _, part in parts if isinstance(part, Instance)}
    return [value for key, value in found.items() if key not in inside]
