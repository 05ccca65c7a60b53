"""The input of a cross-entropy loss went through softmax already.

## What it does
Follows the value that reaches `CrossEntropyLoss` through the model's `forward` and its last layers; reports it where a
softmax made it.

## Why it matters
Cross-entropy applies log-softmax itself. With softmax twice the scores lie between 0 and 1, the loss cannot fall below
a floor (1.46 for ten classes) and gradients are weak: training crawls and nothing says why.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))
target = torch.tensor([0, 1, 2, 0])
loss = nn.CrossEntropyLoss()(net(torch.rand(4, 10)), target)  # error: [softmax-before-cross-entropy]
```
Use instead: the raw scores of the last layer; apply softmax only where probabilities are shown.

## When it stays silent
Class probabilities as the *target*; losses with their own formula; `log_softmax`, which changes nothing; values that
are not proved to come from softmax.
"""

from trainlint.rules.api import Array, Because, Loss, OneOf, Value, finding, rule


@rule("softmax-before-cross-entropy", code="LS001", family="loss", level="error", since="0.1")
def check(loss: Loss):
    if loss.name != "cross_entropy":
        return
    source = softmaxed(loss.input)
    if source is None:
        return
    because = [Because(source.via, "softmax is applied here")] if source.via is not None else []
    text = "the input went through softmax already: cross-entropy applies log-softmax itself, so the loss is flattened"
    yield finding(loss, text, because=because, likely=source.likely)


def softmaxed(value: Value | None) -> Array | None:
    """The array, where every alternative is the result of a softmax."""
    options = value.values if isinstance(value, OneOf) else (value,)
    arrays = [v for v in options if isinstance(v, Array) and v.range == "prob"]
    return arrays[0] if arrays and len(arrays) == len(options) else None
