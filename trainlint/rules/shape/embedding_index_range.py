"""An index lies outside of the table of an embedding.

## What it does
Compares the least and the greatest index with the number of rows, where the program states them: literal numbers,
`arange`, `zeros` and `ones`, `randperm`; of `randint` what it may give (a warning).

## Why it matters
PyTorch raises "index out of range in self"; on a GPU the kernel asserts and the process is lost.

## Example
```py
import torch
from torch import nn

nn.Embedding(10, 4)(torch.tensor([1, 10]))  # error: [embedding-index-range]
```
Use instead: a table with one row more than the largest index.

## When it stays silent
Indices that were computed, sliced or read from data.
"""

from trainlint.rules.api import Const, Violation, rule, violated


@rule("embedding-index-range", code="SH013", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "embedding":
        return
    got = fact.names.get("got")
    if isinstance(got, Const) and isinstance(got.value, int) and got.value < 0:
        yield violated(fact, "the index {got} of `{op}` is negative: its rows are counted from 0")
    else:
        yield violated(fact, "the index {got} lies outside of the {wanted} rows of `{op}`")
