"""A very large batch is trained with SGD from the full learning rate on.

## What it does
Reports a training loop whose effective batch, the loader's times the steps that are accumulated, has 1024 samples or
more and whose optimizer is SGD, where nothing ramps the learning rate up.

## Why it matters
The learning rate that a large batch needs is too large for the first steps, when weights change most: Goyal et al. 2017
lose accuracy without a warm-up of five epochs, and You et al. 2017 scale the rate by layer (LARS) for the same reason.

## Example
```py
import torch
from torch.utils.data import DataLoader

def train(data, model, loss_fn):
    loader = DataLoader(data, batch_size=4096, shuffle=True)  # warning: [large-batch-without-warmup]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.6, momentum=0.9)
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
```
Use instead: `LinearLR` before the main schedule, `OneCycleLR`, or LARS.

## When it stays silent
Adam and its kin, LARS, LAMB; any schedule but the plain ones that only fall; a file that speaks of warm-up or writes
the learning rate of parameter groups itself; a learning rate below 0.4; sizes that are not known.
"""

import re

from trainlint.rules.api import (
    Cond,
    DataLoader,
    Optimizer,
    Scheduler,
    TrainLoop,
    WholeProgram,
    by_default,
    finding,
    number,
    origin_of,
    rule,
)

LARGE = 1024
# what the linear rule gives at 1024 samples, from the usual 0.1 at 256; a rate that was not scaled needs no warm-up
SMALL_RATE = 0.4
FALLING = {"StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "ReduceLROnPlateau", "PolynomialLR"}
RAMPS = re.compile(r"warm[_-]?up|param_groups|burn[_-]?in|\blars\b|\blamb\b|ramp", re.I)


@rule("large-batch-without-warmup", code="BS007", family="batch", level="warning", since="0.1", preview=True)
def check(program: WholeProgram):
    if any(isinstance(f, Scheduler) and f.name.rpartition(".")[2] not in FALLING for f in program.facts):
        return
    if RAMPS.search(program.file.document.text):
        return
    optimizers = {id(f.value): f for f in program.facts if isinstance(f, Optimizer)}
    for loader in program.facts:
        if not isinstance(loader, DataLoader):
            continue
        for loop in loader.loops:
            steps = loop.of("step")
            stepped = [optimizers.get(id(step.subject)) for step in steps]
            times = rounds(loop)
            batch = number(loader.batch_size)
            if not stepped or not batch or times is None or batch * times < LARGE:
                continue
            if all(o is not None and o.family == "sgd" and (number(o.lr) or 0) >= SMALL_RATE for o in stepped):
                yield report(loader, int(batch), times)


def rounds(loop: TrainLoop) -> int | None:
    """The steps that are accumulated; None where a condition of the step is not understood."""
    conds: set[Cond] = {cond for step in loop.of("step") for cond in step.conds_in(loop.loop)}
    periods = [number(cond.period) for cond in conds if cond.kind == "modulo"]
    if not conds:
        return 1
    return int(periods[0]) if len(conds) == 1 and periods and periods[0] else None


def report(loader: DataLoader, batch: int, times: int):
    default = by_default(loader.batch_size)
    size = f"{batch}" if times == 1 else f"{batch * times} ({batch} times {times} steps)"
    text = "an effective batch of {size} with SGD and no warm-up: the first steps at the full rate are too large"
    if default:
        text += f" (with the default of {default})"
    because = origin_of(loader.batch_size, "the batch size comes from here")
    return finding(loader, text, size=size, default=default, because=because)
