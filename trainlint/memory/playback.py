"""Plays a recorded training loop on a timeline: three steps, of which the third is the steady one.

The loop's body was interpreted once. Each step allocates its tensors anew; what the names held at the end of the step
before dies where the body binds the name again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trainlint.analysis.tape import Live, Mark, Returned, Site, held_by
from trainlint.analysis.values import Array, Obj, Value
from trainlint.memory.saved import Effect
from trainlint.memory.timeline import Graph, Node, Role, Storage, Timeline

STEPS = 3


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter or buffer on the device."""

    key: Hashable
    size: int
    trained: bool
    buffer: bool = False


@dataclass(slots=True)
class Model:
    """What the numbers of a playback come from.

    `size` gives the bytes of a tensor (None: not known), `effect` what an operation does to memory, `weights_of` the
    parameters of a layer, `states` the bytes of an optimizer's state for a weight, `line` the place billed for a site.
    """

    size: Callable[[Array], int | None]
    effect: Callable[[Site], Effect | None]
    weights_of: Callable[[Obj], Sequence[Weight]]
    # the parameter that a tensor is
    parameter: Callable[[Array], Weight | None]
    states: Callable[[Value, Weight], Sequence[int]]
    step_temporaries: Callable[[Value, Sequence[Weight]], Sequence[int]]
    optimized: Callable[[Value], Sequence[Weight]]
    line: Callable[[Site], Hashable]
    # does an operation only move a batch to the device?
    moves: Callable[[Site], bool]
    # does an event happen in some of the steps only (every k-th, with accumulation)?
    sometimes: Callable[[Mark], bool]
    # why it is not known how often an operation runs in a step; empty where it runs once
    doubt: Callable[[Site], str]


@dataclass(slots=True)
class Outcome:
    """The steady step. Everything is bytes; `unknown` says what could not be followed, by line."""

    timeline: Timeline
    # living just before backward, by role
    forward: dict[Role, int] = field(default_factory=dict)
    batch: int = 0
    saved: dict[Hashable, int] = field(default_factory=dict)
    unknown: dict[Hashable, str] = field(default_factory=dict)


class Playback:
    """One training loop on one device."""

    def __init__(self, model: Model, weights: Iterable[Weight]) -> None:
        self.model = model
        self.timeline = Timeline()
        self.graph = Graph(self.timeline)
        self.outcome = Outcome(self.timeline)
        self.of: dict[int, Storage] = {}
        # what names held at the end of the step before
        self.carried: dict[tuple[int, str], tuple[Storage, ...]] = {}
        self.bound: Live = {}
        self.states: set[Hashable] = set()
        self.values: list[Array] = []
        for weight in weights:
            role: Role = "buffers" if weight.buffer else "parameters"
            self.timeline.allocate(weight.size, role, weight.key, pinned=True)

    def run(self, entries: Sequence[Site | Mark | Returned]) -> Outcome:
        """Play the entries of the loop's body."""
        first = next((entry.live for entry in entries if not isinstance(entry, Returned)), {})
        rare = {
            id(e) for e in entries if isinstance(e, Mark) and e.event.kind != "unknown_call" and self.model.sometimes(e)
        }
        # with accumulation one step of the cycle leaves gradients and the last one uses them: both are watched
        steps = (True, False, False, True) if rare else (True,) * STEPS
        watched = 2
        for step, whole in enumerate(steps):
            self.bound = first
            if step == watched:
                self.timeline.watch()
            self.outcome.batch = 0
            self.outcome.saved = {}
            for entry in entries:
                if whole or id(entry) not in rare:
                    self.play(entry)
            last = next((entry.live for entry in reversed(entries) if not isinstance(entry, Returned)), {})
            self.carry(last)
        self.timeline.settle()
        return self.outcome

    def play(self, entry: Site | Mark | Returned) -> None:
        if isinstance(entry, Returned):
            for array in entry.values:
                if id(array) in self.of:
                    self.of[id(array)].flying = True
            return
        self.sweep(entry.live)
        if isinstance(entry, Mark):
            self.mark(entry)
        else:
            self.site(entry)

    # what dies

    def sweep(self, live: Live) -> None:
        """Let go of what no name, no graph and no expression in progress holds."""
        for key in list(self.carried):
            if key in live and live[key] != self.bound.get(key):
                del self.carried[key]
        held = {id(self.of[id(a)]) for arrays in live.values() for a in arrays if id(a) in self.of}
        held |= {id(storage) for storages in self.carried.values() for storage in storages}
        for storage in list(self.timeline.living.values()):
            storage.named = id(storage) in held
            if not (storage.pinned or storage.saved or storage.flying or storage.named):
                self.timeline.free(storage)

    def carry(self, live: Live) -> None:
        """The end of a step: what the names hold lives on under their names."""
        for key, arrays in live.items():
            storages = tuple(self.of[id(a)] for a in arrays if id(a) in self.of)
            if storages:
                self.carried[key] = storages
        held = {id(storage) for storages in self.carried.values() for storage in storages}
        for storage in self.timeline.living.values():
            storage.flying, storage.named = False, id(storage) in held
        self.graph.drop({id(a) for arrays in live.values() for a in arrays}, self.released)
        self.of.clear()

    def released(self, storage: Storage) -> None:
        """A graph does not keep it any more."""
        if not (storage.saved or storage.pinned or storage.named or storage.flying):
            self.timeline.free(storage)

    # what happens

    def site(self, site: Site) -> None:
        """One operation: its result, what it keeps, its node in the graph."""
        model, timeline = self.model, self.timeline
        line = model.line(site)
        timeline.phase = "forward"
        if model.moves(site):
            for array in site.results:
                self.made(site, array, "batch", line)
            return
        doubt = model.doubt(site)
        if doubt:
            self.outcome.unknown.setdefault(line, doubt)
        effect = model.effect(site)
        if effect is None:
            self.outcome.unknown.setdefault(line, f"what `{site.op.rpartition('.')[2]}` does to memory is not known")
        weights = list(model.weights_of(site.layer)) if site.layer is not None else []
        timeline.transient(effect.temporary if effect is not None else (), line)
        output = effect.output if effect is not None else "new"
        for array in site.results:
            source = self.of.get(id(site.operands[0])) if site.operands else None
            if output in ("view", "inplace") and site.operands and model.parameter(site.operands[0]) is not None:
                continue
            if output in ("view", "inplace") and source is not None:
                self.of[id(array)] = source
                self.values.append(array)
                source.flying = True
            elif output != "none":
                self.made(site, array, "activations", line, effect.storage if effect is not None else None)
        self.connect(site, effect, weights, line)
        for array in site.operands:
            if id(array) in self.of and all(array is not result for result in site.results):
                storage = self.of[id(array)]
                storage.flying = any(self.of.get(id(result)) is storage for result in site.results)

    def made(self, site: Site, array: Array, role: Role, line: Hashable, storage_size: int | None = None) -> None:
        size = storage_size or self.model.size(array)
        if size is None:
            self.outcome.unknown.setdefault(line, f"the size of what `{site.op.rpartition('.')[2]}` gives is not known")
            return
        storage = self.timeline.allocate(size, role, line)
        storage.flying = True
        self.of[id(array)] = storage
        # the value must live as long as its identity stands for the storage
        self.values.append(array)
        if role == "batch":
            self.outcome.batch += size

    def connect(self, site: Site, effect: Effect | None, weights: list[Weight], line: Hashable) -> None:
        """The node of an operation, where a graph hangs on its result."""
        trained = [(weight.key, weight.size) for weight in weights if weight.trained and not weight.buffer]
        own = [weight for a in site.operands if (weight := self.model.parameter(a)) is not None and weight.trained]
        trained += [(weight.key, weight.size) for weight in own]
        inputs = [a for a in site.operands if self.graph.reaches(id(a))]
        if not site.grad or not (inputs or trained):
            return
        kept = self.kept(site, effect) if effect is not None else []
        if effect is not None:
            for size in effect.extra:
                kept.append(self.timeline.allocate(size, "activations", line))
        self.outcome.saved[line] = self.outcome.saved.get(line, 0) + sum(s.size for s in kept)
        view = effect is not None and effect.output == "view"
        passed = (
            {id(site.operands[n]) for n in effect.passes if n < len(site.operands)} if effect is not None else set()
        )
        wanted = tuple((id(a), self.model.size(a) or 0, view or id(a) in passed) for a in inputs)
        results = tuple(id(a) for a in site.results)
        backward = effect.backward if effect is not None else ()
        self.graph.add(Node(line, results, wanted, tuple(trained), tuple(kept), backward))

    def kept(self, site: Site, effect: Effect) -> list[Storage]:
        """The storages that backward needs, each once."""
        places: Mapping[str, int] = {"input": 0, "other": 1, "third": 2}
        found: dict[int, Storage] = {}
        for name in effect.keeps:
            if name in ("output", "indices"):
                arrays = site.results[name == "indices" :][:1]
            else:
                arrays = site.operands[places.get(name, 99) :][:1]
            for array in arrays:
                storage = self.of.get(id(array))
                if storage is not None:
                    found[id(storage)] = storage
        return list(found.values())

    def mark(self, mark: Mark) -> None:
        event, timeline = mark.event, self.timeline
        if event.kind == "unknown_call":
            self.unseen(mark)
        if event.kind == "backward":
            timeline.phase = "backward"
            self.outcome.forward = timeline.by_role()
            loss = event.subject
            if isinstance(loss, Array) and self.graph.reaches(id(loss)):
                self.graph.backward(id(loss), self.model.size(loss) or 4, self.released)
            else:
                self.outcome.unknown.setdefault(place_of(mark), "what `backward` starts from is not known")
        elif event.kind == "step":
            self.step(event.subject)
        elif event.kind == "zero_grad":
            self.graph.clear([weight.key for weight in self.model.optimized(event.subject)])

    def unseen(self, mark: Mark) -> None:
        """A call of something unknown that gets a tensor of the step."""
        event = mark.event
        if any(id(a) in self.of for value in event.args for a in held_by(value)):
            name = event.name or getattr(event.subject, "name", "")
            self.outcome.unknown.setdefault(place_of(mark), f"what `{name or 'a call'}` does is not known")

    def step(self, optimizer: Value) -> None:
        """`optimizer.step()`: its state appears with the first gradients."""
        timeline = self.timeline
        timeline.phase = "optimizer"
        weights = [w for w in self.model.optimized(optimizer) if w.key in self.graph.gradients]
        for weight in weights:
            if weight.key not in self.states:
                self.states.add(weight.key)
                for size in self.model.states(optimizer, weight):
                    timeline.allocate(size, "optimizer", ("optimizer", weight.key), pinned=True)
        timeline.transient(self.model.step_temporaries(optimizer, weights), ("optimizer", None))


def place_of(mark: Mark) -> tuple[str, int]:
    """The line of an event."""
    return mark.event.place.path, mark.event.place.line
