"""A batch of one sample gives BatchNorm a single value for each channel.

## What it does
Reports a BatchNorm layer in train mode, inside a loop, whose input has one sample and no further axis larger than one.

## Why it matters
A single value has no variance: torch raises "Expected more than 1 value per channel when training".

## Example
```py
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(1000, 40), torch.randn(1000, 1))
net = nn.Sequential(nn.Linear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for x, y in DataLoader(data, batch_size=1, shuffle=True):
    optimizer.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()  # error: [batch-of-one-with-batchnorm]
    optimizer.step()
```
Use instead: a larger batch, or GroupNorm or LayerNorm, which look at one sample.

## When it stays silent
Eval mode; inputs with a length or an image behind the channels; sizes that are not known; loops without gradients.
"""

from trainlint.rules.api import Violation, origin_of, rule, violated


@rule("batch-of-one-with-batchnorm", code="BS002", family="batch", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "single":
        return
    text = "`{op}` gets one value for each channel (a batch of one): it cannot normalise it in train mode"
    draft = violated(fact, text)
    batch = fact.names.get("got")
    if not isinstance(batch, str):
        draft.because = (*draft.because, *origin_of(batch, "the batch size comes from here"))
    yield draft
