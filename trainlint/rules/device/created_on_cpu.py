"""A tensor that `forward` creates stays on the CPU while the model is on another device.

## What it does
Reports `torch.arange`, `zeros`, `randn` … without `device=` in `forward`, where the result meets the input of the model
or one of its layers.

## Why it matters
On a GPU the operation raises "expected all tensors to be on the same device".

## Example
```py
import torch
from torch import nn

class Position(nn.Module):
    def forward(self, x):
        return x + torch.arange(x.size(1))  # warning: [created-on-cpu]

net = Position().to("cuda")
```
Use instead: `torch.arange(x.size(1), device=x.device)`.

## When it stays silent
Programs that move nothing off the CPU or set a default device; tensors without axes; tensors that are moved, or that
are only an index.
"""

from trainlint.rules.api import (
    Because,
    Class,
    Mixed,
    Obj,
    Unknown,
    WholeProgram,
    finding,
    insert_argument,
    ir,
    on_cpu,
    root_of,
    rule,
)

DEFAULTS = {"torch.set_default_device", "torch.set_default_tensor_type"}


@rule("created-on-cpu", code="DV003", family="device", level="warning", since="0.1")
def check(program: WholeProgram):
    moves = [event for trace in program.traces for event in trace.of("move")]
    if all(on_cpu(event.value) for event in moves) or program.called & DEFAULTS:
        return
    for fact in program.facts:
        if not isinstance(fact, Mixed) or not isinstance(fact.forward, Class) or not fact.inside:
            continue
        made = root_of(fact.created)
        if made is None or not isinstance(made.node, ir.Call) or made.path != fact.file.path:
            continue
        if isinstance(fact.other, Unknown) and fact.other.promised != "tensor":
            continue
        what = "the layer" if isinstance(fact.other, Obj) else "a tensor of the model's device"
        because = Because(fact.place, f"here it meets {what}")
        text = "a tensor created in `forward` without `device` is on the CPU, wherever the model is"
        fix = (
            insert_argument("name the device", made, f"device={fact.other.name}.device", safety="unsafe")
            if (isinstance(fact.other, Unknown) and fact.other.name.isidentifier())
            else None
        )
        yield finding(made, text, because=because, fix=fix, likely=fact.created.likely)
