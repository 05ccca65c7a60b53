"""Plays a recorded training loop on a timeline: three steps, of which the third is the steady one.

The loop's body was interpreted once. Each step allocates its tensors anew; what the names held at the end of the step
before dies where the body binds the name again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from trainlint.analysis.arrays import Array
from trainlint.analysis.classes import flatten
from trainlint.analysis.facts import Cond, Loop
from trainlint.analysis.rounds import is_backward
from trainlint.analysis.tape import Entry, Live, Mark, Returned, Round, Settled, Site, held_by
from trainlint.analysis.values import Const, Place, Value
from trainlint.memory import clipping
from trainlint.memory.book import Book, members_of
from trainlint.memory.holders import Holders
from trainlint.memory.placing import MOVES, Placing
from trainlint.memory.plan import AS_WRITTEN, Plan
from trainlint.memory.precision import doubt, kept_casts
from trainlint.memory.recompute import Segment
from trainlint.memory.saved import Effect
from trainlint.memory.sizes import Sizes
from trainlint.memory.stretch import Line, Stretch
from trainlint.memory.timeline import Graph, Node, Role, Storage, Timeline, Where, total
from trainlint.memory.wiring import effect_of, is_product
from trainlint.syntax import ir

# which steps also do what happens in some only; the last two are watched. With accumulation one step of the cycle
# leaves gradients and another one uses them
PLAIN = (True, True, True)
CYCLE = (True, False, False, True)
MAYBE = "whether this line runs is not known"
MADE: tuple[Role, ...] = ("activations", "temporary")
PLACES = {"input": 0, "other": 1, "third": 2, "fourth": 3}


@dataclass(slots=True)
class Outcome:
    """The steady step. Everything is bytes; `unknown` says what could not be followed, by line."""

    timeline: Timeline
    # living just before the backward that finds most, by role, and what of it the step itself made, by line
    forward: dict[Role, int] = field(default_factory=dict)
    held: dict[Where, int] = field(default_factory=dict)
    # what each operation keeps for backward, by the identity of its site
    kept: dict[int, tuple[Storage, ...]] = field(default_factory=dict)
    batch: int = 0
    # the keys of the parameters that backward gave a gradient
    trained: set[Hashable] = field(default_factory=set)
    lines: dict[Where, Line] = field(default_factory=dict)
    unknown: dict[Where, str] = field(default_factory=dict)


class Playback:
    """One training loop on one device."""

    def __init__(
        self,
        book: Book,
        loop: Loop,
        placing: Placing,
        sizes: Sizes,
        heed: Callable[[], None] | None = None,
        plan: Plan = AS_WRITTEN,
    ) -> None:
        """`heed` is called before each operation; an error that it raises ends the playback."""
        self.book = book
        self.heed = heed
        self.placing = placing
        self.loop = loop
        self.sizes = sizes
        self.plan = plan
        self.timeline = Timeline(plan.capacity, plan.workspace)
        self.graph = Graph(self.timeline)
        self.outcome = Outcome(self.timeline)
        self.holders = Holders(self.timeline, self.graph, self.before)
        # what the operations do, found in the first step
        self.effects: dict[int, Effect | None] = {}
        # what was done since the last backward, and the most before any of the step
        self.stretch, self.most = Stretch(), Stretch()
        # the lines of what lives before backward and of which it is not known whether it was made
        self.perhaps: set[Where] = set()
        # the checkpointed calls of the step
        self.segments: dict[int, Segment] = {}
        # the tests of the conditions that hold in the rounds with a step only
        self.cycle: set[int] = set()
        # what happens in the rounds with a step only
        self.rare: set[int] = set()
        # is there a backward in the other rounds?
        self.always = True
        # each optimizer with the parameters whose state it has made, and the optimizers that have made what they share
        self.states: set[Hashable] = set()
        for tensor in book.tensors:
            role: Role = "buffers" if tensor.buffer else "parameters"
            self.timeline.allocate(book.local(tensor).size, role, tensor.line, pinned=True)
        self.shards = book.shards()
        if self.shards is not None:
            self.shards.timeline, self.shards.graph, self.graph.shards = self.timeline, self.graph, self.shards
        for bucket, line in book.buckets:
            storage = self.timeline.allocate(bucket.size, "workspace", line, pinned=True)
            self.graph.buckets.update((key, storage) for key in bucket.keys if bucket.views)

    def run(self, entries: Sequence[Entry]) -> Outcome:
        """Play the entries of the loop's body. Raises OutOfMemory where the capacity does not suffice."""
        lives = [entry.live for entry in entries if not isinstance(entry, Returned)] or [{}]
        self.cycle = {id(cond.test) for entry in entries if isinstance(entry, Mark) for cond in self.sometimes(entry)}
        entries = [entry for entry in entries if not any(map(self.seldom, self.conds(entry)))]
        rare = {id(e) for e in entries if any(id(cond.test) in self.cycle for cond in self.conds(e))}
        if self.plan.accumulate:
            rare |= {id(e) for e in entries if isinstance(e, Mark) and e.event.kind in ("step", "zero_grad")}
        steps = CYCLE if rare else PLAIN
        self.rare = rare
        self.always = any(is_backward(entry) and id(entry) not in rare for entry in entries)
        made = {id(a) for e in entries if isinstance(e, Site) and id(e) in rare for a in e.results}
        targets = bound_by(self.loop)
        self.stand(lives[0])
        for step, whole in enumerate(steps):
            # what happens in some rounds only is not made anew in the others
            self.holders.begin(lives[0], set() if whole else made, targets)
            if step == 2:
                self.timeline.watch(self.plan.record)
                self.outcome.forward, self.outcome.held = {}, {}
            self.segments = {}
            self.stretch, self.most, self.outcome.kept = Stretch(), Stretch(), {}
            for entry in entries:
                if whole or id(entry) not in rare:
                    self.play(entry)
            self.most.most(self.stretch)
            self.holders.carry(lives[0], lives[-1])
        self.outcome.lines, self.outcome.batch = self.most.lines, self.most.moved.total()
        self.timeline.close()
        # what is gone at the peak and before backward changes neither, whether it was there or not
        for line in sorted(self.perhaps | self.timeline.peak.doubtful, key=str):
            self.outcome.unknown.setdefault(line, MAYBE)
        return self.outcome

    def sometimes(self, mark: Mark) -> tuple[Cond, ...]:
        """The conditions under which a step happens or gradients go: every k-th round, with accumulation."""
        return mark.event.conds_in(self.loop) if mark.event.kind in ("step", "zero_grad") else ()

    def conds(self, entry: Entry) -> list[Cond]:
        """The conditions between the head of the loop and an entry that are not decided."""
        if isinstance(entry, (Returned, Round, Settled)):
            return []
        depth = entry.loops.index(self.loop) + 1
        conds = entry.conds if isinstance(entry, Site) else entry.event.conds
        return [cond for level, cond in conds if level >= depth]

    def seldom(self, cond: Cond) -> bool:
        """Does a condition hold in a few rounds only: an evaluation, a message, the last batch?"""
        if id(cond.test) in self.cycle or cond.kind == "other":
            return False
        return cond.holds != inverted(cond.test)

    def play(self, entry: Entry) -> None:
        if self.heed is not None:
            self.heed()
        self.timeline.doubting = False
        if isinstance(entry, Returned):
            self.holders.returned(entry.values)
            return
        if isinstance(entry, Settled):
            self.holders.consumed(entry.values)
        self.holders.sweep(entry.live)
        if self.shards is not None:
            self.shards.at(entry if isinstance(entry, Site) else None)
        if isinstance(entry, Mark):
            self.mark(entry)
        elif isinstance(entry, Site):
            self.site(entry)

    def stand(self, live: Live) -> None:
        """What lies on the GPU before the first step: data, buffers, the first batch."""
        for array in (array for arrays in live.values() for array in arrays):
            maker = self.placing.made.get(id(array))
            if maker is None or id(array) in self.holders.of or array.source is not None or not self.before(array):
                continue
            place = (maker.file.path, Place(maker.file.path, maker.node).line)
            self.made(maker, array, "batch" if maker.op in MOVES else "activations", place)
        self.holders.keep(live)

    def before(self, array: Array) -> bool:
        """Was a tensor put on the GPU before the loop?"""
        maker = self.placing.made.get(id(array))
        return maker is not None and self.loop not in maker.loops

    def site(self, site: Site) -> None:
        """One operation: its result, what it keeps, its node in the graph."""
        place = (site.file.path, Place(site.file.path, site.node).line)
        line = self.stretch.lines.setdefault(place, Line())
        line.what = site.op.removeprefix("Tensor.").removeprefix("operator.")
        line.shape = self.sizes.shape(site.results[0].shape)
        self.timeline.phase = "forward"
        if not any(self.placing.on(array) for array in (*site.results, *site.operands)):
            return
        if site.op in MOVES and not self.book.weighs(site) and not any(map(self.placing.on, site.operands)):
            for array in site.results:
                moved = self.made(site, array, "batch", place)
                # what is moved in some rounds only are batches of others, unless backward too is run in these only
                apart = (id(site) in self.rare and self.always) or self.optional(site)
                self.stretch.moved[call_of(site)] += 0 if apart else moved
            return
        if any(array.lib == "torch" and not self.placing.on(array) for array in site.results):
            # a copy for the host
            return
        if doubt := self.doubt(site):
            self.outcome.unknown.setdefault(place, doubt)
        self.timeline.doubting = self.optional(site)
        if self.timeline.doubting and site.grad:
            self.outcome.unknown.setdefault(place, MAYBE)
        if site.op in clipping.BY_NORM or site.op in clipping.BY_VALUE:
            self.clip(site, place)
            return
        effect = self.effect(site)
        if effect is None:
            self.outcome.unknown.setdefault(place, self.unclear(site))
            effect = Effect("new")
        elif stranger := self.stranger(site):
            self.outcome.unknown.setdefault(place, stranger)
        if is_product(site.op):
            self.timeline.work("forward")
        self.timeline.transient(effect.temporary, place)
        line.temporary += sum(effect.temporary) + sum(effect.backward)
        segment = self.segment(site, effect)
        line.output += self.results(site, effect, place)
        self.work(effect, place)
        self.connect(site, effect, place, segment)
        self.holders.consumed((*site.operands, *site.casts), site.results)

    def work(self, effect: Effect, place: Where) -> None:
        """The workspace of a convolution: it is requested when the result is there (ATen/native/cudnn/Conv_v8.cpp)."""
        if self.plan.convolutions and effect.workspace:
            self.timeline.transient((effect.workspace,), place, "workspace")

    def effect(self, site: Site) -> Effect | None:
        """What the operation does to memory, in numbers; the same in every step."""
        if id(site) not in self.effects:
            self.effects[id(site)] = effect_of(site, self.sizes, self.book.weights(site))
        return self.effects[id(site)]

    def clip(self, site: Site, place: Where) -> None:
        """Gradients are clipped in place."""
        given = site.positional[0] if site.positional else site.named.get("parameters")
        members = members_of(given)
        if members is None:
            self.outcome.unknown.setdefault(place, f"which gradients `{short(site)}` clips is not known")
        gradients = [self.book.local(t).size for t in self.book.inside(members or ()) if t.key in self.graph.gradients]
        self.timeline.transient(clipping.temporaries(site.op, gradients), place)
        for array in site.results if site.op in clipping.BY_NORM else ():
            self.made(site, array, "temporary", place, clipping.NORM)

    def doubt(self, site: Site) -> str:
        """Why it is not known how often an operation runs in a step, or in which precision; empty where it is."""
        if site.loops[-1] is not self.loop and site.grad:
            return f"how often the loop of line {site.loops[-1].place.line} runs is not known"
        return doubt(site)

    def optional(self, site: Site) -> bool:
        """Is it not known whether an operation runs?"""
        return any(cond.kind == "other" and id(cond.test) not in self.cycle for cond in self.conds(site))

    def stranger(self, site: Site) -> str:
        """Why it is not known where an operand with a graph comes from; empty where all are known."""
        if not site.grad:
            return ""
        of = self.holders.of
        for array in site.operands:
            known = id(array) in of or self.graph.reaches(id(array)) or self.book.of_value(array) is not None
            if array.grad is True and not known and not self.before(array):
                return f"where what goes into `{short(site)}` comes from is not known"
        return ""

    def segment(self, site: Site, effect: Effect) -> Segment | None:
        """The checkpointed call that an operation with a graph belongs to."""
        if site.region is None or not site.grad:
            return None
        segment = self.segments.setdefault(id(site.region), Segment(site.region))
        segment.enter(site, effect, self.holders.of)
        return segment

    def compute_again(self, segment: Segment, flowing: Mapping[int, Storage]) -> None:
        """The forward of a checkpointed call during backward; its operations now keep what they need."""
        if segment.again:
            return
        segment.again = True
        outer = self.holders.of
        self.holders.of = {key: storage for key, storage in outer.items() if key not in segment.made}
        uses, last = segment.uses(), dict[Storage, int]()
        # the results of the call, which only the reentrant way keeps
        unused = len(segment.sites) if segment.region.reentrant else -1
        for number, (site, effect) in enumerate(segment.needed()):
            place = (site.file.path, Place(site.file.path, site.node).line)
            self.timeline.transient(effect.temporary, place)
            self.results(site, effect, place)
            self.work(effect, place)
            node = segment.nodes.get(id(site))
            if node is not None:
                node.keep(self.kept(site, effect))
                node.keep(self.timeline.allocate(size, "activations", place) for size in effect.extra)
            for array in site.results:
                storage = self.holders.of.get(id(array))
                if storage is not None and storage not in segment.inputs:
                    last[storage] = max(last.get(storage, -1), uses.get(id(array), unused))
            self.spent(last, [each for each, use in last.items() if use <= number])
        segment.keep_results(self.holders.of, flowing)
        self.spent(last, list(last))
        self.holders.of = outer

    def spent(self, last: dict[Storage, int], storages: list[Storage]) -> None:
        for storage in storages:
            del last[storage]
            storage.flying = False
            self.holders.released(storage)

    def unclear(self, site: Site) -> str:
        """Why the effect of an operation is not known, in a sentence."""
        if any(self.sizes.shape(array.shape) is None for array in site.operands):
            return f"the size of what goes into `{short(site)}` is not known"
        if any(self.sizes.shape(array.shape) is None for array in site.results):
            return f"the size of what `{short(site)}` gives is not known"
        return f"what `{short(site)}` does to memory is not known"

    def results(self, site: Site, effect: Effect, place: Where) -> int:
        """The storages of the results: their own, or that of the first operand; gives the bytes of new ones."""
        total = 0
        shares = effect.output in ("view", "inplace") and bool(site.operands)
        source = self.holders.of.get(id(site.operands[0])) if shares else None
        for array in site.results:
            if source is not None:
                self.holders.put(array, source)
            elif shares and self.book.stands(site.operands[0]):
                # a view of a parameter or buffer, which is there anyway
                self.book.add_view(array)
            elif effect.output != "none":
                total += self.made(site, array, "activations", place, effect.storage)
        return total

    def made(self, site: Site, array: Array, role: Role, place: Where, size: int | None = None) -> int:
        """A new storage for a result; gives its bytes."""
        size = size or self.sizes.bytes_of(array)
        if size is None:
            self.outcome.unknown.setdefault(place, f"the size of what `{short(site)}` gives is not known")
            return 0
        self.holders.put(array, self.timeline.allocate(size, role, place))
        return size

    def connect(self, site: Site, effect: Effect, place: Where, segment: Segment | None) -> None:
        """The node of an operation, where a graph hangs on its result."""
        weights = tuple((t.key, t.size) for t in self.book.used(site))
        inputs = [array for array in (*site.operands, *site.casts) if self.graph.reaches(id(array))]
        if not site.grad or not (inputs or weights) or all(array.grad is False for array in site.results):
            return
        if segment is None:
            kept = self.kept(site, effect)
            kept += [self.timeline.allocate(size, "activations", place) for size in effect.extra]
        else:
            kept = []
            self.timeline.transient(effect.extra, place)
        self.stretch.lines[place].saved += sum(storage.size for storage in kept)
        whole = id(site.whole or site)
        self.outcome.kept[whole] = (*self.outcome.kept.get(whole, ()), *kept)
        sizes = self.sizes
        dtype = sizes.dtype(site.results[0])
        passed = {id(site.operands[n]) for n in effect.passes if n < len(site.operands)}
        # a gradient of another dtype is a copy
        passed = {id(a) for a in site.operands if id(a) in passed and sizes.dtype(a) == dtype}
        view = effect.output == "view"
        wanted = tuple((id(a), sizes.bytes_of(a) or 0, view or id(a) in passed) for a in inputs)
        results = tuple(id(a) for a in site.results)
        product = is_product(site.op)
        turned = site.op.endswith(("Linear", "linear"))
        node = Node(place, results, wanted, weights, tuple(kept), effect.backward, product, turned, effect.fills)
        if self.shards is not None:
            node.units = tuple(self.shards.stack)
        node.workspace = effect.workspace if self.plan.convolutions else 0
        self.graph.add(node)
        if segment is not None:
            segment.graph(site, node)
            node.again = partial(self.compute_again, segment)

    def kept(self, site: Site, effect: Effect) -> list[Storage]:
        """The storages that backward needs, each once; those of parameters are there anyway."""
        arrays = [site.operands[PLACES[name]] for name in effect.keeps if PLACES.get(name, 99) < len(site.operands)]
        arrays += kept_casts(site, "weight" in effect.keeps)
        arrays += site.results[:1] if "output" in effect.keeps else ()
        arrays += site.results[1:2] if "indices" in effect.keeps else ()
        return list(dict.fromkeys(self.holders.under(arrays)))

    def mark(self, mark: Mark) -> None:
        event = mark.event
        if event.kind == "unknown_call":
            self.unseen(mark)
        elif event.kind == "backward":
            self.backward(mark)
        elif event.kind == "step":
            self.step(event.subject, place_of(mark))
        elif event.kind == "zero_grad" and (self.plan.set_to_none or not is_constant(event.value, False)):
            self.graph.clear([tensor.key for tensor in self.book.cleared(event.subject)])

    def backward(self, mark: Mark) -> None:
        self.timeline.phase = "backward"
        self.most.most(self.stretch)
        self.stretch = Stretch()
        forward = self.timeline.by_role()
        if total(forward, *MADE) > total(self.outcome.forward, *MADE):
            self.outcome.forward = forward
            self.outcome.held = self.timeline.by_line("batch", *MADE)
            self.perhaps = set(self.timeline.doubtful.values())
        loss = mark.event.subject
        if not isinstance(loss, Array) or not self.graph.reaches(id(loss)):
            self.outcome.unknown.setdefault(place_of(mark), "what `backward` starts from is not known")
            return
        keep = any(is_constant(value, True) for value in mark.event.args)
        self.graph.backward(id(loss), self.sizes.bytes_of(loss) or 4, self.holders.released, keep)
        self.outcome.trained |= self.graph.gradients.keys()

    def unseen(self, mark: Mark) -> None:
        """A call of something unknown that gets a tensor of the step."""
        event = mark.event
        if any(id(a) in self.holders.of for value in event.args for a in held_by(value)):
            name = event.name or getattr(event.subject, "name", "")
            self.outcome.unknown.setdefault(place_of(mark), f"what `{name or 'a call'}` does is not known")

    def step(self, optimizer: Value, place: Where) -> None:
        """`optimizer.step()`: its state appears with the first gradients."""
        timeline, book = self.timeline, self.book
        timeline.phase = "optimizer"
        for group in book.groups(optimizer):
            tensors = [t for t in book.inside(group.members) if t.key in self.graph.gradients]
            tensors = book.own(optimizer, tensors)
            stateless = [t for t in tensors if (id(optimizer), t.key) not in self.states]
            sizes = [size for tensor in stateless for size in book.states(optimizer, group, tensor)]
            if id(optimizer) not in self.states:
                sizes += book.shared(optimizer, group, tensors)
            self.states |= {id(optimizer), *((id(optimizer), t.key) for t in tensors)}
            for size in sizes:
                timeline.allocate(size, "optimizer", place, pinned=True)
            timeline.transient(book.temporaries(optimizer, group, tensors), place)


def bound_by(loop: Loop) -> set[str]:
    """The names that a loop binds itself, to what it goes over."""
    targets: list[ir.Expr] = []
    if isinstance(loop.node, ir.For):
        flatten(loop.node.target, targets)
    return {target.id for target in targets if isinstance(target, ir.Name)}


def inverted(test: ir.Expr) -> bool:
    """`i % k != 0` and `i % k` hold in most rounds."""
    while isinstance(test, ir.BoolOp):
        test = test.left
    return test.ops == ("!=",) if isinstance(test, ir.Compare) else isinstance(test, ir.BinOp)


def short(site: Site) -> str:
    """The name of an operation as a person writes it."""
    return site.op.rpartition(".")[2]


def call_of(site: Site) -> tuple[int, ...]:
    """The call of an operation, with those that lead to it."""
    return (*map(id, site.via), id(site.node))


def is_constant(value: Value | None, wanted: bool) -> bool:
    return isinstance(value, Const) and value.value is wanted


def place_of(mark: Mark) -> tuple[str, int]:
    """The line of an event."""
    return mark.event.place.path, mark.event.place.line
