"""A softmax over the batch, or over an axis that is not named.

## What it does
Reports `softmax(x)` and `nn.Softmax()` without `dim`, and `dim=0` on the scores of a layer that has a batch first.

## Why it matters
Over axis 0 the samples of a batch compete with each other: the scores of one depend on its neighbours. Without `dim`
PyTorch picks axis 0 for three axes and axis 1 for two, and says that this will go.

## Example
```py
import torch
from torch.nn import functional as F

weights = F.softmax(torch.rand(4, 8, 8))  # warning: [softmax-axis]
```
Use instead: `dim=-1`.

## When it stays silent
Axis 0 where the first axis is not proved to be the batch.
"""

from typing import Literal

from trainlint.rules.api import Array, Call, Sym, axis, finding, insert_argument, is_none, known, rule

Layers = Literal["torch.nn.Softmax", "torch.nn.LogSoftmax"]
Functions = Literal["torch.nn.functional.softmax", "torch.nn.functional.log_softmax"]


@rule("softmax-axis", code="LS005", family="loss", level="warning", since="0.1")
def check(call: Call[Literal[Layers, Functions]]):
    layer = call.name.startswith("torch.nn.") and not call.name.startswith("torch.nn.functional.")
    dim = call.arg(0 if layer else 1, "dim")
    name = call.name.rpartition(".")[2]
    if call.spilled:
        return
    if dim is None or is_none(dim):
        fix = insert_argument("use the last axis", call.place, "dim=-1", safety="unsafe") if dim is None else None
        text = "`{name}` without `dim`: PyTorch guesses the axis, and for three axes it takes the first"
        yield finding(call, text, name=name, fix=fix)
    elif known(dim) == 0 and not layer and over_batch(call.arg(0, "input")):
        yield finding(call, "`{name}` over axis 0 lets the samples of a batch compete with each other", name=name)


def over_batch(value) -> bool:
    """Scores of a layer with a batch in front: two axes, the first of them a batch."""
    if not isinstance(value, Array) or value.range != "logits" or value.rank != 2:
        return False
    first = axis(value, 0)
    return isinstance(first, Sym) and len(first.poly) == 1
