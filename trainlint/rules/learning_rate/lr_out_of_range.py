"""The learning rate is far outside what the optimizer can use.

## What it does
Compares a constant learning rate with the range of its optimizer: Adam and its kin from 0.1 (info from 0.05), SGD above
10 (info above 2), fine-tuning arguments of a Trainer from 5e-3, any rate of 1e-8 or less.

## Why it matters
Adam moves every weight by about the learning rate in each step: at 0.1 the weights are noise after a few steps. A rate
near zero trains nothing.

## Example
```py
import torch

model = torch.nn.Linear(3, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.5)  # warning: [lr-out-of-range]
```
Use instead: 1e-3 for Adam, 1e-4 to 1e-5 for fine-tuning, 0.1 for SGD on normalised networks.

## When it stays silent
Optimizers with scales of their own (Adadelta, LBFGS, Rprop, Adafactor, Prodigy, D-Adaptation); rates under a schedule
that sets them absolutely (`LambdaLR`, warm-up with a start value, cyclic and one-cycle schedules, LR finders); values
that are not constants; optimizers of single tensors (images, perturbations), whose scale is their own.
"""

from trainlint.rules.api import (
    Array,
    Optimizer,
    Scheduler,
    Seq,
    Unknown,
    WholeProgram,
    at,
    by_default,
    finding,
    number,
    origin_of,
    rule,
    same_thing,
    shown,
)

# optimizer family → (warning from, info from): Kingma & Ba 2015 use 1e-3; torch.optim defaults 1e-3; linear probes of
# MoCo use SGD at 30, so SGD warns only far above any recipe
LIMITS = {"adam": (0.1, 0.05), "sgd": (50.0, 10.0), "fine-tuning": (5e-3, 1e-3)}
OWN_SCALE = ("Adadelta", "LBFGS", "Rprop", "Adafactor", "Prodigy", "DAdaptAdam", "DAdaptSGD", "Adagrad", "SparseAdam")
SETS_RATE = ("LambdaLR", "OneCycleLR", "CyclicLR")


@rule("lr-out-of-range", code="LR004", family="learning-rate", level="warning", since="0.1")
def check(program: WholeProgram):
    schedulers = [f for f in program.facts if isinstance(f, Scheduler)]
    for optimizer in program.facts:
        if isinstance(optimizer, Optimizer) and optimizer.file is program.file:
            yield from judged(optimizer, schedulers)


def judged(optimizer: Optimizer, schedulers: list[Scheduler]):
    lr = number(optimizer.lr)
    short = optimizer.name.rpartition(".")[2]
    if lr is None or short in OWN_SCALE or of_tensors(optimizer) or any(sets_rate(s, optimizer) for s in schedulers):
        return
    warn, info = LIMITS.get(optimizer.family, (float("inf"), float("inf")))
    default = by_default(optimizer.lr)
    shown_lr = f"the default lr={shown(lr)} of {default}" if default else f"lr={shown(lr)}"
    where = at(optimizer.file, optimizer.lr_node) if optimizer.lr_node is not None else optimizer.place
    because = [b for b in origin_of(optimizer.lr, "the value comes from here") if b.place.line != where.line]
    if lr < 0 or (lr <= 1e-8 and lr != 0 and not schedulers):
        text = "{lr} is too small for `{name}` to move any weight"
    elif lr >= warn:
        text = "{lr} is far too high for `{name}`: " + reason(optimizer.family)
    elif lr >= info:
        text = "{lr} is high for `{name}`: " + reason(optimizer.family)
    else:
        return
    yield finding(
        where,
        text,
        lr=shown_lr,
        name=short,
        because=because,
        default=default,
        level="info" if info <= lr < warn else None,
    )


def reason(family: str) -> str:
    if family == "adam":
        return "Adam moves every weight by about the learning rate in each step, 1e-3 is usual"
    if family == "fine-tuning":
        return "fine-tuning a pretrained transformer uses 1e-5 to 1e-4"
    return "0.1 is usual"


def of_tensors(optimizer: Optimizer) -> bool:
    """Does it optimise single tensors (an image, a perturbation), whose scale is not that of weights?"""
    params = optimizer.params
    items = (params.items if isinstance(params, Seq) else None) or []
    return bool(items) and all(isinstance(item, (Unknown, Array)) for item in items)


def sets_rate(scheduler: Scheduler, optimizer: Optimizer) -> bool:
    return scheduler.name.rpartition(".")[2] in SETS_RATE and same_thing(scheduler.optimizer, optimizer.value)
