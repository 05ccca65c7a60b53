"""A cross-entropy over one class.

## What it does
Reports `CrossEntropyLoss` whose input has one score for each sample.

## Why it matters
The softmax of one score is 1: the loss is 0 whatever the model says, and nothing is learned (a label above 0 raises).

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Linear(20, 1))
labels = torch.tensor([0, 1, 1, 0])
loss = nn.CrossEntropyLoss()(net(torch.rand(4, 20)), labels)  # error: [one-logit-cross-entropy]
```
Use instead: two scores, or `BCEWithLogitsLoss` on one.

## When it stays silent
Inputs whose class axis is not known.
"""

from trainlint.rules.api import Array, Because, Const, Loss, alternatives, axis, by_default, finding, rule, same_size


@rule("one-logit-cross-entropy", code="LS010", family="loss", level="error", since="0.1")
def check(loss: Loss):
    if loss.name != "cross_entropy" or loss.input is None or len(alternatives(loss.input)) > 1:
        return
    value = loss.input
    classes = class_axis(value)
    if not isinstance(value, Array) or same_size(classes, Const(1)) is not True:
        return
    because = [Because(value.via, "the last layer has one output")] if value.via is not None else []
    text = "the input has one score for each sample: the cross-entropy over one class is always 0"
    yield finding(loss, text, because=because, default=by_default(classes), likely=value.likely)


def class_axis(value: object):
    """The size of the axis that cross-entropy takes for the classes."""
    if not isinstance(value, Array):
        return None
    if value.rank is not None:
        return axis(value, 1) if value.rank >= 2 else None
    return axis(value, -1) if value.range == "logits" else None
