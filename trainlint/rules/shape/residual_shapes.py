"""The two sides of an operation have sizes that do not fit.

## What it does
Compares the sizes of the tensors where all of them are known.

## Why it matters
PyTorch raises "The size of tensor a must match the size of tensor b".

## Example
```py
import torch
from torch import nn

torch.rand(4, 8) + torch.rand(4, 7)  # error: [residual-shapes]
```
Use instead: tensors of one shape, or sizes of 1.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Violation, rule, violated


@rule("residual-shapes", code="SH014", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind == "broadcast":
        yield violated(fact, "`{op}` of sizes that do not fit: {left} and {right}")
