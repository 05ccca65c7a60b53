"""An index lies outside of the table of an embedding.

## What it does
Compares the sizes of the tensors where all of them are known.

## Why it matters
PyTorch raises "index out of range"; on a GPU the kernel asserts and the process is lost.

## Example
```py
import torch
from torch import nn

nn.Embedding(10, 4)(torch.tensor([1, 10]))  # error: [embedding-index-range]
```
Use instead: a table with one row more than the largest index.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Violation, rule, violated


@rule("embedding-index-range", code="SH013", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind == "embedding":
        yield violated(fact, "an index outside of the table of {wanted} rows reaches `{op}`")
