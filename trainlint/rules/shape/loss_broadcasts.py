"""Input and target of a loss have different sizes: they are broadcast against each other, or refused.

## What it does
Compares the sizes of input and target of `MSELoss`, `L1Loss`, `SmoothL1Loss` and `HuberLoss`; reports them where both
are stretched, as (N, 1) against (N,). For binary cross-entropy, which refuses other sizes, that is an error.

## Why it matters
(N, 1) against (N,) gives (N, N): every output is compared with the target of every sample. PyTorch only warns; the
model learns the mean of the targets.

## Example
```py
import torch
from torch import nn

net = nn.Linear(20, 1)
loss = nn.MSELoss()(net(torch.rand(8, 20)), torch.rand(8))  # warning: [loss-broadcasts]
```
Use instead: `target.unsqueeze(1)`, or `output.squeeze(1)`.

## When it stays silent
Sizes that are not proved; a target that is stretched to the sizes of the input (one number for all); a batch of one.
"""

from trainlint.rules.api import (
    Array,
    Const,
    Draft,
    Loss,
    Sym,
    Value,
    Violation,
    WholeProgram,
    alternatives,
    finding,
    path_of,
    rule,
    same_size,
    shape_text,
    usual_size,
)

STRETCHING = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
BINARY = ("BCELoss", "binary_cross_entropy", "BCEWithLogitsLoss", "binary_cross_entropy_with_logits")


@rule("loss-broadcasts", code="SH004", family="shape", level="warning", since="0.1")
def check(program: WholeProgram):
    for fact in program.facts:
        if isinstance(fact, Loss) and fact.name in STRETCHING:
            yield from stretched(fact)
        elif isinstance(fact, Violation) and fact.kind == "loss" and fact.op in BINARY:
            if fact.names.get("what") == "sizes" and len(fact.values) == 2:
                yield refused(fact)


def stretched(loss: Loss):
    """Both sides are stretched by the broadcasting."""
    first, target = loss.input, loss.target
    if not isinstance(first, Array) or not isinstance(target, Array):
        return
    sizes = beside(first, target)
    if not any(grows(a, b) for a, b in sizes) or not any(grows(b, a) for a, b in sizes):
        return
    text = "input {first} and target {target} are broadcast: each output is compared with the targets of all samples"
    text = text.format(first=shape_text(first), target=shape_text(target))
    yield finding(loss, text, because=path_of(first), likely=first.likely or target.likely)


def beside(first: Array, target: Array):
    """The sizes axis by axis; an axis in front that one of the two does not have is None there."""
    if first.shape is None or target.shape is None:
        return []
    length = max(len(first.shape), len(target.shape))
    left, right = ([None] * (length - len(shape)) + list(shape) for shape in (first.shape, target.shape))
    return list(zip(left, right, strict=True))


def grows(size, other) -> bool:
    """Is an axis stretched from 1 (or nothing) to more?"""
    return other is not None and many(other) and (size is None or same_size(size, Const(1)) is True)


def many(size: Value) -> bool:
    """More than 1: a constant, or a batch that is not made of single samples."""
    return all(isinstance(v, (Const, Sym)) and usual_size(v) != 1 for v in alternatives(size))


def refused(fact: Violation) -> Draft:
    first, target = fact.values
    text = "`{op}` needs input and target of the same sizes: {first} and {target}"
    return finding(
        fact,
        text,
        op=fact.op,
        first=shape_text(first),
        target=shape_text(target),
        because=path_of(first),
        level="error",
        default=fact.default,
        likely=fact.likely,
    )
