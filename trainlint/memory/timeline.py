"""Memory over the steps of a training loop: storages that live and die, the graph, the peak.

What autograd keeps for backward and what an operation allocates is told by `memory.saved`; when a tensor dies follows
from the tape (`analysis.tape`): it lives as long as a name, a list, a graph or the expression in progress holds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from trainlint.memory.allocator import CachingAllocator

if TYPE_CHECKING:
    from trainlint.memory.sharding import Shards, State

Role: TypeAlias = Literal[
    "parameters", "buffers", "gradients", "optimizer", "batch", "activations", "temporary", "workspace"
]
# what memory is billed to: a file and a 1-based line; None where no line of the program stands for it
Where: TypeAlias = "tuple[str, int] | None"
Phase: TypeAlias = Literal["setup", "forward", "backward", "optimizer"]


@dataclass(slots=True, eq=False)
class Storage:
    """A piece of device memory. `line` is what the user's code is billed with.

    `size` is what was asked for, `taken` what the allocator gives for it; `born` counts the storages.
    """

    size: int
    role: Role
    line: Where
    # how many operations keep it for their backward
    saved: int = 0
    # a result that no name holds yet, and whether one did when it was last looked
    flying: bool = False
    named: bool = False
    # parameters, buffers, states: they die only when told so
    pinned: bool = False
    dead: bool = False
    taken: int = 0
    born: int = 0


@dataclass(slots=True)
class Peak:
    """The largest sum of living bytes, by role and line (as taken, so that they add up), and where it was reached."""

    allocated: int = 0
    roles: dict[Role, int] = field(default_factory=dict)
    lines: dict[Where, int] = field(default_factory=dict)
    line: Where = None
    phase: Phase = "setup"
    # the lines of what may not have been there
    doubtful: set[Where] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Moment:
    """The living bytes, as taken, after a storage of `line` was made or died."""

    phase: Phase
    line: Where
    allocated: int
    roles: dict[Role, int]


def thinned(course: Sequence[Moment], most: int) -> list[Moment]:
    """About `most` moments in order: of each stretch the first one and the highest one, and every change of phase."""
    length = max(1, -(-2 * len(course) // most))
    kept: list[Moment] = []
    start = 0
    while start < len(course):
        end = start + 1
        while end < len(course) and end - start < length and course[end].phase == course[start].phase:
            end += 1
        stretch = course[start:end]
        highest = max(range(len(stretch)), key=lambda at: stretch[at].allocated)
        kept += [stretch[at] for at in sorted({0, highest})]
        start = end
    return kept


class Timeline:
    """The living storages of one device, the allocator behind them, and the peak since `watch`.

    With a `capacity` in bytes, `allocate` raises OutOfMemory where the allocator cannot serve it. `workspace` are the
    bytes that cuBLAS takes.
    """

    def __init__(self, capacity: int | None = None, workspace: int = 0) -> None:
        self.allocator = CachingAllocator(capacity)
        self.workspace = workspace
        self._threads: set[Phase] = set()
        self.living: dict[int, Storage] = {}
        self.phase: Phase = "setup"
        # set while something is played of which it is not known whether it runs; what lives of that, with its line
        self.doubting = False
        self.doubtful: dict[int, Where] = {}
        self.peak = Peak()
        # after each event, where it is recorded
        self.course: list[Moment] | None = None
        self._rising = False
        self._line: Where = None
        self._count = 0
        # living bytes as taken
        self._roles: dict[Role, int] = {}
        self._lines: dict[Where, int] = {}

    def allocate(self, size: int, role: Role, line: Where, *, pinned: bool = False) -> Storage:
        """A new storage of `size` bytes."""
        self._count += 1
        storage = Storage(size, role, line, pinned=pinned, born=self._count)
        if self.doubting and role != "workspace":
            self.doubtful[id(storage)] = line
        self.living[id(storage)] = storage
        storage.taken = self.allocator.allocate(id(storage), size)
        self._roles[role] = self._roles.get(role, 0) + storage.taken
        self._lines[line] = self._lines.get(line, 0) + storage.taken
        if self.allocator.allocated > self.peak.allocated:
            self.peak.allocated = self.allocator.allocated
            self._rising, self._line = True, line
            self.peak.phase = self.phase
        if self.course is not None:
            self._record(line)
        return storage

    def work(self, thread: Phase) -> None:
        """A product of matrices: the first one of each thread takes a workspace that is kept.

        PyTorch has a handle of cuBLAS for each thread (ATen/cuda/detail/DeviceThreadHandles.h), and backward runs in
        one of its own; `getNewWorkspace` in snapshots of real training shows both.
        """
        if thread not in self._threads:
            self._threads.add(thread)
            self.allocate(self.workspace, "workspace", None, pinned=True)

    def free(self, storage: Storage) -> None:
        """The storage dies; freeing it twice changes nothing."""
        if storage.dead:
            return
        self.settle()
        storage.dead = True
        del self.living[id(storage)]
        self.doubtful.pop(id(storage), None)
        self._roles[storage.role] -= storage.taken
        self._lines[storage.line] -= storage.taken
        self.allocator.free(id(storage))
        if self.course is not None:
            self._record(storage.line)

    def _record(self, line: Where) -> None:
        if self.course is not None:
            self.course.append(Moment(self.phase, line, self.allocator.allocated, self._roles.copy()))

    def settle(self) -> None:
        """Write down what is alive where the sum has just been higher than ever."""
        if not self._rising:
            return
        self._rising = False
        self.peak.line = self._line
        self.peak.doubtful = set(self.doubtful.values())
        self.peak.roles = {role: taken for role, taken in self._roles.items() if taken}
        # most often overtaken by the next request, so `close` drops the entries of nothing
        self.peak.lines = self._lines.copy()

    def close(self) -> None:
        """The last step is over: what follows does not count."""
        self.settle()
        self.peak.lines = {line: taken for line, taken in self.peak.lines.items() if taken}

    def watch(self, record: bool = False) -> None:
        """Forget the peak so far: what follows is the step that is reported, and recorded if so wanted."""
        self.settle()
        self.course = [] if record else None
        self.peak = Peak(self.allocator.allocated, phase=self.phase)
        self._rising, self._line = True, None
        self.allocator.peak_reserved = self.allocator.reserved

    def by_role(self) -> dict[Role, int]:
        """Living bytes by role, as asked for."""
        roles: dict[Role, int] = {}
        for storage in self.living.values():
            roles[storage.role] = roles.get(storage.role, 0) + storage.size
        return roles

    def by_line(self, *roles: Role) -> dict[Where, int]:
        """Living bytes of these roles by line, as asked for."""
        lines: dict[Where, int] = {}
        for storage in self.living.values():
            if storage.role in roles:
                lines[storage.line] = lines.get(storage.line, 0) + storage.size
        return lines

    def transient(self, sizes: Iterable[int], line: Where, role: Role = "temporary") -> None:
        """Storages that live together and only for a moment."""
        for storage in [self.allocate(size, role, line) for size in sizes]:
            self.free(storage)


@dataclass(slots=True, eq=False)
class Node:
    """An operation in the graph: what its backward needs and where the gradients go."""

    line: Where
    # the results, by the identity of their values
    results: tuple[int, ...]
    # operands that a gradient is wanted for: identity, bytes, and whether it is that of the result or a view of it
    inputs: tuple[tuple[int, int, bool], ...]
    # keys and bytes of the trained weights of the layer
    weights: tuple[tuple[Hashable, int], ...]
    keeps: tuple[Storage, ...]
    temporary: tuple[int, ...]
    # does its backward multiply matrices?
    product: bool = False
    # are the gradients of its weights views, to which no second one is added in place?
    turned: bool = False
    # bytes of the zeros that stand for the gradient of a result that nobody used
    fills: tuple[int, ...] = ()
    # what cuDNN takes for each of the gradients
    workspace: int = 0
    # computes again what it needs, before its backward; is told of the gradients on their way
    again: Callable[[Mapping[int, Storage]], None] | None = None
    done: bool = False
    # the sharded units that it belongs to, outermost first
    units: Sequence[State] = ()

    def keep(self, storages: Iterable[Storage]) -> None:
        """Keep more until the backward is done."""
        more = tuple(storages)
        self.keeps = (*self.keeps, *more)
        for storage in more:
            storage.saved += 1


class Graph:
    """The autograd graph of the step in progress."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.makers: dict[int, Node] = {}
        self.nodes: list[Node] = []
        # how many nodes hand a gradient to a value
        self.uses: Counter[int] = Counter()
        # identities of values are positive
        self._aged = 0
        # the gradients of parameters, by key
        self.gradients: dict[Hashable, Storage] = {}
        # where the gradients of parameters are copied to as soon as they are there
        self.buckets: dict[Hashable, Storage] = {}
        # those of sharded parameters that are not reduced yet
        self.unsharded: dict[Hashable, Storage] = {}
        self.shards: Shards | None = None
        # of the backward in progress: how many gradients of a weight are to come, what came, and as a view
        self._pending: Counter[Hashable] = Counter()
        self._partial: dict[Hashable, Storage] = {}
        self._turned: dict[Hashable, bool] = {}

    def add(self, node: Node) -> None:
        self.nodes.append(node)
        for result in node.results:
            self.makers[result] = node
        self.uses.update(identity for identity, _, _ in node.inputs)
        for storage in node.keeps:
            storage.saved += 1

    def reaches(self, identity: int) -> bool:
        """Does a graph hang on a value?"""
        return identity in self.makers

    def backward(self, loss: int, size: int, release: Callable[[Storage], None], keep: bool = False) -> None:
        """Run backward from a value of `size` bytes. `release` is told of each storage that is no longer kept."""
        wanted = self._ancestors(loss)
        timeline = self.timeline
        self._pending = Counter(key for node in self.nodes if id(node) in wanted for key, _ in node.weights)
        first = self.makers[loss].line if loss in self.makers else None
        flowing: dict[int, Storage] = {loss: timeline.allocate(size, "temporary", first)}
        nodes = [n for n in reversed(self.nodes) if id(n) in wanted]
        shards = self.shards
        if shards is not None:
            shards.begin(nodes)
        for node in nodes:
            if shards is not None:
                shards.before(node)
            if node.again is not None:
                node.again(flowing)
            made, fresh = self._one(node, flowing)
            if not keep:
                # before gradients are added up (`evaluate_function` in torch/csrc/autograd/engine.cpp)
                node.done = True
                for storage in node.keeps:
                    storage.saved -= 1
                    release(storage)
            for (identity, size, _), storage in zip(node.inputs, made, strict=True):
                self._flow(flowing, identity, storage, size, node.line)
            for key, gradient in fresh:
                self._arrive(key, gradient, node)
            if shards is not None:
                shards.after(node)
        if shards is not None:
            shards.end()
        for storage in flowing.values():
            timeline.free(storage)
        if not keep:
            self._tidy()

    def _one(self, node: Node, flowing: dict[int, Storage]) -> tuple[list[Storage], list[tuple[Hashable, Storage]]]:
        """The backward of one operation: gradients of its operands and weights appear, that of its result goes.

        Gives the gradients of the operands and those of the weights with their keys.
        """
        timeline = self.timeline
        if node.product:
            timeline.work("backward")
        fills = [n for result, n in zip(node.results, node.fills, strict=False) if result not in flowing]
        incoming = [flowing.pop(result) for result in node.results if result in flowing]
        zeros = [timeline.allocate(size, "temporary", node.line) for size in fills]
        passes = incoming[0] if len(incoming) == 1 else None
        made = [
            passes if passes is not None and shared else timeline.allocate(size, "temporary", node.line)
            for _, size, shared in node.inputs
        ]
        fresh = [(key, timeline.allocate(size, "gradients", node.line)) for key, size in node.weights]
        timeline.transient(node.temporary, node.line)
        if node.workspace and (made or fresh):
            timeline.transient((node.workspace,), node.line, "workspace")
        for storage in zeros:
            timeline.free(storage)
        given = {id(storage) for storage in made}
        for storage in incoming:
            # a sum hands one gradient to both of its operands
            if id(storage) not in given:
                self._unless_shared(flowing, storage)
        return made, fresh

    def _arrive(self, key: Hashable, gradient: Storage, node: Node) -> None:
        """A gradient of a weight: those of all uses are added up before they reach the weight."""
        if self.shards is not None and key in self.shards.keys:
            gradient.pinned = True
            if self.unsharded.setdefault(key, gradient) is not gradient:
                self.timeline.free(gradient)
            return
        self._pending[key] -= 1
        first, whole = self._partial.pop(key, None), gradient
        if first is not None and self._turned.pop(key, False):
            whole = self.timeline.allocate(gradient.size, "gradients", node.line)
            self.timeline.free(first)
            self.timeline.free(gradient)
        elif first is not None:
            whole = first
            self.timeline.free(gradient)
        if self._pending[key] > 0:
            self._partial[key] = whole
            if first is None:
                self._turned[key] = node.turned
        elif key in self.gradients or key in self.buckets:
            # accumulated into the one that is there, or copied into its bucket
            self.gradients[key] = self.gradients.get(key) or self.buckets[key]
            self.timeline.free(whole)
        else:
            whole.pinned = True
            self.gradients[key] = whole

    def _flow(self, flowing: dict[int, Storage], identity: int, new: Storage, size: int, line: Where) -> None:
        """A gradient arrives; a second one is added to the first.

        In place where the first owns its storage, else into a new one (torch/csrc/autograd/input_buffer.cpp).
        """
        old = flowing.get(identity)
        if old is None:
            flowing[identity] = new
            return
        if old is not new and old.size == size and sum(other is old for other in flowing.values()) == 1:
            self._unless_shared(flowing, new)
            return
        flowing[identity] = self.timeline.allocate(size, "temporary", line)
        self._unless_shared(flowing, old)
        self._unless_shared(flowing, new)

    def _unless_shared(self, flowing: dict[int, Storage], storage: Storage) -> None:
        if not storage.saved and all(other is not storage for other in flowing.values()):
            self.timeline.free(storage)

    def clear(self, keys: Iterable[Hashable]) -> None:
        """`zero_grad(set_to_none=True)`."""
        for key in list(keys):
            gradient = self.gradients.pop(key, None)
            # a part of sharded gradients is that of several parameters
            shared = self.shards is not None and gradient in self.gradients.values()
            if gradient is not None and key not in self.buckets and not shared:
                self.timeline.free(gradient)

    def _ancestors(self, loss: int) -> set[int]:
        found: set[int] = set()
        waiting = [loss]
        while waiting:
            node = self.makers.get(waiting.pop())
            if node is not None and id(node) not in found:
                found.add(id(node))
                waiting += [identity for identity, _, _ in node.inputs]
        return found

    def drop(self, alive: set[int], release: Callable[[Storage], None]) -> None:
        """Graphs that hang on nothing alive die without a backward."""
        needed: set[int] = set()
        for identity in alive:
            needed |= self._ancestors(identity)
        for node in self.nodes:
            if id(node) not in needed:
                node.done = True
                for storage in node.keeps:
                    storage.saved -= 1
                    release(storage)
        self._tidy()

    def forget(self, identity: int, lives: Callable[[int], bool], release: Callable[[Storage], None]) -> None:
        """A value is gone: its operation dies where nothing else needs it, and what only it needed."""
        waiting = [identity]
        while waiting:
            node = self.makers.get(waiting.pop())
            if node is None or any(self.uses[result] or lives(result) for result in node.results):
                continue
            node.done = True
            for storage in node.keeps:
                storage.saved -= 1
                release(storage)
            for result in node.results:
                self.makers.pop(result, None)
            self.uses.subtract(given for given, _, _ in node.inputs)
            waiting += [given for given, _, _ in node.inputs]

    def age(self) -> dict[int, int]:
        """A step is over: values of the next one have the same identities, those of this one get others.

        Gives the new identities by the old ones.
        """
        found: dict[int, int] = {}
        for node in self.nodes:
            for identity in (*node.results, *(given for given, _, _ in node.inputs)):
                if identity not in found:
                    self._aged -= 1
                    found[identity] = self._aged
        for node in self.nodes:
            node.results = tuple(found[identity] for identity in node.results)
            node.inputs = tuple((found[identity], size, shared) for identity, size, shared in node.inputs)
        self.makers = {result: node for node in self.nodes for result in node.results}
        self._tidy()
        return found

    def _tidy(self) -> None:
        """Strike the operations whose backward is done, or will never be."""
        self.nodes = [n for n in self.nodes if not n.done]
        self.makers = {key: n for key, n in self.makers.items() if not n.done}
        self.uses = Counter(identity for n in self.nodes for identity, _, _ in n.inputs)


def total(roles: dict[Role, int], *names: Role) -> int:
    """The bytes of some roles."""
    return sum(roles.get(name, 0) for name in names)
