"""The inner sizes of a matrix product differ.

## What it does
Compares the sizes of the tensors where all of them are known.

## Why it matters
PyTorch raises "mat1 and mat2 shapes cannot be multiplied".

## Example
```py
import torch
from torch import nn

torch.rand(4, 8) @ torch.rand(4, 8)  # error: [matmul-shapes]
```
Use instead: `a @ b.T`.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Violation, rule, violated


@rule("matmul-shapes", code="SH003", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind == "matmul":
        yield violated(
            fact,
            "`{op}` of sizes that do not fit: the last axis of the left side and the first of the right side differ",
        )
