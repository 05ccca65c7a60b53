"""A window is larger than the image that is left.

## What it does
Reports a convolution or pool whose kernel is larger than its padded input: too many strides and pools for the size of
the image.

## Why it matters
PyTorch raises "kernel size can't be greater than actual input size".

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.MaxPool2d(4), nn.MaxPool2d(4))
net(torch.rand(4, 3, 32, 32))  # error: [kernel-larger-than-input]
```
Use instead: fewer strides, or larger images.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Violation, rule, violated


@rule("kernel-larger-than-input", code="SH006", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "kernel" or "got" not in fact.names or "wanted" not in fact.names:
        return
    yield violated(fact, "`{op}` needs {wanted} pixels along an axis, its padded input has {got}")
