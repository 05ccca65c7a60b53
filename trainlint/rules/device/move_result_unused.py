"""The result of moving a tensor is dropped.

## What it does
Reports `x.to(device)`, `x.cuda()` or `x.cpu()` on a line of its own, where `x` is a tensor.

## Why it matters
A tensor does not move: `to` gives a new one. (A module moves in place, which is where the habit comes from.) The model
on the GPU then gets the tensor of the CPU and raises.

## Example
```py
import torch

x = torch.rand(8, 3)
x.to("cuda")  # error: [move-result-unused]
```
Use instead: `x = x.to("cuda")`.

## When it stays silent
Modules; objects that are not proved to be tensors (a batch of a library may move in place).
"""

from trainlint.rules.api import Array, Dropped, Place, Unknown, dotted, finding, ir, rule, source, wrap


@rule("move-result-unused", code="DV002", family="device", level="error", since="0.1")
def check(fact: Dropped):
    value = fact.value
    if isinstance(value, Array):
        tensor = value.lib == "torch"
    else:
        tensor = isinstance(value, Unknown) and value.promised == "tensor"
    node = fact.node
    if not tensor or not isinstance(node, ir.Call) or not isinstance(node.func, ir.Attr):
        return
    target = node.func.value
    fix = None
    if dotted(target):
        name = source(target)
        fix = wrap(f"assign the result to `{name}`", Place(fact.file.path, node), f"{name} = ", "")
    text = "`{op}` gives a new tensor and leaves this one where it is: the result is dropped"
    yield finding(fact, text, op=fact.op, fix=fix)
