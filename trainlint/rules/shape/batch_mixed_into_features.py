"""A reshape mixes the samples of a batch.

## What it does
Reports `view(-1, k)` where k is not the number of elements of a sample: one row begins in one sample and ends in the
next.

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

from trainlint.rules.api import BatchMixed, finding, path_of, rule, shape_text, size_text


@rule("batch-mixed-into-features", code="SH007", family="shape", level="error", since="0.1")
def check(fact: BatchMixed):
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
