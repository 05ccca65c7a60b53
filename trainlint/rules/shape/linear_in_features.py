"""A linear layer takes another number of features than its input has.

## What it does
Computes the size of the tensor that reaches a `Linear` (through convolutions, pools and the flatten before it) and
compares it with `in_features`.

## Why it matters
PyTorch raises "mat1 and mat2 shapes cannot be multiplied" at the first batch.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 14 * 14, 10))
net(torch.rand(8, 1, 28, 28))  # error: [linear-in-features]
```
Use instead: `nn.Linear(6 * 12 * 12, 10)`.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Const, Place, Violation, ir, replace, rule, size_text, violated


@rule("linear-in-features", code="SH001", family="shape", level="error", since="0.1")
def check(fact: Violation):
    got, wanted = fact.names.get("got"), fact.names.get("wanted")
    if fact.kind != "features" or written(got) or got is None or wanted is None:
        return
    if "flat" in fact.names and flattened(fact):
        return
    yield violated(fact, "`{op}` takes {wanted} features, its input has {got}", fix=replaced(fact))


def written(size: object) -> bool:
    """A number as it stands in the source: the width of the layer before."""
    return isinstance(size, Const) and size.literal is not None


def flattened(fact: Violation) -> bool:
    """Would a flatten mend it?"""
    flat, wanted = fact.names["flat"], fact.names["wanted"]
    return isinstance(flat, Const) and isinstance(wanted, Const) and flat.value == wanted.value


def replaced(fact: Violation):
    """Write the computed size into the constructor."""
    maker, got = fact.maker, fact.names["got"]
    node = maker.node if maker is not None else None
    if maker is None or not isinstance(node, ir.Call) or not isinstance(got, Const) or fact.op != "Linear":
        return None
    first = next((v for k, v in node.keywords if k == "in_features"), node.args[0] if node.args else None)
    if first is None or isinstance(first, ir.Star):
        return None
    return replace("use the computed size", Place(maker.path, first), size_text(got), safety="unsafe")
