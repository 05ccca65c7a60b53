"""Reading and writing attributes of abstract values."""

from __future__ import annotations

from trainlint.analysis import registry
from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.branches import each
from trainlint.analysis.joins import join, one_of
from trainlint.analysis.modules import OWN, is_module_class
from trainlint.analysis.parameters import parameter_of
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.tape import record
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Member,
    Named,
    Obj,
    OneOf,
    Seq,
    Unknown,
    Value,
    is_none,
)
from trainlint.syntax import ir

# the fields of what `max(dim)`, `sort` and `topk` give
NAMED_FIELDS = {"values": 0, "indices": 1}
PROPERTY_DECORATORS = frozenset({"property", "cached_property", "functools.cached_property"})


class Method(Value):
    """A method of an external object, taken but not called yet."""

    __slots__ = ("name", "receiver")

    def __init__(self, receiver: Value, name: str) -> None:
        self.receiver = receiver
        self.name = name
        self.origin = receiver.origin

    def __repr__(self) -> str:
        return f"{self.receiver!r}.{self.name}"


class WorkspaceModule(Value):
    """A module of the workspace (or a package of it)."""

    __slots__ = ("names", "path")

    def __init__(self, path: str, names: dict[str, Value]) -> None:
        self.path = path
        self.names = names
        self.origin = None

    def __repr__(self) -> str:
        return f"module {self.path}"


def get_attribute(run: Run, scope: Scope, value: Value, name: str, node: ir.Expr) -> Value:
    """`value.name`."""
    if isinstance(value, Unknown):
        return unknown_attribute(value, name)
    if name == "__dict__" and isinstance(value, (Ext, WorkspaceModule)):
        # `models.__dict__[arch]`: its items are the attributes (`ops.namespaces`)
        return Obj("builtins.vars", "namespace", node, [value])
    if isinstance(value, Ext):
        if name in ("__name__", "__qualname__"):
            return Const(value.name.rpartition(".")[2])
        return run.program.external(f"{value.name}.{name}")
    if isinstance(value, Instance):
        return instance_attribute(run, scope, value, name, node)
    if isinstance(value, WorkspaceModule):
        return run.program.imports.attribute(value, name)
    if isinstance(value, Class):
        return class_attribute(run, value, name)
    if isinstance(value, Obj):
        return object_attribute(run, scope, value, name, node)
    if isinstance(value, Array):
        return array_attribute(run, scope, value, name, node)
    if isinstance(value, OneOf):
        parts = [v for v in value.values if not is_none(v)]
        return one_of(tuple(get_attribute(run, scope, v, name, node) for v in parts))
    if isinstance(value, Mapping) and name in value.items:
        # attribute dictionaries (EasyDict, Munch, ConfigDict) are made as Mappings
        return value.items[name]
    if isinstance(value, Named):
        found = named_attribute(run, scope, value, name, node)
        if found is not None:
            return found
    elif isinstance(value, Seq) and value.kind == "named" and name in NAMED_FIELDS and value.items is not None:
        return value.items[NAMED_FIELDS[name]]
    if isinstance(value, Const) and isinstance(value.value, Member):
        return member_attribute(run, scope, value, name, node)
    if isinstance(value, Func) and name in ("__name__", "__qualname__"):
        return Const(value.name)
    if isinstance(value, Const) and name == "value":
        # a member of an enumeration is its value
        return value
    return Method(value, name)


def named_attribute(run: Run, scope: Scope, value: Named, name: str, node: ir.Expr) -> Value | None:
    """A field or method of a named tuple, None for what every tuple has."""
    found = value.field(name)
    if found is None and name == "_fields":
        return Seq("tuple", [Const(field) for field in value.fields])
    member = value.cls.find(name) if found is None and value.cls is not None else None
    return found if member is None else of_class(run, scope, value, member, node)


def member_attribute(run: Run, scope: Scope, value: Const, name: str, node: ir.Expr) -> Value:
    """`value` and `name` of a member of an enumeration, or a method of its class."""
    member: Member = value.value
    if name in ("value", "_value_"):
        return member.value
    if name in ("name", "_name_"):
        return Const(member.name)
    found = member.owner.find(name)
    return Method(value, name) if found is None else of_class(run, scope, value, found, node)


def of_class(run: Run, scope: Scope, value: Value, member: Value, node: ir.Expr) -> Value:
    """What a class member is on an object: a property's value, a bound method, a plain attribute."""
    if not isinstance(member, Func):
        return member
    if has_decorator(member.node, *PROPERTY_DECORATORS):
        from trainlint.analysis.calls import call_function

        return call_function(run, scope, bind(member, value), [], {}, node)
    return bind(member, value)


def unknown_attribute(value: Unknown, name: str) -> Value:
    """The attribute of an unknown: one Unknown per name, so that `self.opt` is the same thing everywhere."""
    if value.attrs is None:
        value.attrs = {}
    found = value.attrs.get(name)
    if found is None:
        found = Unknown(f"{value.name}.{name}" if value.name else name, param=value.param)
        value.attrs[name] = found
    return found


def class_attribute(run: Run, cls: Class, name: str) -> Value:
    found = cls.find(name)
    if found is None:
        if name == "__name__":
            return Const(cls.name)
        return Unknown(f"{cls.name}.{name}")
    if isinstance(found, Func) and has_decorator(found.node, "classmethod"):
        return Func(found.node, found.scope, found.file, cls, found.owner)
    return found


def has_decorator(node: ir.FunctionDef | ir.Lambda, *names: str) -> bool:
    if isinstance(node, ir.Lambda):
        return False
    return any(dotted(d) in names for d in node.decorators)


def dotted(expr: ir.Expr) -> str:
    """`a.b.c` of a chain of names (a call's function for a call), else an empty string."""
    parts: list[str] = []
    if isinstance(expr, ir.Call):
        expr = expr.func
    while isinstance(expr, ir.Attr):
        parts.append(expr.name)
        expr = expr.value
    if not isinstance(expr, ir.Name):
        return ""
    parts.append(expr.id)
    return ".".join(reversed(parts))


def instance_attribute(run: Run, scope: Scope, value: Instance, name: str, node: ir.Expr) -> Value:
    found = value.attrs.get(name)
    writers = written_by(value.cls, name)
    late = writers - value.tried - {"__init__"}
    # where memory is counted, what the program left at None is None
    if late and not value.setting_up and (found is None or (is_none(found) and run.program.tape is None)):
        run.program.run_writers(run, value, late)
        found = value.attrs.get(name)
    if found is not None:
        return found
    member = value.cls.find(name)
    if member is not None:
        return of_class(run, scope, value, member, node)
    if name == "__class__":
        return value.cls
    if is_module_class(value.cls) and name in ("parameters", "modules", "children", "named_parameters"):
        return Method(value, name)
    own = value.attrs.get(OWN)
    if isinstance(own, Obj) and not writers:
        found = object_attribute(run, scope, own, name, node)
        if isinstance(found, Obj) and found.kind == "parameter":
            value.attrs[name] = found
        return found
    if name == "training" and run.program.tape is not None and is_module_class(value.cls) and not writers:
        # memory is that of a step that trains; where no graph is made, of an evaluation
        return Const(run.grad)
    # one Unknown per attribute of the object
    bases = [base.name for base in value.cls.external_bases() if isinstance(base, Ext)] if not writers else []
    if any((owner, name) in registry.METHODS for owner in ("module", *bases) if bases):
        return Method(value, name)
    result = Unknown(f"self.{name}")
    if not value.setting_up and not name.startswith("__"):
        value.attrs[name] = result
    return result


def written_by(cls: Class, name: str) -> set[str]:
    result: set[str] = set()
    for ancestor in cls.ancestry():
        result |= ancestor.written.get(name, {}).keys()
    return result


def bind(func: Func, receiver: Value) -> Func:
    """The function as a method of `receiver`."""
    if has_decorator(func.node, "staticmethod"):
        return func
    if has_decorator(func.node, "classmethod") and isinstance(receiver, Instance):
        receiver = receiver.cls
    return Func(func.node, func.scope, func.file, receiver, func.owner)


def object_attribute(run: Run, scope: Scope, value: Obj, name: str, node: ir.Expr) -> Value:
    found = value.attrs.get(name)
    if found is not None:
        return found
    if value.kind == "parameter" and name in ("shape", "T", "mT", "ndim", "dtype", "data"):
        data = tensor_of(value)
        if isinstance(data, Array):
            return array_attribute(run, scope, data, name, node)
    for owner in (value.name, value.kind):
        handler = registry.METHODS.get((owner, f".{name}"))
        if handler is not None:
            call = registry.OpCall(run, scope, node, name, [], {}, value)
            result = handler(call)
            if result is not None:
                return result
    for owner in (value.name, value.kind):
        if (owner, name) in registry.METHODS:
            return Method(value, name)
    if run.program.tape is not None and value.kind == "module":
        part = parameter_of(value, name)
        if part is not None:
            value.attrs[name] = part
            return part
    result = Unknown(f"{value.name.rpartition('.')[2]}.{name}")
    value.attrs[name] = result
    return result


def array_attribute(run: Run, scope: Scope, value: Array, name: str, node: ir.Expr) -> Value:
    handler = registry.ARRAY_METHODS.get(f"pil..{name}" if value.lib == "pil" else f".{name}")
    if handler is not None:
        call = registry.OpCall(run, scope, node, name, [], {}, value)
        result = handler(call) or Unknown(name)
        if isinstance(result, Array) and name in VIEWED and value.lib == "torch" and run.program.tape is not None:
            before = len(run.program.tape.entries)
            return record(run, scope, f"Tensor.{name}", node, [value], result, [], {}, before)
        return result
    return Method(value, name)


# attributes of a tensor that are views of it
VIEWED = frozenset({"T", "H", "mT", "mH", "data"})


def set_attribute(run: Run, scope: Scope, target: Value, name: str, value: Value) -> None:
    """`target.name = value`: certain outside conditions, else joined with what was there."""
    if isinstance(target, OneOf):
        each(run, target.values, lambda alternative: set_attribute(run, scope, alternative, name, value))
        return
    if isinstance(target, Instance):
        run.touch(target, name)
        table, weak = target.attrs, target.depth < run.attribute_floor
        own = target.attrs.get(OWN)
        if isinstance(own, Obj):
            set_attribute(run, scope, own, name, value)
    elif isinstance(target, Obj):
        run.touch(target, name)
        table, weak = target.attrs, target.born < run.attribute_floor
    elif isinstance(target, Unknown):
        if target.attrs is None:
            target.attrs = {}
        table, weak = target.attrs, bool(run.conds)
    elif isinstance(target, Class):
        table, weak = target.members, bool(run.conds)
    elif isinstance(target, WorkspaceModule):
        table, weak = target.names, bool(run.conds)
    elif isinstance(target, Mapping):
        # an attribute dictionary
        run.touch(target)
        settle_item(run, target, name, value)
        return
    else:
        return
    old = table.get(name)
    table[name] = value if old is None or not weak else join(old, value)


def settle_item(run: Run, target: Mapping, name: str, value: Value) -> None:
    """`config.name = value` of an attribute dictionary."""
    old = target.items.get(name)
    target.items[name] = value if old is None or target.born >= run.floor else join(old, value)
