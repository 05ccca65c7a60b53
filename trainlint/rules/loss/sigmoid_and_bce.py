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

from trainlint.rules.api import Array, Because, Loss, OneOf, Value, finding, rule


@rule("sigmoid-and-bce", code="LS002", family="loss", level="error", since="0.1")
def check(loss: Loss):
    if loss.name == "binary_cross_entropy_with_logits":
        value = ranged(loss.input, ("sigmoid", "prob"))
        text = "the input went through a sigmoid already: `BCEWithLogitsLoss` applies it again and flattens the loss"
        what = "the first sigmoid is here"
    elif loss.name == "binary_cross_entropy":
        value = ranged(loss.input, ("logits",))
        text = "`BCELoss` needs probabilities, the input is the raw score of a layer: use `BCEWithLogitsLoss`"
        what = "the last layer, without a sigmoid after it"
    else:
        return
    if value is not None:
        because = [Because(value.via, what)] if value.via is not None else []
        yield finding(loss, text, because=because, likely=value.likely)


def ranged(value: Value | None, ranges: tuple[str, ...]) -> Array | None:
    """The array, where every alternative has one of the ranges."""
    options = value.values if isinstance(value, OneOf) else (value,)
    arrays = [v for v in options if isinstance(v, Array) and v.range in ranges]
    return arrays[0] if arrays and len(arrays) == len(options) else None
