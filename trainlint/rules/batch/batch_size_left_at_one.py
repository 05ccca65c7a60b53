"""A training loader is built without a batch size: it gives one sample at a time.

## What it does
Reports a `DataLoader` without `batch_size` and `batch_sampler` that a training loop iterates.

## Why it matters
The default of torch is 1, not 32: training is slow, gradients are noisy, and BatchNorm has nothing to average over.

## Example
```py
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(1000, 40), torch.randn(1000, 1))
loader = DataLoader(data, shuffle=True)  # warning: [batch-size-left-at-one]
net = nn.Linear(40, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for x, y in loader:
    optimizer.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    optimizer.step()
```
Use instead: `batch_size=32`, or `batch_size=1` where that is meant.

## When it stays silent
A batch size that is given, `None` and `1` included; a sampler, a `collate_fn` or a keyword spill; data sets that are
not known to give single samples; several optimizers; gradients accumulated over several steps.
"""

from trainlint.rules.api import DataLoader, Instance, Obj, Optimizer, WholeProgram, finding, rule

GIVEN = {"batch_size", "batch_sampler", "sampler", "collate_fn", "*", "**"}


@rule("batch-size-left-at-one", code="BS006", family="batch", level="warning", since="0.1", preview=True)
def check(program: WholeProgram):
    if len({f.node for f in program.facts if isinstance(f, Optimizer)}) > 1:
        return
    for loader in program.facts:
        if isinstance(loader, DataLoader) and left_out(loader) and single(loader.dataset) and not accumulates(loader):
            yield finding(loader, "this loader gives one sample at a time: without `batch_size` it is 1")


def left_out(loader: DataLoader) -> bool:
    """Does a training loop iterate the loader, with nothing said about batches?"""
    return bool(loader.loops) and len(loader.value.args) < 2 and not GIVEN & loader.value.kwargs.keys()


def single(dataset: object) -> bool:
    """Is the data set one that gives single samples: of a library, or a class of the workspace with `__getitem__`?"""
    if isinstance(dataset, Obj):
        return dataset.kind in ("dataset", "subset")
    return isinstance(dataset, Instance) and dataset.cls.find("__getitem__") is not None


def accumulates(loader: DataLoader) -> bool:
    """Does the optimizer step in some of the rounds only?"""
    return any(step.conds_in(loop.loop) for loop in loader.loops for step in loop.of("step"))
