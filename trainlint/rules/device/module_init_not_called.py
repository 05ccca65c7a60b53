"""The constructor of a module never runs the one of `nn.Module`.

## What it does
Reports an `__init__` of a module that assigns layers or parameters without `super().__init__()`.

## Why it matters
PyTorch raises "cannot assign module before Module.__init__() call" when the model is built.

## Example
```py
from torch import nn

class Net(nn.Module):
    def __init__(self):  # error: [module-init-not-called]
        self.fc = nn.Linear(8, 2)
```
Use instead: `super().__init__()` first.

## When it stays silent
Any spelling of the call, also through a base class or a function that gets `self`; bases that are not known; modules
without layers.
"""

from trainlint.rules.api import Class, Instance, ModuleClass, Obj, at, finding, insert_before, ir, is_module, rule


@rule("module-init-not-called", code="DV007", family="device", level="error", since="0.1")
def check(fact: ModuleClass):
    cls, init = fact.cls, fact.init
    if init is None or fact.starts_base or not isinstance(cls, Class) or not cls.closed or not init.body:
        return
    instance = cls.default_instance
    if not isinstance(instance, Instance):
        return
    held = [name for name, methods in cls.written.items() if "__init__" in methods]
    layers = [name for name in held if is_layer(instance.attrs.get(name))]
    if not layers:
        return
    fix = insert_before("call `super().__init__()` first", at(fact.file, first(init)), "super().__init__()")
    text = "`__init__` assigns `self.{name}` without `super().__init__()`: PyTorch raises there"
    yield finding(at(fact.file, init), text, name=layers[0], fix=fix)


def first(init):
    """The first statement that is not a docstring."""
    head = init.body[0]
    text = isinstance(head, ir.ExprStmt) and isinstance(head.value, ir.Const)
    return init.body[1] if text and len(init.body) > 1 else head


def is_layer(value) -> bool:
    return value is not None and (is_module(value) or (isinstance(value, Obj) and value.kind == "parameter"))
