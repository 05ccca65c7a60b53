"""Feature maps reach a linear layer without a flatten.

## What it does
Reports a `Linear` whose input has more axes than features: the product of the axes after the batch is the
`in_features` that it was built for, the last axis is not.

## Why it matters
A linear layer works on the last axis, here the width of the image: PyTorch raises.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Linear(8 * 30 * 30, 10))
net(torch.rand(4, 3, 32, 32))  # error: [flatten-missing]
```
Use instead: `nn.Flatten()` before it.

## When it stays silent
Sizes that are not proved; linear layers on the last axis.
"""

from trainlint.rules.api import Array, Violation, rule, same_size, shape_text, violated


@rule("flatten-missing", code="SH005", family="shape", level="error", since="0.1")
def check(fact: Violation):
    flat, wanted, got = (fact.names.get(name) for name in ("flat", "wanted", "got"))
    if fact.kind != "features" or isinstance(flat, str) or isinstance(wanted, str) or isinstance(got, str):
        return
    value = fact.values[0] if fact.values else None
    if not isinstance(value, Array) or value.rank is None or value.rank < 3 or same_size(flat, wanted) is not True:
        return
    text = "`{op}` takes {wanted} features, its input has the axes " + shape_text(value) + ": flatten it first"
    yield violated(fact, text)
