"""The target of a loss is what the model computed.

## What it does
Reports a classification loss whose second argument is the raw score of a layer with a gradient, where the first one is
not.

## Why it matters
PyTorch takes the prediction first and the target second. The other way round the call raises, or the model is trained
towards nonsense.

## Example
```py
import torch
from torch import nn

net = nn.Linear(20, 3)
labels = torch.tensor([0, 1, 2, 0])
loss = nn.CrossEntropyLoss()(labels, net(torch.rand(4, 20)))  # error: [loss-arguments-swapped]
```
Use instead: `criterion(output, target)`.

## When it stays silent
Losses that do not tell the two apart (MSE, L1); probabilities and detached scores as the target.
"""

from trainlint.rules.api import Array, Because, Loss, at, finding, ir, replace, rule, source

ORDERED = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


@rule("loss-arguments-swapped", code="LS006", family="loss", level="error", since="0.1")
def check(loss: Loss):
    target, given = loss.target, loss.input
    if loss.name not in ORDERED or not isinstance(target, Array):
        return
    if target.grad is not True or target.range not in ("logits", "logprob"):
        return
    if isinstance(given, Array) and (given.grad is not False or given.range in ("logits", "logprob", "prob")):
        return
    because = [Because(target.via, "the scores are made here")] if target.via is not None else []
    text = "the second argument of `{name}` is the target, it gets the scores of the model"
    yield finding(loss, text, name=loss.name, because=because, fix=swapped(loss), likely=target.likely)


def swapped(loss: Loss):
    """Exchange two plain positional arguments."""
    args = loss.node.args
    if len(args) != 2 or any(isinstance(a, ir.Star) for a in args):
        return None
    first, second = (at(loss.file, a) for a in args)
    one = replace("exchange the arguments", first, source(args[1]), safety="unsafe")
    other = replace("exchange the arguments", second, source(args[0]), safety="unsafe")
    if one is None or other is None:
        return None
    return type(one)(one.title, one.safety, one.edits + other.edits)
