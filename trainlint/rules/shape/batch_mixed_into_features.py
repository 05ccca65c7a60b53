"""A reshape mixes the samples of a batch.

## What it does
Reports `view(-1, k)` where k is not the number of elements of a sample: one row begins in one sample and ends in the
next. Reports `view(64, -1)` as well where 64 is the batch size and the last batch of the loader is smaller.

## Why it matters
The number of rows is no longer the batch size. Where it is not caught by the loss, the model learns from samples that
are cut in pieces.

## Example
```py
import torch
from torchvision import datasets, transforms

data = datasets.MNIST("data", transform=transforms.ToTensor())
for x, y in torch.utils.data.DataLoader(data, batch_size=64):
    rows = x.view(-1, 32 * 32)  # error: [batch-mixed-into-features]
```
Use instead: `x.flatten(1)`.

## When it stays silent
Rows that are whole samples, or parts of one of equal size; sizes that are not proved.
"""

from trainlint.rules.api import BatchMixed, at, finding, ir, path_of, replace, rule, shape_text, size_text, source


@rule("batch-mixed-into-features", code="SH007", family="shape", level="error", since="0.1")
def check(fact: BatchMixed):
    if fact.fixed is not None:
        yield fixed_batch(fact)
        return
    text = "a row gets {k} elements, a sample of {shape} has {rest}: the samples of the batch are mixed"
    yield finding(
        fact,
        text,
        k=size_text(fact.k),
        rest=size_text(fact.rest),
        shape=shape_text(fact.value),
        because=path_of(fact.value),
        likely=fact.value.likely,
    )


def fixed_batch(fact: BatchMixed):
    """`x.view(64, -1)`: right until the last batch comes."""
    node, fix = fact.node, None
    if isinstance(node, ir.Call) and isinstance(node.func, ir.Attr) and node.args:
        name, first = f"{source(node.func.value)}.size(0)", node.args[0]
        if isinstance(first, ir.Const):
            fix = replace(f"use `{name}`", at(fact.file, first), name, safety="unsafe")
    text = "the batch is fixed at {fixed}, the last has {last} samples: a row gets {k} elements, a sample has {rest}"
    return finding(
        fact,
        text,
        fixed=size_text(fact.fixed),
        last=fact.last,
        k=size_text(fact.k),
        rest=size_text(fact.rest),
        because=path_of(fact.value),
        likely=fact.value.likely,
        fix=fix,
    )
