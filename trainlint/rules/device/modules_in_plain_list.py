"""Layers kept in a plain list or dict are not part of the module.

## What it does
Reports `self.x = [nn.Linear(…), …]` (or a dict) in a module, also where it is filled in a loop.

## Why it matters
`parameters()`, `.to()`, `state_dict()` and `train()` do not see the layers: they are never trained, moved or saved.

## Example
```py
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 8) for _ in range(4)]  # error: [modules-in-plain-list]
```
Use instead: `nn.ModuleList` or `nn.ModuleDict`.

## When it stays silent
Layers that are registered elsewhere too (`add_module`, `nn.Sequential(*self.layers)`, another attribute); empty
containers; a list of exactly one model, the idiom that hides it from the parameters on purpose; layers that hold an
optimizer of their own; objects that are not modules.
"""

from trainlint.rules.api import (
    Class,
    Instance,
    Mapping,
    ModuleClass,
    Obj,
    Seq,
    at,
    element,
    finding,
    ir,
    is_module,
    rule,
    source,
    wrap,
)


@rule("modules-in-plain-list", code="DV004", family="device", level="error", since="0.1")
def check(fact: ModuleClass):
    cls = fact.cls
    if not isinstance(cls, Class) or not isinstance(cls.default_instance, Instance):
        return
    for name, value in cls.default_instance.attrs.items():
        container = "ModuleList" if isinstance(value, Seq) and value.kind == "list" else "ModuleDict"
        if not isinstance(value, (Seq, Mapping)) or not holds_modules(value) or trains_itself(value):
            continue
        if all_registered(value, cls.default_instance):
            continue
        place = written(cls, name)
        if place is None or elsewhere(cls.node, name) or hides_one(place.value):
            continue
        fix = (
            wrap(f"use `nn.{container}`", at(fact.file, place.value), f"nn.{container}(", ")") if has_nn(fact) else None
        )
        text = "layers in the plain container `self.{name}` are not registered: they are not trained, moved or saved"
        yield finding(at(fact.file, place), text, name=name, fix=fix)


def hides_one(value: ir.Expr) -> bool:
    """`[teacher]`: the idiom that keeps one model out of the parameters on purpose."""
    return isinstance(value, ir.Sequence) and len(value.elts) == 1


def holds_modules(value: Seq | Mapping) -> bool:
    if isinstance(value, Seq):
        return value.kind == "list" and value.items != [] and is_module(element(value))
    parts = [*value.items.values(), *([value.rest] if value.rest is not None else [])]
    return bool(parts) and all(is_module(v) for v in parts)


def trains_itself(value: Seq | Mapping) -> bool:
    """Do the layers have an optimizer each, as in layer-wise training?"""
    parts = list(value.items.values()) if isinstance(value, Mapping) else value.items or [element(value)]
    attributes = [v for part in parts if isinstance(part, Instance) for v in part.attrs.values()]
    return any(isinstance(v, Obj) and v.kind == "optimizer" for v in attributes)


def written(cls: Class, name: str) -> ir.Assign | None:
    """The assignment of a display or comprehension to the attribute in `__init__`."""
    for stmt in cls.assigned_in("__init__", name):
        if isinstance(stmt, ir.Assign) and isinstance(stmt.value, (ir.Sequence, ir.Comp, ir.Dict)):
            return stmt
    return None


REGISTERS = ("add_module", "ModuleList(", "Sequential(", "parameters", "setattr", "register")


def all_registered(value: Seq | Mapping, instance: Instance) -> bool:
    """Is everything in the container an attribute as well (`self.blocks = [self.b1, self.b2]`)?"""
    items = value.items.values() if isinstance(value, Mapping) else value.items or []
    registered = {id(attribute) for attribute in instance.attrs.values()}
    return bool(items) and all(id(item) in registered for item in items)


def elsewhere(node: ir.ClassDef, name: str) -> bool:
    """Is the container given to something in the class that may register or train what it holds?"""
    for member in node.body:
        if not isinstance(member, ir.FunctionDef):
            continue
        if member.name == "parameters":
            return True
        for stmt in member.body:
            words = "\n".join(texts([stmt]))
            if f"self.{name}" in words and any(word in words for word in REGISTERS):
                return True
    return False


def texts(block: list[ir.Stmt]) -> list[str]:
    """The source of every statement, those inside compound statements too."""
    result = []
    for stmt in block:
        result.append(source(stmt))
        for inner in (getattr(stmt, "body", None), getattr(stmt, "orelse", None)):
            result += texts(inner) if isinstance(inner, list) else []
    return result


def has_nn(fact: ModuleClass) -> bool:
    return getattr(fact.file.scope.names.get("nn"), "name", "") == "torch.nn"
