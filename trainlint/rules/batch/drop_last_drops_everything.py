"""The batch is larger than the data set and `drop_last` drops it: the loader yields nothing.

## What it does
Reports a loader with `drop_last=True` whose batch size exceeds the length of its data set.

## Why it matters
The only batch is incomplete and dropped: the loop body never runs, and nothing says so.

## Example
```py
import torch
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(100, 3))
loader = DataLoader(data, batch_size=128, drop_last=True)  # error: [drop-last-drops-everything]
```
Use instead: a smaller batch, or `drop_last=False`.

## When it stays silent
A length, batch or flag that is not known.
"""

from trainlint.rules.api import DataLoader, by_default, finding, known, number, rule


@rule("drop-last-drops-everything", code="BS005", family="batch", level="error", since="0.1")
def check(loader: DataLoader):
    length, batch = number(loader.length), number(loader.batch_size)
    if length is None or batch is None or batch <= length or known(loader.drop_last) is not True:
        return
    default = by_default(loader.length, loader.batch_size, loader.drop_last)
    text = "the loader yields nothing: {length} samples do not fill one batch of {batch}, and `drop_last` drops it"
    if default:
        text += f" (with the default of {default})"
    yield finding(loader, text, length=int(length), batch=int(batch), default=default)
