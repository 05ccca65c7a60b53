"""The parts of a `cat` or `stack` do not fit together.

## What it does
Compares the sizes of the tensors where all of them are known.

## Why it matters
PyTorch raises "Sizes of tensors must match".

## Example
```py
import torch
from torch import nn

torch.cat([torch.rand(4, 8), torch.rand(5, 7)])  # error: [cat-or-stack-shapes]
```
Use instead: parts that agree in every other axis.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Violation, rule, violated


@rule("cat-or-stack-shapes", code="SH012", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind == "concat":
        yield violated(fact, "the parts of `{op}` differ where they must not")
