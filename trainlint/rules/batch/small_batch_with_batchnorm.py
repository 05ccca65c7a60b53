"""The training batch is too small for BatchNorm's statistics.

## What it does
Reports a training loader with a batch size from 2 to 7 in a file whose model has BatchNorm layers.

## Why it matters
BatchNorm estimates mean and variance from the batch: below about 8 samples the estimates are noisy and accuracy falls
(Wu & He 2018, figure 1).

## Example
```py
import torch
from torch import nn
from torch.utils.data import DataLoader

def train(data):
    loader = DataLoader(data, batch_size=2, shuffle=True)  # info: [small-batch-with-batchnorm]
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
```
Use instead: a larger batch, GroupNorm, SyncBatchNorm over several devices, or frozen statistics.

## When it stays silent
Evaluation loaders; batch size 1 (often meant: detection, GANs on single images); SyncBatchNorm; frozen BatchNorm;
distributed training; two optimizers (GANs).
"""

from trainlint.rules.api import DataLoader, Optimizer, WholeProgram, by_default, finding, number, origin_of, rule

NORMS = {"torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d"}
OTHER = ("SyncBatchNorm", "FrozenBatchNorm2d", "DistributedDataParallel", "InstanceNorm2d", "DistributedSampler")


@rule("small-batch-with-batchnorm", code="BS003", family="batch", level="info", since="0.1")
def check(program: WholeProgram):
    names = program.called
    if not names & NORMS or any(name.rpartition(".")[2] in OTHER or "convert_sync" in name for name in names):
        return
    optimizers = [f for f in program.facts if isinstance(f, Optimizer)]
    if len({o.node for o in optimizers}) != 1:
        return
    for loader in program.facts:
        if not isinstance(loader, DataLoader) or not loader.loops:
            continue
        batch = number(loader.batch_size)
        if batch is not None and 2 <= batch < 8:
            default = by_default(loader.batch_size)
            because = origin_of(loader.batch_size, "the batch size comes from here")
            text = "batch size {batch} is small for BatchNorm: its statistics are noisy below about 8 samples"
            if default:
                text += f" (with the default of {default})"
            yield finding(loader, text, batch=int(batch), default=default, because=because)
