"""Sigmoid and a binary cross-entropy do not fit: twice, or not at all.

## What it does
Reports `BCEWithLogitsLoss` on values that went through sigmoid or softmax, and `BCELoss` on the raw scores of a layer.

## Why it matters
`BCEWithLogitsLoss` applies the sigmoid itself: twice flattens the loss. `BCELoss` takes the logarithm of its input:
raw scores outside 0 to 1 raise or give NaN.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Linear(20, 1))
loss = nn.BCELoss()(net(torch.rand(4, 20)), torch.rand(4, 1))  # error: [sigmoid-and-bce]
```
Use instead: `BCEWithLogitsLoss` on the raw scores.

## When it stays silent
Values whose last operation is not proved.
"""

from trainlint.rules.api import (
    Array,
    Because,
    Loss,
    OneOf,
    Place,
    Value,
    WholeProgram,
    at,
    finding,
    ir,
    replace,
    rule,
    source,
)

WITH_LOGITS = {"BCELoss": "BCEWithLogitsLoss", "binary_cross_entropy": "binary_cross_entropy_with_logits"}


@rule("sigmoid-and-bce", code="LS002", family="loss", level="error", since="0.1")
def check(program: WholeProgram):
    losses = [fact for fact in program.facts if isinstance(fact, Loss)]
    for loss in losses:
        fix = None
        if loss.name == "binary_cross_entropy_with_logits":
            value = ranged(loss.input, ("sigmoid", "prob"))
            text = (
                "the input went through a sigmoid already: `BCEWithLogitsLoss` applies it again and flattens the loss"
            )
            what = "the first sigmoid is here"
        elif loss.name == "binary_cross_entropy":
            value = ranged(loss.input, ("logits",))
            text = "`BCELoss` needs probabilities, the input is the raw score of a layer: use `BCEWithLogitsLoss`"
            what = "the last layer, without a sigmoid after it"
            fix = with_logits(loss, losses)
        else:
            continue
        if value is not None:
            because = [Because(value.via, what)] if value.via is not None else []
            yield finding(loss, text, because=because, likely=value.likely, fix=fix)


def ranged(value: Value | None, ranges: tuple[str, ...]) -> Array | None:
    """The array, where every alternative has one of the ranges."""
    options = value.values if isinstance(value, OneOf) else (value,)
    arrays = [v for v in options if isinstance(v, Array) and v.range in ranges]
    return arrays[0] if arrays and len(arrays) == len(options) else None


def with_logits(loss: Loss, losses: list[Loss]):
    """The loss that takes raw scores, in the place of the one that does not; every use of it must have raw scores."""
    built = loss.loss.node if loss.loss is not None else loss.node
    uses = [each for each in losses if each.loss is loss.loss and (each.loss is not None or each.node is loss.node)]
    if not isinstance(built, ir.Call) or not isinstance(built.func, ir.Attr):
        return None
    name = WITH_LOGITS.get(built.func.name)
    if name is None or any(ranged(use.input, ("logits",)) is None for use in uses):
        return None
    where = Place(loss.loss.file, built.func) if loss.loss is not None else at(loss.file, built.func)
    return replace(f"use {name}", where, source(built.func).removesuffix(built.func.name) + name)
