"""`Sequential`, `ModuleList` and `ModuleDict`: running them, changing them, looking into them."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import set_attribute
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.iteration import elements
from trainlint.analysis.modules import (
    REST,
    add_children,
    child_at,
    children,
    container,
    delete_child,
    items,
    partial_children,
    set_child,
    walk,
    why,
)
from trainlint.analysis.parameters import BUFFERS
from trainlint.analysis.registry import OpCall, called, method
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Seq, Unknown, Value


@called("torch.nn.Sequential")
def sequential(call: OpCall) -> Value | None:
    """Runs its children in order; the result of the last is the result."""
    inside = items(call.receiver) if call.receiver is not None else None
    if inside is None or not call.args:
        return Array(grad=True if call.run.grad else None)
    value: Value = call.args[0]
    for child in inside:
        value = invoke(call.run, call.scope, child, [value], {}, call.node)
    return value


@method("module", "append", "insert", "extend")
def append_module(call: OpCall) -> Value | None:
    holder = call.receiver
    if not isinstance(holder, (Obj, Instance)) or not call.args:
        return holder
    if container(holder) is None:
        return None
    if call.name == "insert":
        at = call.const(0, "index")
        add_children(
            call.run, holder, [call.args[-1]] if isinstance(at, int) else None, at if isinstance(at, int) else 0
        )
    else:
        add_children(call.run, holder, [call.args[0]] if call.name == "append" else elements(call.args[0]))
    return holder


@method("module", "add_module", "register_module", "register_buffer", "register_parameter")
def register(call: OpCall) -> Value | None:
    """The registered thing becomes an attribute."""
    name, value = call.arg(0, "name"), call.arg(1, "tensor")
    if value is None:
        value = call.kwargs.get("module", call.kwargs.get("param"))
    holder = call.receiver
    if holder is None or value is None or name is None:
        return Const(None)
    if isinstance(value, Array):
        # it moves with the model from now on
        value = value.but(device=None)
    if isinstance(value, Array):
        # what is registered moves with the module
        value = value.but(device=None, tail=value.tail)
    if isinstance(name, Const) and isinstance(name.value, str):
        set_attribute(call.run, call.scope, holder, name.value, value)
        if call.name == "register_buffer" and isinstance(holder, (Obj, Instance)):
            listed = holder.attrs.get(BUFFERS)
            call.run.touch(holder, BUFFERS)
            holder.attrs[BUFFERS] = Const((*(listed.value if isinstance(listed, Const) else ()), name.value))
    elif isinstance(holder, (Obj, Instance)) and call.name not in ("register_buffer", "register_parameter"):
        set_child(call.run, holder, name, value)
    return Const(None)


@method("torch.nn.ModuleDict", "items", "keys", "values")
@method("module", "items", "keys", "values")
def entries(call: OpCall) -> Value | None:
    holder = call.receiver
    inside = children(holder) if holder is not None and container(holder) is not None else None
    if inside is None:
        return None
    return listed(call.name, inside)


def listed(how: str, inside: dict[str, Value]) -> Seq:
    if how == "values":
        return Seq("list", list(inside.values()))
    if how == "keys":
        return Seq("list", [Const(name) for name in inside])
    return Seq("list", [Seq("tuple", [Const(name), child]) for name, child in inside.items()])


@method("torch.nn.ModuleDict", "update")
def update(call: OpCall) -> Value | None:
    holder, given = call.receiver, call.args[0] if call.args else None
    if not isinstance(holder, (Obj, Instance)):
        return None
    if isinstance(given, Mapping) and not given.open:
        for name, child in given.items.items():
            set_child(call.run, holder, Const(str(name)), child)
    else:
        set_child(call.run, holder, Unknown(), Unknown())
    return Const(None)


@method("torch.nn.ModuleDict", "pop")
def pop(call: OpCall) -> Value | None:
    holder, name = call.receiver, call.arg(0, "key")
    if not isinstance(holder, (Obj, Instance)) or name is None:
        return None
    found = child_at(holder, name)
    delete_child(call.run, holder, name)
    return found


@method("module", "get_submodule")
def submodule(call: OpCall) -> Value | None:
    """The module of a dotted name."""
    found, name = call.receiver, call.const(0, "target")
    if not isinstance(name, str):
        return Unknown("a layer")
    for part in name.split(".") if name else ():
        found = found.attrs.get(part) if isinstance(found, (Obj, Instance)) else None
    return found if found is not None else Unknown("a layer")


@method("module", "children", "named_children")
def direct(call: OpCall) -> Value | None:
    inside = children(call.receiver) if call.receiver is not None else None
    if inside is None or (
        isinstance(call.receiver, Obj) and container(call.receiver) is None and not bare(call.receiver)
    ):
        return Unknown(call.name)
    return listed("values" if call.name == "children" else "items", inside)


def bare(layer: Obj) -> bool:
    """Is a layer of torch made of nothing but parameters? (Attention and transformers have layers inside.)"""
    return layer.name.startswith("torch.nn.") and "Transformer" not in layer.name and "Attention" not in layer.name


@method("module", "modules", "named_modules")
def everything(call: OpCall) -> Value | None:
    """All modules below, where there are few and all are known."""
    if call.receiver is None:
        return Unknown(call.name)
    found: dict[str, Value] = {}
    for name, module in walk(call.receiver):
        if why(module) or name in found or len(found) >= 64:
            return Unknown(call.name)
        found[name] = module
    return listed("values" if call.name == "modules" else "items", found)


@method("module", "__getitem__")
def child(call: OpCall) -> Value | None:
    return Unknown("a layer")


@method("module", "__iter__")
def any_child(call: OpCall) -> Value | None:
    """A value that covers every child of a container."""
    holder = call.receiver
    if holder is None or container(holder) is None:
        return None
    found = list(partial_children(holder).values())
    return found[0] if len(found) == 1 and REST not in getattr(holder, "attrs", {}) else Unknown("a layer")
