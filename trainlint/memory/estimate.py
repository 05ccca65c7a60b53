"""The memory of a training step of a program: which loop, which models, which numbers.

`estimate` wants a program that was interpreted with a tape (`Program.tape`). It never invents a number: what is not
known stands in `Estimate.unknown` with its line, and the sums are then lower bounds.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.facts import Optimizer, TrainLoop
from trainlint.analysis.modules import is_module, walk
from trainlint.analysis.parameters import SIZES, Held, holdings
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Mark, Returned, Site
from trainlint.analysis.values import Array, Const, Instance, Obj, Place, Sym, Unknown, Value, alternatives, known
from trainlint.memory import optimizers
from trainlint.memory.playback import Model, Playback, Weight
from trainlint.memory.saved import Effect
from trainlint.memory.timeline import Peak, total
from trainlint.memory.wiring import effect_of

# where a tensor that only moves a batch comes from
MOVES = frozenset({"Tensor.to", "Tensor.cuda"})


@dataclass(slots=True)
class Estimate:
    """Bytes of one steady step. `unknown` names what could not be known, with its line (0: of no line)."""

    path: str
    line: int
    batch_size: int | None
    parameters: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    peak: Peak = field(default_factory=Peak)
    reserved: int = 0
    function: str = ""
    # bytes of activations that one more sample adds
    per_sample: int = 0
    # what lines keep for backward; the lines where layers with parameters are built
    saved: dict[Hashable, int] = field(default_factory=dict)
    parameter_lines: dict[tuple[str, int], int] = field(default_factory=dict)
    unknown: list[tuple[int, str]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.unknown


class Sizes:
    """Numbers for symbolic sizes: the batch that a loader was given, or the one asked for."""

    def __init__(self, batch: int | None = None) -> None:
        self.batch = batch

    def number(self, size: Value) -> int | None:
        """The integer that a size usually is."""
        if self.batch is not None and isinstance(size, Sym):
            size = self._asked(size)
        return dims.usual(size)

    def _asked(self, size: Sym) -> Value:
        result: Value = Const(0)
        for atoms, factor in size.poly:
            term: Value = Const(factor)
            for atom in atoms:
                named = atom.name == "B" and self.batch is not None
                term = dims.mul(term, Const(self.batch) if named else atom.value or Unknown(atom.name))
            result = dims.add(result, term)
        return result

    def shape(self, array: Array) -> tuple[int, ...] | None:
        """The sizes of all axes, None where one is not known."""
        if array.shape is None:
            return None
        numbers = [self.number(size) for size in array.shape]
        return tuple(n for n in numbers if n is not None) if None not in numbers else None

    def bytes_of(self, array: Array) -> int | None:
        """The bytes of a tensor; one of unknown dtype is taken as float32, PyTorch's default."""
        shape = self.shape(array)
        if shape is None:
            return None
        count = SIZES[array.dtype or "float32"]
        for size in shape:
            count *= size
        return count


def loops_of(program: Program) -> list[TrainLoop]:
    """The training loops of a program, those of the file itself."""
    return [fact for fact in program.facts if isinstance(fact, TrainLoop) and fact.file is program.file]


def estimate(program: Program, loop: TrainLoop, batch: int | None = None) -> Estimate:
    """The memory of a steady step of one training loop."""
    assert program.tape is not None
    sizes = Sizes(batch)
    entries = [entry for entry in program.tape.entries if any(inner is loop.loop for inner in entry.loops)]
    result = Estimate(loop.file.path, loop.place.line, batch_of(entries, sizes), function=loop.loop.function)
    book = Book(program, loop, entries, sizes, result)
    playback = Playback(book.model(), book.weights)
    outcome = playback.run(entries)
    result.unknown += sorted({(line_number(line), text) for line, text in outcome.unknown.items()})
    result.peak, result.reserved = outcome.timeline.peak, outcome.timeline.allocator.peak_reserved
    forward = outcome.forward
    result.saved = outcome.saved
    result.terms = {
        "parameters": sum(w.size for w in book.weights if not w.buffer),
        "buffers": sum(w.size for w in book.weights if w.buffer),
        "gradients": sum(w.size for w in book.weights if w.key in playback.graph.gradients or w.key in book.cleared),
        "optimizer": total(outcome.timeline.by_role(), "optimizer"),
        "batch": outcome.batch,
        "activations": total(forward, "activations", "temporary"),
        "workspace": 0,
    }
    if loop.trace.incomplete:
        result.unknown.append((0, "the program is too large to be followed whole"))
    if program.tape.full:
        result.unknown.append((0, "the program has too many operations to record"))
    return result


def estimates(program: Program, batch: int | None = None) -> list[Estimate]:
    """Every training loop of a program, with what one more sample adds."""
    found = []
    for loop in loops_of(program):
        one = estimate(program, loop, batch)
        if one.batch_size:
            more = estimate(program, loop, 2 * one.batch_size)
            one.per_sample = (more.terms["activations"] - one.terms["activations"]) // one.batch_size
        found.append(one)
    return found


def line_number(line: Hashable) -> int:
    return line[1] if isinstance(line, tuple) and len(line) == 2 and isinstance(line[1], int) else 0


def batch_of(entries: Sequence[Site | Mark | Returned], sizes: Sizes) -> int | None:
    """The batch size of the step: the first axis of what is moved to the device first."""
    for entry in entries:
        if isinstance(entry, Site) and entry.op in MOVES and entry.results:
            shape = sizes.shape(entry.results[0])
            if shape:
                return shape[0]
    return sizes.batch


class Book:
    """The models and optimizers of a loop, and what the playback asks about them."""

    def __init__(
        self,
        program: Program,
        loop: TrainLoop,
        entries: Sequence[Site | Mark | Returned],
        sizes: Sizes,
        into: Estimate,
    ) -> None:
        self.loop, self.sizes, self.into = loop, sizes, into
        self.weights: list[Weight] = []
        self.by_owner: dict[int, list[Weight]] = {}
        self.shapes: dict[Hashable, tuple[int, ...]] = {}
        self.by_parameter: dict[int, Weight] = {}
        self.cleared: set[Hashable] = set()
        self.optimizers = {id(f.value): f for f in program.facts if isinstance(f, Optimizer)}
        seen: set[int] = set()
        for module in modules_of(program, entries):
            self._enter(module, seen)

    def _enter(self, module: Value, seen: set[int]) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        found = holdings(module)
        for name, reason in found.unknown.items():
            self.into.unknown.append((0, f"`{name or 'the model'}`: {reason}"))
        for held in found.tensors:
            self._weight(held)

    def _weight(self, held: Held) -> None:
        key = (id(held.owner), held.name.rpartition(".")[2])
        numbers = (
            [self.sizes.number(n) for n in held.shape] if held.shape is not None else [self.sizes.number(held.count)]
        )
        if key in self.shapes:
            return
        if None in numbers:
            self.into.unknown.append((0, f"the size of the parameter `{held.name}` is not known"))
            return
        shape = tuple(n for n in numbers if n is not None)
        size = SIZES[held.dtype or "float32"]
        for n in shape:
            size *= n
        weight = Weight(key, size, held.trainable is True, held.buffer)
        self.shapes[key] = shape
        self.weights.append(weight)
        part = held.owner.attrs.get(key[1]) if isinstance(held.owner, (Instance, Obj)) else None
        if isinstance(part, Obj) and part.kind == "parameter":
            self.by_parameter[id(part)] = weight
        self.by_owner.setdefault(id(held.owner), []).append(weight)
        if not held.buffer:
            self.into.parameters += size // SIZES[held.dtype or "float32"]

    def model(self) -> Model:
        return Model(
            size=self.sizes.bytes_of,
            effect=self.effect,
            weights_of=lambda layer: self.by_owner.get(id(layer), []),
            parameter=lambda array: self.by_parameter.get(id(array.source)) if array.source is not None else None,
            states=self.states,
            step_temporaries=self.step_temporaries,
            optimized=self.optimized,
            line=lambda site: (site.file.path, Place(site.file.path, site.node).line),
            moves=lambda site: site.op in MOVES and not any(a.grad for a in site.operands),
            sometimes=lambda mark: bool(mark.event.conds_in(self.loop.loop)),
            doubt=self.doubt,
        )

    def doubt(self, site: Site) -> str:
        """Why it is not known how often an operation runs in a step."""
        if site.loops[-1] is not self.loop.loop:
            return f"how often the loop of line {site.loops[-1].place.line} runs is not known"
        depth = site.loops.index(self.loop.loop) + 1
        if any(level >= depth for level, _ in site.conds):
            return "whether this line runs is not known"
        return ""

    def optimized(self, optimizer: Value) -> list[Weight]:
        """The parameters that an optimizer holds: those of the module whose `parameters()` it was given."""
        fact = self.optimizers.get(id(optimizer))
        given = fact.params if fact is not None else None
        if isinstance(given, Obj) and given.kind == "parameters" and given.args:
            owners = {id(held.owner) for held in holdings(given.args[0]).tensors}
            found = [w for owner in owners for w in self.by_owner.get(owner, []) if not w.buffer]
        else:
            found = [w for w in self.weights if not w.buffer]
        self.cleared |= {w.key for w in found if w.trained}
        return found

    def effect(self, site: Site) -> Effect | None:
        weights = self.by_owner.get(id(site.layer), []) if site.layer is not None else []
        return effect_of(site, self.sizes, [(weight, self.shapes[weight.key]) for weight in weights])

    def states(self, optimizer: Value, weight: Weight) -> Sequence[int]:
        """The state of an optimizer for one weight; for the first one also what all weights share."""
        name, options = self._asked(optimizer)
        found = optimizers.state(name, options, self._numbers(weight))
        if found is None:
            self._say(f"the state of `{name.rpartition('.')[2] or 'the optimizer'}` is not known")
        return found or ()

    def step_temporaries(self, optimizer: Value, weights: Sequence[Weight]) -> Sequence[int]:
        name, options = self._asked(optimizer)
        found = optimizers.temporaries(name, options, [self._numbers(weight) for weight in weights])
        if found is None:
            self._say(f"what `{name.rpartition('.')[2] or 'the optimizer'}` needs while it steps is not known")
        return found or ()

    def _asked(self, optimizer: Value) -> tuple[str, dict[str, object]]:
        if not isinstance(optimizer, Obj):
            return "", {}
        return optimizer.name, {name: known(value) for name, value in optimizer.kwargs.items()}

    def _numbers(self, weight: Weight) -> optimizers.Weight:
        shape = self.shapes[weight.key]
        count = math.prod(shape)
        return optimizers.Weight(shape, weight.size // count if count else 4)

    def _say(self, text: str) -> None:
        if (0, text) not in self.into.unknown:
            self.into.unknown.append((0, text))


def modules_of(program: Program, entries: Sequence[Site | Mark | Returned]) -> list[Value]:
    """The models of a loop, whole: those whose forward runs in it and that are no part of another one."""
    loops = {id(loop) for entry in entries for loop in entry.loops}
    found: dict[int, Value] = {}
    for trace in program.traces:
        for event in trace.events:
            if event.kind == "forward" and any(id(loop) in loops for loop in event.loops):
                for value in alternatives(event.subject):
                    if isinstance(value, (Instance, Obj)) and is_module(value):
                        found[id(value)] = value
    inside = {id(part) for value in found.values() for _, part in walk(value) if part is not value}
    return [value for key, value in found.items() if key not in inside]
