"""Sharded modules in a step: gathered for their forward and backward, their gradients reduced and scattered.

What is alive when, as `FSDPParamGroup` does it (torch/distributed/fsdp/_fully_shard/_fsdp_param_group.py and
`_fsdp_collectives.py`), and for flat units `FullyShardedDataParallel` (torch/distributed/fsdp/_runtime_utils.py): the
buffer of a gathering lives until the next one in the forward, the next unit is gathered before the backward of one
begins, and the input of a reduction lives until the next reduction. NCCL's own memory is not among it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from trainlint.analysis.arrays import Array
from trainlint.analysis.tape import Site
from trainlint.memory.timeline import Graph, Node, Storage, Timeline
from trainlint.memory.units import Unit
from trainlint.memory.weights import Weight


def local(weight: Weight, processes: int) -> Weight:
    """The part of a parameter that the first process has, which no other one is larger than: it is cut along axis 0."""
    if not weight.shape:
        return weight
    first, *others = weight.shape
    return Weight((-(-first // processes), *others), weight.itemsize)


@dataclass(slots=True, eq=False)
class State:
    """Where a unit stands in the step. `whole` are its gathered parameters, `buffer` what they are gathered into."""

    unit: Unit
    whole: list[Storage] = field(default_factory=list)
    buffer: Storage | None = None
    # operations whose backward is still to come, and whether nothing asks for the gradient of what goes in
    waiting: int = 0
    closed: bool = False
    begun: bool = False


class Shards:
    """The units of a model in one playback."""

    def __init__(self, units: Sequence[Unit], weights: Mapping[Hashable, Weight], processes: int) -> None:
        """`weights` are the whole parameters by key."""
        self.weights = weights
        self.processes = processes
        self.states = [State(unit) for unit in units]
        self.keys = {key for unit in units for key in unit.keys}
        self.stack: list[State] = []
        # in the order in which their forwards ended
        self.order: list[State] = []
        # the buffer of the last gathering in the forward, and the input of the last reduction
        self.gathered: Storage | None = None
        self.reduced: Storage | None = None
        self._chains: dict[int, list[State]] = {}
        self.timeline: Timeline
        self.graph: Graph

    def sizes(self, state: State) -> list[int]:
        """Bytes of the gathered parameters: all parts are as large as the largest."""
        if state.unit.flat:
            whole = sum(self.weights[key].size for key in state.unit.keys)
            width = max((self.weights[key].itemsize for key in state.unit.keys), default=1)
            return [-(-whole // (width * self.processes)) * width * self.processes]
        return [local(self.weights[key], self.processes).size * self.processes for key in state.unit.keys]

    # the forward

    def at(self, site: Site | None) -> None:
        """An operation follows: the units that it is not in are left, those that it is in are entered."""
        chain = self.chain(site) if site is not None else []
        while self.stack and self.stack[-1] not in chain:
            self.leave(self.stack.pop())
        for state in chain:
            if state not in self.stack and site is not None:
                self.stack.append(state)
                attached = any(isinstance(a, Array) and self.graph.reaches(id(a)) for a in site.operands)
                self.enter(state, attached)

    def chain(self, site: Site) -> list[State]:
        """The units around an operation, outermost first."""
        found = self._chains.get(id(site))
        if found is None:
            around = {id(site.layer), *map(id, site.within)}
            found = [state for state in reversed(self.states) if around & state.unit.parts]
            found.sort(key=lambda state: -len(state.unit.parts))
            self._chains[id(site)] = found
        return found

    def enter(self, state: State, attached: bool) -> None:
        state.closed = not attached
        if state.whole or not state.unit.keys:
            return
        if state.unit.flat or self.processes == 1:
            self.gather(state)
            return
        buffer = self.timeline.allocate(sum(self.sizes(state)), "workspace", state.unit.line, pinned=True)
        self.gather(state)
        # the frame that copies out holds the buffer before until it is done
        self.free(self.gathered)
        self.gathered = buffer

    def leave(self, state: State) -> None:
        if state.unit.reshard:
            self.scatter(state)
        if state in self.order:
            self.order.remove(state)
        self.order.append(state)
        if state.unit.root:
            self.free(self.gathered)
            self.gathered = None

    def gather(self, state: State) -> None:
        if not state.whole:
            line = state.unit.line
            sizes = self.sizes(state) if state.unit.keys else []
            state.whole = [self.timeline.allocate(size, "parameters", line, pinned=True) for size in sizes]

    def scatter(self, state: State) -> None:
        for storage in state.whole:
            self.timeline.free(storage)
        state.whole = []

    def free(self, storage: Storage | None) -> None:
        if storage is not None:
            self.timeline.free(storage)

    # backward

    def begin(self, nodes: Sequence[Node]) -> None:
        """Backward begins for these operations."""
        for state in self.states:
            state.begun = False
            state.waiting = sum(self.counts(state, node) for node in nodes)

    def counts(self, state: State, node: Node) -> bool:
        """Is the backward of a unit not over before that of an operation is?"""
        if state.unit.flat:
            return any(key in state.unit.keys for key, _ in node.weights)
        return state in node.units

    def before(self, node: Node) -> None:
        """The backward of an operation comes: its units are gathered, and the one that comes next begins to be."""
        for state in node.units:
            if not state.begun:
                state.begun = True
                self.prepare(state)

    def prepare(self, state: State) -> None:
        if not state.whole and state.unit.keys:
            if not state.unit.flat and self.processes > 1 and state.buffer is None:
                state.buffer = self.buffer(state)
            self.gather(state)
        self.free(state.buffer)
        state.buffer = None
        position = self.order.index(state) if state in self.order else 0
        target = self.order[position - 1] if position else None
        if target is None or target.whole or target.buffer is not None or target.begun:
            return
        if target.unit.flat:
            self.gather(target)
        elif self.processes > 1 and target.unit.keys:
            target.buffer = self.buffer(target)

    def buffer(self, state: State) -> Storage:
        return self.timeline.allocate(sum(self.sizes(state)), "workspace", state.unit.line, pinned=True)

    def after(self, node: Node) -> None:
        """The backward of an operation is over, and with it perhaps that of units."""
        for state in self.states:
            if self.counts(state, node):
                state.waiting -= 1
                if not state.waiting and (state.unit.flat or not state.closed):
                    self.reduce(state)

    def end(self) -> None:
        """The whole backward is over."""
        for state in self.states:
            if not state.unit.flat and state.closed:
                self.reduce(state)
            self.scatter(state)
        self.free(self.reduced)
        self.reduced = None
        self.order = []

    def reduce(self, state: State) -> None:
        """The gradients of a unit become the part of this process."""
        keys = [key for key in state.unit.keys if key in self.graph.unsharded]
        fresh = [self.graph.unsharded.pop(key) for key in keys]
        if not keys:
            self.scatter(state)
            return
        line, timeline = state.unit.line, self.timeline
        whole = sum(local(self.weights[key], self.processes).size for key in keys) * self.processes
        if state.unit.flat:
            # the gradient of the flat parameter is put together from those of its views
            whole = sum(self.sizes(state))
            flat = timeline.allocate(whole, "gradients", line, pinned=True)
            self.drop(fresh)
            self.scatter(state)
            fresh = [flat]
        else:
            self.scatter(state)
            self.free(self.reduced)
            self.reduced = timeline.allocate(whole, "workspace", line, pinned=True)
            self.drop(fresh)
            fresh = []
        part = timeline.allocate(whole // self.processes, "gradients", line, pinned=True)
        self.drop(fresh)
        known = [key for key in keys if key in self.graph.gradients]
        if known:
            # added to the parts that are there
            timeline.free(part)
        else:
            self.graph.gradients.update(dict.fromkeys(keys, part))

    def drop(self, storages: Sequence[Storage]) -> None:
        for storage in storages:
            self.timeline.free(storage)
