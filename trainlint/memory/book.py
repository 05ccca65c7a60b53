"""The models and optimizers of a training loop in numbers: parameters, who trains them, what optimizers keep."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace

from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Optimizer
from trainlint.analysis.freezing import Training
from trainlint.analysis.listing import existing
from trainlint.analysis.modules import OWN, walk
from trainlint.analysis.parameters import SIZES, Held, holdings
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Site
from trainlint.analysis.values import Const, Ext, Instance, Mapping, Obj, Place, Seq, Value
from trainlint.memory import optimizers
from trainlint.memory.buckets import WRAPPERS, Bucket, buckets
from trainlint.memory.options import positions
from trainlint.memory.sharding import Shards, local
from trainlint.memory.sizes import Sizes
from trainlint.memory.timeline import Where
from trainlint.memory.units import Unit
from trainlint.memory.weights import Weight
from trainlint.memory.wiring import by_name

# several devices: what one of them holds beside the model is not counted yet
SEVERAL = ("DataParallel", "DistributedDataParallel")
ZERO = "ZeroRedundancyOptimizer"
# its own options; the others are those of the optimizer inside
OF_ZERO = ("optimizer_class", "process_group", "parameters_as_bucket_view", "overlap_with_ddp")

# optimizers with two states for each weight, and what bitsandbytes has in their place
ADAMS = {"Adam": "Adam8bit", "AdamW": "AdamW8bit", "NAdam": "Adam8bit", "RAdam": "Adam8bit"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A parameter or buffer of a model; `line` is where its layer is built."""

    key: Hashable
    weight: Weight
    trained: bool
    buffer: bool
    line: Where
    # in its layer
    name: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.weight.size


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that an optimizer trains alike; `options` are the names and values that the group changes.

    `members` are modules, with all below them, and single parameters.
    """

    members: tuple[Value, ...]
    options: dict[str, Value]


class Book:
    """Answers what the playback of a loop asks. What is not known is added to `unknown`, once each."""

    def __init__(self, program: Program, modules: Iterable[Value], sizes: Sizes) -> None:
        self.sizes = sizes
        self.tensors: list[Tensor] = []
        self.unknown: dict[str, None] = {}
        # of `DistributedDataParallel`, with the line of the wrapper
        self.buckets: list[tuple[Bucket, Where]] = []
        self._layers: dict[int, list[Tensor]] = {}
        self._parameters: dict[int, Tensor] = {}
        # the arrays that are buffers, and views of what stands, by identity
        self._buffers: set[int] = set()
        self._seen: set[Hashable] = set()
        self._instead: str | None = None
        self._wrappers: list[Obj] = []
        # where others are frozen, the keys of the parameters that are trained
        self._only: frozenset[Hashable] | None = None
        # how many processes share what is sharded, and which parameters are
        self.processes = 1
        self.units: Sequence[Unit] = ()
        self._sharded: frozenset[Hashable] = frozenset()
        self._inside: dict[int, list[Tensor]] = {}
        self._groups: dict[int, list[Group]] = {}
        self._values: dict[Hashable, Array] = {}
        self._training = Training(program)
        self._optimizers = {id(fact.value): fact for fact in program.facts if isinstance(fact, Optimizer)}
        for module in modules:
            self._enter(module)

    def _enter(self, module: Value) -> None:
        wrappers: list[Obj] = []
        for _, part in walk(module):
            if isinstance(part, Obj) and part.name in WRAPPERS:
                wrappers.append(part)
            elif isinstance(part, Obj) and part.name.rpartition(".")[2] in SEVERAL:
                self._say(f"what `{part.name.rpartition('.')[2]}` adds on each device is not counted")
        found = holdings(module)
        for name, reason in found.unknown.items():
            self._say(f"`{name or 'the model'}`: {reason}")
        for held in found.tensors:
            self._tensor(held)
        for owner, _, first in found.tied:
            mine = self._layers.setdefault(id(owner), [])
            mine += [t for t in self._layers.get(id(first.owner), []) if t.key == (id(first.owner), first.slot)]
        for wrapper in wrappers:
            self._wrap(wrapper)
        self._wrappers += wrappers

    def copy(self, module: Value, line: Where) -> None:
        """A copy of a module that nobody trains is held beside it."""
        owners = dict.fromkeys(id(held.owner) for held in holdings(module).tensors)
        held = [tensor for owner in owners for tensor in self._layers.get(owner, ())]
        self.tensors += [replace(t, key=("copy", line, t.key), trained=False, line=line) for t in held]

    def _wrap(self, wrapper: Obj) -> None:
        trained = [(tensor.key, tensor.weight) for tensor in self.inside((wrapper,)) if self.trains(tensor)]
        found = buckets(wrapper, trained)
        if found is None:
            self._say("the buckets of `DistributedDataParallel` are not known")
        self.buckets += [(bucket, line_of(wrapper)) for bucket in found or ()]

    def _tensor(self, held: Held) -> None:
        owner, name = held.owner, held.slot
        key = (id(owner), name)
        if key in self._seen:
            return
        self._seen.add(key)
        shape = self.sizes.shape(held.shape if held.shape is not None else (held.count,))
        width = SIZES.get(held.dtype or "")
        if shape is None or width is None:
            self._say(f"the size of the parameter `{held.name}` is not known")
            return
        trained = not held.buffer and self._training.trained(held)
        if trained is None:
            self._say(f"whether `{held.name}` is trained is not known")
        own = existing(held)
        tensor = Tensor(key, Weight(shape, width), bool(trained), held.buffer, line_of(own or owner), name)
        self.tensors.append(tensor)
        self._layers.setdefault(id(owner), []).append(tensor)
        if isinstance(owner, Instance) and (layer := owner.attrs.get(OWN)) is not None:
            # what the class of the library computes is told of the layer that is extended
            self._layers[id(layer)] = self._layers[id(owner)]
        if own is not None:
            self._parameters[id(own)] = tensor
        if held.buffer and isinstance(owner, (Instance, Obj)):
            self._buffers.add(id(owner.attrs.get(name)))

    def of_layer(self, layer: Obj | None) -> Sequence[Tensor]:
        """What a layer holds itself."""
        return self._layers.get(id(layer), []) if layer is not None else []

    def weighs(self, site: Site) -> bool:
        """Does an operation work with weights of the models?"""
        if self.of_layer(site.layer):
            return True
        return any(map(self.stands, site.operands))

    def of_value(self, array: Array) -> Tensor | None:
        """The parameter that a tensor is."""
        return self._parameters.get(id(array.source)) if array.source is not None else None

    def stands(self, array: Array) -> bool:
        """Is a tensor a parameter, a buffer or a view of one?"""
        return id(array) in self._buffers or self.of_value(array) is not None

    def add_view(self, array: Array) -> None:
        """A tensor that shares the storage of a parameter or buffer."""
        self._buffers.add(id(array))

    def as_value(self, tensor: Tensor) -> Array:
        """The tensor that a parameter of a layer is; the same one each time."""
        if tensor.key not in self._values:
            source = Obj("torch.nn.Parameter", "parameter", None)
            shape = tuple(Const(size) for size in tensor.weight.shape)
            self._values[tensor.key] = Array(shape=shape, dtype="float32", grad=tensor.trained, source=source)
            self._parameters[id(source)] = tensor
        return self._values[tensor.key]

    def weights(self, site: Site) -> list[tuple[Weight, bool]]:
        """The parameters that a layer computes with and whether they are trained; those that were cast, as casts."""
        held = [tensor for tensor in self.of_layer(site.layer) if not tensor.buffer]
        width = min((SIZES[array.dtype or "float32"] for array in site.casts), default=None)
        return [(t.weight if width is None else Weight(t.weight.shape, width), self.trains(t)) for t in held]

    def used(self, site: Site) -> list[Tensor]:
        """The parameters that get their gradient from an operation itself, not through a cast."""
        direct = [
            tensor
            for array in site.operands
            if array.grad is not False and (tensor := self.of_value(array)) is not None
        ]
        held = [] if site.casts else self.of_layer(site.layer)
        return [tensor for tensor in (*held, *direct) if self.trains(tensor)]

    def trains(self, tensor: Tensor) -> bool:
        """Does a parameter get a gradient?"""
        return tensor.trained and (self._only is None or tensor.key in self._only)

    def cleared(self, subject: Value) -> list[Tensor]:
        """What `zero_grad` of an optimizer or a module clears."""
        if id(subject) in self._optimizers:
            return [tensor for group in self.groups(subject) for tensor in self.inside(group.members)]
        return self.inside((subject,))

    def inside(self, members: Iterable[Value]) -> list[Tensor]:
        """Parameters, and those of modules and of all below them, each once."""
        found = list(members)
        if len(found) != 1:
            return list(dict.fromkeys(tensor for member in found for tensor in self.inside((member,))))
        single = self._parameters.get(id(found[0]))
        if single is not None:
            return [single]
        key = id(found[0])
        if key not in self._inside:
            owners = dict.fromkeys(id(held.owner) for held in holdings(found[0]).tensors)
            tensors = (t for owner in owners for t in self._layers.get(owner, []) if not t.buffer)
            self._inside[key] = list(dict.fromkeys(tensors))
        return self._inside[key]

    def groups(self, optimizer: Value) -> list[Group]:
        """What an optimizer was given, by group."""
        if id(optimizer) in self._groups:
            return self._groups[id(optimizer)]
        fact = self._optimizers.get(id(optimizer))
        found = groups_of(fact.params) if fact is not None else None
        if found is None:
            self._say("which parameters the optimizer holds is not known")
        self._groups[id(optimizer)] = found or []
        return self._groups[id(optimizer)]

    def states(self, optimizer: Value, group: Group, tensor: Tensor) -> Sequence[int]:
        """Bytes of what the optimizer keeps for one parameter."""
        name, options = self._asked(optimizer, group)
        found = optimizers.state(name, options, self.local(tensor)) if options is not None else None
        if found is None:
            self._say(f"the state of `{name.rpartition('.')[2] or 'the optimizer'}` is not known")
        return found or ()

    def shared(self, optimizer: Value, group: Group, tensors: Sequence[Tensor]) -> Sequence[int]:
        """Bytes of what the optimizer keeps once for all parameters."""
        name, options = self._asked(optimizer, group)
        weights = [self.local(t) for t in tensors]
        return (optimizers.shared(name, options, weights) if options is not None else None) or ()

    def temporaries(self, optimizer: Value, group: Group, tensors: Sequence[Tensor]) -> Sequence[int]:
        """Bytes of what lives together inside the step of one group."""
        name, options = self._asked(optimizer, group)
        found = optimizers.temporaries(name, options, [self.local(t) for t in tensors]) if options is not None else None
        if found is None:
            self._say(f"what `{name.rpartition('.')[2] or 'the optimizer'}` needs while it steps is not known")
        return found or ()

    def in_place_of_adam(self, optimizer: str | None) -> Book:
        """The book of the same program with another class for its optimizers of Adam's kind."""
        if optimizer is None:
            return self
        other = copy(self)
        other.unknown = dict(self.unknown)
        other._instead = optimizer
        return other

    def shard(self, units: Sequence[Unit]) -> None:
        """The parameters of the units are shared by the processes; inner units come first."""
        taken: set[Hashable] = set()
        for unit in units:
            unit.keys = [tensor.key for tensor in self.inside(unit.modules) if tensor.key not in taken]
            taken.update(unit.keys)
        self.units, self._sharded = units, frozenset(taken)

    def over(self, processes: int) -> Book:
        """The book of the same program where so many processes share."""
        other = copy(self)
        other.unknown = dict(self.unknown)
        other.processes = processes
        return other

    def local(self, tensor: Tensor) -> Weight:
        """What this process has of a tensor."""
        return local(tensor.weight, self.processes) if tensor.key in self._sharded else tensor.weight

    def shards(self) -> Shards | None:
        """The units in a new playback; None where nothing is sharded."""
        if not self.units:
            return None
        weights = {tensor.key: tensor.weight for tensor in self.tensors if tensor.key in self._sharded}
        return Shards(self.units, weights, self.processes)

    def own(self, optimizer: Value, tensors: list[Tensor]) -> list[Tensor]:
        """The parameters that an optimizer steps in this process, the one that has most of them.

        `ZeroRedundancyOptimizer` gives each parameter, the largest first, to the process that has least so far.
        """
        if not (isinstance(optimizer, Obj) and optimizer.name.endswith(ZERO)):
            return tensors
        parts: list[list[Tensor]] = [[] for _ in range(self.processes)]
        counts = [0] * self.processes
        for tensor in sorted(tensors, key=lambda each: -each.weight.elements):
            least = counts.index(min(counts))
            parts[least].append(tensor)
            counts[least] += tensor.weight.elements
        return parts[counts.index(max(counts))]

    def frozen_but(self, layer: Value | None) -> Book:
        """The book of the same program where only the parameters of one layer are trained."""
        return self if layer is None else self._only_of(self._layers.get(id(layer), ()))

    def stepped_only(self, optimizers: Iterable[Value]) -> Book:
        """The book of the same program where only the parameters that these optimizers hold are trained."""
        groups = [group for optimizer in optimizers for group in self.groups(optimizer)]
        return self._only_of([tensor for group in groups for tensor in self.inside(group.members)])

    def _only_of(self, tensors: Iterable[Tensor]) -> Book:
        other = copy(self)
        other.unknown = dict(self.unknown)
        other._only = frozenset(tensor.key for tensor in tensors if self.trains(tensor))
        other.buckets = []
        for wrapper in self._wrappers:
            other._wrap(wrapper)
        return other

    def _asked(self, optimizer: Value, group: Group) -> tuple[str, dict[str, object] | None]:
        """The class and the arguments by name, None for what is no known optimizer."""
        if not isinstance(optimizer, Obj):
            return "", None
        if self._instead is not None and optimizer.name.rpartition(".")[2] in ADAMS:
            return self._instead, {"momentum": 0.9} if self._instead.endswith("SGD") else {}
        if optimizer.name.endswith(ZERO):
            inner = optimizer.arg(1, "optimizer_class")
            if not isinstance(inner, Ext):
                return "", None
            given = {name: value for name, value in optimizer.kwargs.items() if name not in OF_ZERO}
            return inner.name, by_name(inner.name, (), {**given, **group.options})
        # of a class without a known signature the parameters come first as well
        args = optimizer.args if positions(optimizer.name) is not None else optimizer.args[1:]
        return optimizer.name, by_name(optimizer.name, args, {**optimizer.kwargs, **group.options})

    def _say(self, text: str) -> None:
        self.unknown[text] = None


def groups_of(params: Value | None) -> list[Group] | None:
    """What an optimizer was given: parameters, or a list of `{"params": …, "lr": 0.1}`; None for anything else."""
    members = members_of(params)
    if members is not None:
        return [Group(members, {})]
    if not isinstance(params, Seq) or not params.items:
        return None
    found = []
    for item in params.items:
        if not isinstance(item, Mapping) or item.open:
            return None
        inner = members_of(item.items.get("params"))
        if inner is None:
            return None
        options = {str(name): value for name, value in item.items.items() if name != "params"}
        found.append(Group(inner, options))
    return found


def members_of(params: Value | None) -> tuple[Value, ...] | None:
    """`net.parameters()`, one parameter, or a list of parameters, also with their names; None for anything else."""
    if isinstance(params, Obj) and params.kind in ("parameters", "named_parameters") and params.args:
        return (params.args[0],)
    if isinstance(params, Obj) and params.kind == "parameter":
        return (params,)
    if isinstance(params, Array) and isinstance(params.source, Obj):
        return (params.source,)
    if not isinstance(params, Seq) or params.items is None:
        return None
    found: list[Value] = []
    for item in params.items:
        if isinstance(item, Seq) and item.kind == "tuple" and item.items and isinstance(item.items[0], Const):
            # a pair of `named_parameters`
            item = item.items[-1]
        inner = members_of(item) if isinstance(item, (Obj, Array)) and not isinstance(item, Seq) else None
        if inner is None or (isinstance(item, Obj) and item.kind != "parameter"):
            return None
        found += inner
    return tuple(found)


def line_of(owner: Value) -> Where:
    """The file and line where a layer or parameter is built; None for what a library builds."""
    if isinstance(owner, Obj) and owner.node is not None and owner.file:
        return owner.file, Place(owner.file, owner.node).line
    return None
