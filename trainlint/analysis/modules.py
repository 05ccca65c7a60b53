"""The module graph: the children of an `nn.Module` by name, read from the attributes that interpreting it has set.

Children of a container (`Sequential`, `ModuleList`, `ModuleDict`) are attributes too, as in PyTorch: `"0"`, `"1"`, ….
The attribute `REST` of a container or model says that it may have further children, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trainlint.analysis import registry
from trainlint.analysis.joins import one_of
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Seq,
    Unknown,
    Value,
    alternatives,
)
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.run import Run

MODULE_BASES = (
    "torch.nn.Module",
    "torch.nn.Sequential",
    "torch.nn.ModuleList",
    "torch.nn.ModuleDict",
    "lightning.LightningModule",
    "transformers.PreTrainedModel",
)
CONTAINERS = ("torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict")
# the kinds of external objects that are modules
# modules of libraries that are a Sequential of layers
SEQUENCES = (
    "torchvision.ops.ConvNormActivation", "torchvision.ops.Conv2dNormActivation",
    "torchvision.ops.Conv3dNormActivation", "torchvision.ops.MLP", "timm.layers.Mlp",
)  # fmt: skip
# modules of libraries whose models are else not looked into
_LAYERS = (*SEQUENCES, "timm.layers.DropPath", "timm.layers.LayerNorm2d")
MODULE_KINDS = frozenset({"module", "loss"})
# models whose inside is not known: they are built from data that is not here
_OPAQUE = ("torchvision.models.", "timm.", "transformers.", "segmentation_models_pytorch.", "torch_geometric.")
REST = "*"
# the attribute of an object whose class extends a layer of a library (`class Same(nn.Conv2d)`): that layer, as the
# arguments of its constructor made it
OWN = "<layer>"


def is_module(value: Value | None) -> bool:
    """Is it certainly an `nn.Module` (or certainly used as one)?"""
    if isinstance(value, Instance):
        return is_module_class(value.cls)
    if isinstance(value, Obj):
        return value.kind == "module"
    if isinstance(value, Unknown):
        return value.promised == "module"
    if isinstance(value, OneOf):
        return all(is_module(v) for v in value.values)
    return False


def is_module_class(cls: Class) -> bool:
    """Does a workspace class extend `nn.Module`, a layer or a model of a library?"""
    if cls.module is None:
        cls.module = any(isinstance(base, Ext) and _is_library_module(base.name) for base in cls.external_bases())
    return cls.module


def _is_library_module(name: str) -> bool:
    return name in MODULE_BASES or registry.kind_of(name) in MODULE_KINDS or name.startswith("torch.nn.modules.")


def library_layer(cls: Class) -> str | None:
    """The layer of a library that a class extends (`torch.nn.Conv2d`), None where it is just a module or container."""
    for base in cls.external_bases():
        if isinstance(base, Ext) and base.name not in MODULE_BASES and _is_library_module(base.name):
            return base.name
    return None


def container(value: Value | None) -> str | None:
    """The container class (`torch.nn.Sequential`) that a value is or extends, None where it is none."""
    if isinstance(value, Obj):
        if value.name in SEQUENCES:
            return "torch.nn.Sequential"
        return value.name if value.name in CONTAINERS else None
    if isinstance(value, Instance):
        for base in value.cls.external_bases():
            if isinstance(base, Ext) and base.name in CONTAINERS:
                return base.name
            if isinstance(base, Ext) and base.name in SEQUENCES:
                return "torch.nn.Sequential"
    return None


def children(value: Value) -> dict[str, Value] | None:
    """The direct children by name in the order PyTorch registers them, None where they are not all known.

    A child is a module (Instance or Obj) or a OneOf of modules (and None, where it may be absent). A layer of the
    library has no children unless the program gave it some.
    """
    if why(value):
        return None
    return partial_children(value)


def partial_children(value: Value) -> dict[str, Value]:
    """The children that are known, whether or not there may be others."""
    if not isinstance(value, (Instance, Obj)):
        return {}
    return {name: child for name, child in value.attrs.items() if name not in (REST, OWN) and _is_child(child)}


def why(value: Value) -> str:
    """Why the children of a value are not all known, an empty string where they are."""
    if isinstance(value, Obj):
        if value.kind not in MODULE_KINDS:
            return f"`{value.name}` is no module"
        if value.name.startswith(_OPAQUE) and value.name not in _LAYERS:
            return f"what `{value.name.rpartition('.')[2]}` is made of is not known"
    elif not isinstance(value, Instance):
        return "it is not a module" if not isinstance(value, Unknown) else f"`{value.name}` is not known"
    rest = value.attrs.get(REST)
    if rest is not None:
        return rest.name if isinstance(rest, Unknown) else "further children"
    if isinstance(value, Instance):
        for base in value.cls.external_bases():
            if isinstance(base, Unknown):
                return f"the base class `{base.name}` is not known"
            if isinstance(base, Ext) and not base.name.startswith(_PLAIN_BASES):
                return f"what the base class `{base.name}` has is not known"
    for name, child in value.attrs.items():
        if not name.isidentifier() and not container(value) and name.startswith(("[", "<")):
            continue
        if isinstance(child, Unknown) and isinstance(value, Instance) and _used_as_module(value.cls, name):
            return f"`self.{name}` is given by the caller" if child.param else f"`self.{name}` is not known"
        if isinstance(child, OneOf) and any(map(_is_child, child.values)):
            bad = next((v for v in child.values if not _is_child(v) and not isinstance(v, Const)), None)
            if bad is not None:
                return f"`{name}` may be {bad!r}"
    return ""


_PLAIN_BASES = ("torch.nn.", "torchvision.ops.", "abc.", "builtins.", "typing.", "lightning.", "collections.", "enum.")


def _is_child(value: Value) -> bool:
    if isinstance(value, Instance):
        return is_module(value)
    if isinstance(value, Obj):
        return value.kind in MODULE_KINDS
    if isinstance(value, OneOf):
        return any(_is_child(v) for v in value.values)
    return False


def walk(value: Value, prefix: str = "", depth: int = 12) -> Iterator[tuple[str, Value]]:
    """The module itself (name `""`) and all modules below it by their dotted names, as `named_modules` gives them.

    A shared module comes up once, with its first name. Of a OneOf every alternative is walked under the same name.
    """
    yield from _walk(value, prefix, depth, set())


def _walk(value: Value, prefix: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Value]]:
    for option in alternatives(value):
        if id(option) in seen or not _is_child(option):
            continue
        seen.add(id(option))
        yield prefix, option
        if depth:
            for name, child in partial_children(option).items():
                yield from _walk(child, f"{prefix}.{name}" if prefix else name, depth - 1, seen)


def unknown_parts(value: Value) -> dict[str, str]:
    """The modules below `value` (itself included) whose children are not all known, with the reason."""
    return {name: reason for name, module in walk(value) if (reason := why(module))}


def fill_container(holder: Instance | Obj, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Give a new container the children that its constructor was called with."""
    kind = container(holder)
    own = holder.name if isinstance(holder, Obj) else library_layer(holder.cls)
    if kind is None or own in SEQUENCES:
        return
    if "*" in kwargs or "**" in kwargs:
        holder.attrs[REST] = Unknown("an argument list that is not known")
        return
    if kind == "torch.nn.Sequential":
        if len(args) == 1 and isinstance(args[0], (Mapping, OneOf, Unknown)) and not _is_child(args[0]):
            _adopt(holder, args[0])
        else:
            number(holder, args)
        return
    given = args[0] if args else next(iter(kwargs.values()), None)
    if given is not None:
        _adopt(holder, given)


def _adopt(holder: Instance | Obj, given: Value) -> None:
    """Children from one mapping or iterable."""
    if isinstance(given, Mapping) and not given.open:
        for key, child in given.items.items():
            holder.attrs[str(key)] = child
    elif isinstance(given, Seq) and given.items is not None and container(holder) != "torch.nn.ModuleDict":
        number(holder, given.items)
    elif isinstance(given, (Obj, Instance)) and container(given) is not None:
        inner = children(given)
        if inner is None:
            holder.attrs[REST] = Unknown(why(given))
        else:
            number(holder, list(inner.values()))
    elif isinstance(given, Seq) and given.items is not None and pairs_of(given.items) is not None:
        for name, child in (pairs_of(given.items) or {}).items():
            holder.attrs[name] = child
    elif not (isinstance(given, Const) and given.value is None):
        shown = given.name if isinstance(given, Unknown) and given.name else "a list of unknown length"
        holder.attrs[REST] = Unknown(shown)


def pairs_of(items: list[Value]) -> dict[str, Value] | None:
    """The dict that `[(name, value), …]` makes, None where a name is not known."""
    result: dict[str, Value] = {}
    for pair in items:
        if not (isinstance(pair, Seq) and pair.items is not None and len(pair.items) == 2):
            return None
        key = pair.items[0]
        if not (isinstance(key, Const) and isinstance(key.value, str)):
            return None
        result[key.value] = pair.items[1]
    return result


def number(holder: Instance | Obj, added: list[Value]) -> None:
    """Append children under the next numbers."""
    at = sum(name.isdigit() for name in holder.attrs)
    for offset, child in enumerate(added):
        holder.attrs[str(at + offset)] = child
        if isinstance(child, Unknown) or (isinstance(child, OneOf) and not _is_child(child)):
            holder.attrs.setdefault(REST, Unknown(f"child {at + offset} is not known"))


def items(value: Value) -> list[Value] | None:
    """The children of a container in order, None where they are not all known."""
    if container(value) is None:
        return None
    found = children(value)
    if found is None:
        return None
    kind = container(value)
    if isinstance(value, Instance) and kind == "torch.nn.ModuleList":
        return [child for name, child in found.items() if name.isdigit()]
    return list(found.values())


def child_at(value: Instance | Obj, key: Value) -> Value:
    """`container[key]`."""
    if isinstance(key, Const) and isinstance(key.value, str):
        found = value.attrs.get(key.value)
        return found if found is not None else Unknown("a layer")
    inside = items(value)
    if inside is None:
        return Unknown("a layer")
    if isinstance(key, Const) and isinstance(key.value, int):
        return inside[key.value] if -len(inside) <= key.value < len(inside) else Unknown("a layer")
    return one_of(tuple(inside)) if inside else Unknown("a layer")


def part_of(run: Run, value: Instance | Obj, bounds: list[Value]) -> Value:
    """`container[a:b]`: a container of the same class with some of the children."""
    inside = items(value)
    numbers: list[Any] = [b.value if isinstance(b, Const) else "?" for b in bounds]
    part = Obj(container(value) or "", "module", None)
    part.born = run.tick()
    if inside is None or not all(n is None or isinstance(n, int) for n in numbers):
        part.attrs[REST] = Unknown("a slice that is not known")
    else:
        chosen = slice(*numbers)
        if part.name == "torch.nn.Sequential":
            # a part of a Sequential keeps the names
            part.attrs.update(dict(list((children(value) or {}).items())[chosen]))
        else:
            number(part, inside[chosen])
    return part


def set_child(run: Run, holder: Instance | Obj, key: Value, value: Value) -> None:
    """`container[key] = value`."""
    if isinstance(key, Const) and isinstance(key.value, int):
        inside = list(partial_children(holder)) if why(holder) == "" else []
        name = inside[key.value] if -len(inside) <= key.value < len(inside) else REST
    else:
        name = key.value if isinstance(key, Const) and isinstance(key.value, str) else REST
    run.touch(holder, name)
    holder.attrs[name] = value if name != REST else Unknown("a child under a name that is not known")
    if isinstance(value, Unknown) and name != REST:
        run.touch(holder, REST)
        holder.attrs[REST] = Unknown(f"child {name} is not known")


def delete_child(run: Run, holder: Instance | Obj, key: Value | slice | None) -> None:
    """`del container[key]`: the children after it move up, in a `ModuleDict` they keep their names."""
    inside = items(holder)
    at = key if isinstance(key, slice) else key.value if isinstance(key, Const) else None
    if isinstance(at, str) and container(holder) == "torch.nn.ModuleDict":
        run.touch(holder, at)
        holder.attrs.pop(at, None)
        return
    if inside is None or not isinstance(at, (int, slice)) or holder_born(holder) < run.floor:
        run.touch(holder, REST)
        holder.attrs[REST] = Unknown("children that are deleted")
        return
    named = list(children(holder) or {})
    left = list(zip(named, inside, strict=False))
    del left[at]
    for name in named:
        run.touch(holder, name)
        holder.attrs.pop(name, None)
    if all(name.isdigit() for name in named):
        number(holder, [child for _, child in left])
    else:
        holder.attrs.update(left)


def add_children(run: Run, holder: Instance | Obj, added: list[Value] | None, at: int | None = None) -> None:
    """`append`, `extend` and `insert` of a container; `added` is None where the new children are not known."""
    run.touch(holder, REST)
    before = items(holder)
    if added is None or before is None or holder_born(holder) < run.floor:
        holder.attrs.setdefault(REST, Unknown("children that are added in a loop" if added else "children not known"))
        return
    place = len(before) if at is None else at
    following = before[place:]
    for name in [str(i) for i in range(max(place, 0), len(before) + len(added))]:
        run.touch(holder, name)
    if following:
        for index in range(place, len(before)):
            holder.attrs.pop(str(index), None)
    number(holder, [*added, *following])


def holder_born(holder: Instance | Obj) -> int:
    """When the program made an object."""
    return holder.born if isinstance(holder, Obj) else holder.depth


_USES: dict[int, tuple[ir.ClassDef, frozenset[str]]] = {}


def _used_as_module(cls: Class, name: str) -> bool:
    """Is `self.name` called, indexed or iterated and called, or given away in a method of the class?"""
    return any(name in uses_of(ancestor.node) for ancestor in cls.ancestry())


def uses_of(node: ir.ClassDef) -> frozenset[str]:
    """The attributes `a` of `self.a` that a class calls (`self.a(…)`, `self.a[i](…)`) or iterates."""
    found = _USES.get(id(node))
    if found is None or found[0] is not node:
        if len(_USES) > 2000:
            _USES.clear()
        found = _USES[id(node)] = (node, frozenset(_collect(node)))
    return found[1]


def _collect(node: ir.ClassDef) -> Iterator[str]:
    stack: list[object] = list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, (list, tuple)):
            stack += part
            continue
        used = part.func if isinstance(part, ir.Call) else getattr(part, "iter", None)
        while isinstance(used, ir.Subscript):
            used = used.value
        if isinstance(used, ir.Attr) and isinstance(used.value, ir.Name) and used.value.id == "self":
            yield used.name
        for slot in ir_slots(type(part)):
            child = getattr(part, slot, None)
            if child is not None and not isinstance(child, (str, int, float)):
                stack.append(child)


_SLOTS: dict[type, tuple[str, ...]] = {}


def ir_slots(cls: type) -> tuple[str, ...]:
    """The fields of an IR class that hold parts of it."""
    found = _SLOTS.get(cls)
    if found is None:
        names = [slot for base in cls.__mro__ for slot in getattr(base, "__slots__", ())]
        hidden = ("meaning", "stmt", "ord", "unit", "line", "end", "__weakref__")
        found = tuple(name for name in names if name not in hidden) if cls.__module__ == ir.__name__ else ()
        _SLOTS[cls] = found
    return found
