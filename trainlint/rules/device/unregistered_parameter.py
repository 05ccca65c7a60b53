"""A tensor attribute of a module is not registered: it stays behind when the module moves.

## What it does
Reports `self.x = torch.tensor(…)` (zeros, ones, …) in a module's `__init__` that `forward` uses in arithmetic with its
input.

## Why it matters
`.to(device)`, `.cuda()`, `.half()` and `state_dict()` skip plain attributes: on a GPU the sum of both raises.

## Example
```py
import torch
from torch import nn

class Normalize(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = torch.tensor([0.485, 0.456, 0.406])  # error: [unregistered-parameter]

    def forward(self, x):
        return x - self.mean

net = Normalize().cuda()
```
Use instead: `self.register_buffer("mean", …)`, or `nn.Parameter` where it is trained.

## When it stays silent
Modules that are never moved in the file; attributes that are moved by hand or created on a device; `nn.Parameter` and
buffers.
"""

from trainlint.rules.api import Array, Class, Instance, ModuleClass, at, finding, ir, rule, source

MOVES = (".cuda(", ".to(")
CREATORS = ("tensor", "zeros", "ones", "randn", "rand", "arange", "eye")


@rule("unregistered-parameter", code="DV005", family="device", level="error", since="0.1")
def check(fact: ModuleClass):
    cls = fact.cls
    if not isinstance(cls, Class) or not isinstance(cls.default_instance, Instance):
        return
    if not any(word in fact.file.document.text for word in MOVES):
        return
    for name, value in cls.default_instance.attrs.items():
        if (
            not isinstance(value, Array)
            or value.lib != "torch"
            or value.device not in (None, "cpu")
            or value.grad is not False
        ):
            continue
        stmt = created(cls, name)
        if stmt is None or not used(cls.node, name):
            continue
        text = "`self.{name}` is a plain tensor: it does not follow the module to another device"
        yield finding(at(fact.file, stmt), text, name=name)


def created(cls: Class, name: str) -> ir.Stmt | None:
    """The assignment in `__init__` that creates the tensor by a function of torch."""
    for stmt in cls.assigned_in("__init__", name):
        if isinstance(stmt, ir.Assign) and any(f"torch.{word}(" in source(stmt) for word in CREATORS):
            return stmt
    return None


def used(node: ir.ClassDef, name: str) -> bool:
    """Does `forward` combine it with something, without moving it?"""
    for method in node.body:
        if isinstance(method, ir.FunctionDef) and method.name == "forward":
            body = "\n".join(source(s) for s in method.body)
            plain = f"self.{name}"
            return (
                plain in body
                and f"{plain}.to(" not in body
                and f"{plain}.cuda(" not in body
                and f"{plain} =" not in body
            )
    return False
