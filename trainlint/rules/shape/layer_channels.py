"""A layer takes another width than the layer before it gives.

## What it does
Compares the channels or features that a layer was built for with those of the tensor that reaches it: convolutions,
norms, linear and recurrent layers.

## Why it matters
PyTorch raises at the first batch.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(16, 32, 3))
net(torch.rand(4, 3, 32, 32))  # error: [layer-channels]
```
Use instead: `nn.Conv2d(8, 32, 3)`.

## When it stays silent
Widths that are not proved; images with another number of channels than the first layer (image-channels-mismatch).
"""

from trainlint.rules.api import Array, Const, Violation, rule, violated

PIXELS = ("255", "unit", "norm")


@rule("layer-channels", code="SH002", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind == "channels":
        first = fact.values[0] if fact.values else None
        if isinstance(first, Array) and (first.colour is not None or first.range in PIXELS):
            return
        yield violated(fact, "`{op}` takes {wanted} channels, its input has {got}")
    elif fact.kind == "features" and written(fact.names.get("got")) and not fits_flat(fact):
        yield violated(fact, "`{op}` takes {wanted} features, the layer before gives {got}")


def written(size: object) -> bool:
    """A number as it stands in the source: the width of the layer before."""
    return isinstance(size, Const) and size.literal is not None


def fits_flat(fact: Violation) -> bool:
    """Would a flatten mend it?"""
    flat, wanted = fact.names.get("flat"), fact.names.get("wanted")
    return isinstance(flat, Const) and isinstance(wanted, Const) and flat.value == wanted.value
