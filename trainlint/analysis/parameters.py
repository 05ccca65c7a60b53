"""The parameters and buffers of a module: names, shapes, numbers, which of them are trained.

What a layer of a library holds itself is registered by `trainlint.ops` under its class name (`holds`); here the tree of
modules is walked, and a tensor that two layers share counts once, under its first name, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.modules import OWN, is_module, partial_children, why
from trainlint.analysis.values import Const, Instance, Obj, OneOf, Unknown, Value, is_none, truth

MAX_DEPTH = 40
# what an Instance or Obj keeps of its tensors: the names given to `register_buffer`, the dtype of a cast
BUFFERS = "[buffers]"
CAST = "[dtype]"
# bytes of one element
SIZES = {
    "float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2,
    "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor that a layer holds itself: `weight`, `self_attn.in_proj_bias`; `shape` is None where it is not known.

    `count` replaces the product of the shape where many tensors are told of as one (the inside of a named model).
    """

    name: str
    shape: tuple[Value, ...] | None
    dtype: str | None = "float32"
    buffer: bool = False
    trainable: bool = True
    count: Value | None = None
    # what makes two slots one tensor; None: the layer and the name
    key: object = None


@dataclass(frozen=True, slots=True)
class Own:
    """What a layer holds itself. `whole`: its children are counted in, but for those in `besides`."""

    slots: list[Slot]
    whole: bool = False
    besides: dict[str, Value] = field(default_factory=dict)


# the layer → what it holds, or why that is not known
Holder: TypeAlias = "Callable[[Obj], Own | list[Slot] | str]"
# qualified class name, or the beginning of one that ends with a dot → what such a layer holds
HOLDERS: dict[str, Holder] = {}


def holds(*names: str) -> Callable[[Holder], Holder]:
    """Register what layers of these classes hold; a name that ends with a dot stands for all that begin so."""

    def register(function: Holder) -> Holder:
        for name in names:
            HOLDERS[name] = function
        return function

    return register


@dataclass(frozen=True, slots=True)
class Held:
    """A parameter or buffer of a model by its dotted name. `owner` is the module that holds it."""

    name: str
    shape: tuple[Value, ...] | None
    dtype: str | None
    buffer: bool
    count: Value
    owner: Value
    # False: `requires_grad=False` at construction; None: `requires_grad` of it is set somewhere
    trainable: bool | None = True
    # its name in the owner: of a layer that is told of whole, the dotted path below it
    slot: str = ""


@dataclass(slots=True)
class Holdings:
    """Tensors in the order of `named_parameters`, and why others may be missing by the module's dotted name."""

    tensors: list[Held] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    # other modules that hold one of the tensors too: the module, its name there, the tensor
    tied: list[tuple[Value, str, Held]] = field(default_factory=list)

    @property
    def count(self) -> Value:
        """The number of elements of all of them, Unknown where one is not known."""
        return Unknown() if self.unknown else total(self.tensors)

    @property
    def least(self) -> Value:
        """The number of elements of those that are known."""
        return total([held for held in self.tensors if not isinstance(held.count, Unknown)])

    def named(self, name: str) -> Held | None:
        return next((held for held in self.tensors if held.name == name), None)


def total(tensors: list[Held]) -> Value:
    """The number of elements, Unknown where that of one is not known."""
    plain = 0
    rest: list[Value] = []
    for held in tensors:
        count = held.count
        if isinstance(count, Const) and type(count.value) is int and not count.default:
            plain += count.value
        else:
            rest.append(count)
    result: Value = Const(plain)
    for count in rest:
        result = dims.add(result, count)
    return result


def size_in_bytes(tensors: list[Held]) -> Value:
    """Bytes of the tensors, Unknown where the size or dtype of one is not known."""
    result: Value = Const(0)
    for held in tensors:
        width = SIZES.get(held.dtype or "")
        result = dims.add(result, Unknown() if width is None else dims.mul(held.count, Const(width)))
    return result


def parameters_of(value: Value) -> Holdings:
    """The parameters of a module and of all modules below it."""
    return _part(holdings(value), buffer=False)


def buffers_of(value: Value) -> Holdings:
    """The buffers of a module and of all modules below it."""
    return _part(holdings(value), buffer=True)


def is_weightless(value: Value) -> bool:
    """Is it a module that certainly has no parameters, neither itself nor below it?"""
    found = parameters_of(value)
    return is_module(value) and not found.tensors and not found.unknown


def trains_itself(layer: Obj) -> bool:
    """Does a layer certainly hold a parameter itself?"""
    own = own_of(layer)
    return not isinstance(own, str) and any(not slot.buffer for slot in own.slots)


def _part(both: Holdings, buffer: bool) -> Holdings:
    return Holdings([held for held in both.tensors if held.buffer is buffer], both.unknown, both.tied)


def holdings(value: Value) -> Holdings:
    """Parameters and buffers of a module."""
    result = Holdings()
    if isinstance(value, (Instance, Obj, OneOf)):
        _collect(value, "", result, set(), {}, MAX_DEPTH)
    else:
        result.unknown[""] = why(value)
    return result


def _collect(
    value: Value, prefix: str, into: Holdings, modules: set[int], seen: dict[object, Held], depth: int
) -> None:
    if isinstance(value, OneOf):
        _collect_either(value, prefix, into, modules, seen, depth)
        return
    if not isinstance(value, (Instance, Obj)) or id(value) in modules:
        return
    modules.add(id(value))
    own = own_of(value)
    if isinstance(own, str):
        into.unknown[prefix] = own
        own = Own([])
    for slot in own.slots:
        _add(value, slot, prefix, into, seen)
    if not own.whole and (reason := why(value)) and prefix not in into.unknown:
        into.unknown[prefix] = reason
    if depth == 0:
        into.unknown[prefix] = "it is nested too deeply"
        return
    for name, child in (own.besides if own.whole else partial_children(value)).items():
        _collect(child, f"{prefix}.{name}" if prefix else name, into, modules, seen, depth - 1)


def _collect_either(
    value: OneOf, prefix: str, into: Holdings, modules: set[int], seen: dict[object, Held], depth: int
) -> None:
    """One of several modules, or none: known where all of them hold the same number of elements."""
    found: list[Holdings] = []
    for option in value.values:
        part = Holdings()
        _collect(option, prefix, part, set(modules), dict(seen), depth)
        found.append(part)
    if all(not p.unknown and dims.same(p.count, found[0].count) for p in found):
        for option in value.values:
            if is_module(option):
                _collect(option, prefix, into, modules, seen, depth)
                break
        return
    name = f"`{prefix.rpartition('.')[2]}`" if prefix else "it"
    into.unknown[prefix] = f"{name} is one of {len(value.values)}"


def _add(owner: Value, slot: Slot, prefix: str, into: Holdings, seen: dict[object, Held]) -> None:
    key = slot.key if slot.key is not None else (id(owner), slot.name)
    if key in seen:
        into.tied.append((owner, slot.name, seen[key]))
        return
    count = slot.count
    if count is None:
        count = dims.product(slot.shape) if slot.shape is not None else Unknown()
    name = ".".join(part for part in (prefix, slot.name) if part)
    if isinstance(count, Unknown):
        into.unknown.setdefault(prefix, f"the size of `{slot.name or 'its inside'}` is not known")
    held = Held(name, slot.shape, slot.dtype, slot.buffer, count, owner, slot.trainable, slot.name)
    seen[key] = held
    into.tensors.append(held)


def own_of(value: Instance | Obj) -> Own | str:
    """What a module holds itself, without its children; why, where that is not known."""
    found: Own | list[Slot] | str = []
    layer = value if isinstance(value, Obj) else value.attrs.get(OWN)
    if isinstance(layer, Obj):
        holder = HOLDERS.get(layer.name) or next((HOLDERS[p] for p in _prefixes(layer.name) if p in HOLDERS), None)
        if holder is None:
            return f"what `{layer.name.rpartition('.')[2]}` holds is not known"
        found = holder(layer)
    if isinstance(found, str):
        return found
    own = found if isinstance(found, Own) else Own(found)
    names = {slot.name for slot in own.slots}
    slots = [s for slot in own.slots if (s := _as_it_is_now(value, slot)) is not None]
    slots += [_written(value, name, part) for name, part in value.attrs.items() if name not in names and _is(part)]
    slots += list(_registered(value))
    return Own(slots, own.whole, own.besides)


def parameter_of(layer: Obj, name: str) -> Value | None:
    """The parameter of a layer of a library that an attribute is (`fc.weight`): None where it is none, or not known."""
    own = own_of(layer)
    if isinstance(own, str):
        return None
    slot = next((slot for slot in own.slots if slot.name == name), None)
    if slot is None:
        return Const(None) if name == "bias" and any(slot.name == "weight" for slot in own.slots) else None
    if slot.buffer or slot.shape is None:
        return None
    data = Array(shape=slot.shape, dtype=slot.dtype, grad=True, origin=layer.origin)
    part = Obj("torch.nn.Parameter", "parameter", layer.node, [data], {}, layer.origin, layer.file)
    if not slot.trainable:
        part.kwargs["requires_grad"] = Const(False)
    return part


def _prefixes(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield f"{name}."


def _is(part: Value) -> bool:
    """Is an attribute a parameter?"""
    return isinstance(part, Obj) and part.kind == "parameter"


def _as_it_is_now(layer: Instance | Obj, slot: Slot) -> Slot | None:
    """The slot of a layer after what the program assigned to it: another tensor, or None."""
    now = layer.attrs.get(slot.name)
    if now is None:
        return slot
    if is_none(now):
        return None
    if _is(now):
        return _written(layer, slot.name, now)
    # an attribute that was only read is an Unknown of that name; two layers that hold the same one are tied
    shape = slot.shape if isinstance(now, Array) or (isinstance(now, Unknown) and _read(now, slot.name)) else None
    return Slot(slot.name, shape, slot.dtype, slot.buffer, slot.trainable, key=id(now))


def _read(value: Unknown, name: str) -> bool:
    return value.name.endswith(f".{name}")


def _written(holder: Instance | Obj, name: str, part: Value) -> Slot:
    """`self.scale = nn.Parameter(torch.ones(8))`."""
    assert isinstance(part, Obj)
    data, wanted = part.arg(0, "data"), part.arg(1, "requires_grad")
    trainable = wanted is None or truth(wanted) is not False
    if not isinstance(data, Array):
        return Slot(name, None, None, trainable=trainable, key=id(part))
    cast = part.attrs.get(CAST)
    dtype = data.dtype if cast is None else cast.value if isinstance(cast, Const) else None
    return Slot(name, data.shape, dtype, trainable=trainable, key=id(part))


def _registered(holder: Instance | Obj) -> Iterator[Slot]:
    """What `register_buffer` was called with."""
    listed = holder.attrs.get(BUFFERS)
    for name in listed.value if isinstance(listed, Const) else ():
        now = holder.attrs.get(name)
        if isinstance(now, Array):
            yield Slot(name, now.shape, now.dtype, buffer=True)
        elif not is_none(now):
            yield Slot(name, None, None, buffer=True)
