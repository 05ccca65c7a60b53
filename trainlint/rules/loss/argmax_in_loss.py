"""A loss is computed on class indices: no gradient reaches the model.

## What it does
Reports a loss whose input is the result of `argmax` (or the indices of `max` and `topk`).

## Why it matters
`argmax` is not differentiable: backward raises, or after `requires_grad_()` trains nothing.

## Example
```py
import torch
from torch import nn

net = nn.Linear(10, 3)
prediction = net(torch.rand(4, 10)).argmax(dim=1).float()
loss = nn.MSELoss()(prediction, torch.rand(4))  # error: [argmax-in-loss]
```
Use instead: cross-entropy on the scores.

## When it stays silent
Metrics that are not losses of torch; values not proved to be indices; losses under `no_grad`.
"""

from trainlint.rules.api import Array, Because, Loss, WholeProgram, finding, rule


@rule("argmax-in-loss", code="LS009", family="loss", level="error", since="0.1")
def check(program: WholeProgram):
    # under no_grad the loss is only measured
    trained = {id(event.node) for trace in program.traces for event in trace.of("loss") if event.grad}
    for loss in program.facts:
        if not isinstance(loss, Loss) or id(loss.node) not in trained:
            continue
        value = loss.input
        if not isinstance(value, Array) or value.range != "index":
            continue
        because = [Because(value.via, "the indices are taken here")] if value.via is not None else []
        text = "the loss is computed on class indices: no gradient passes through `argmax`"
        yield finding(loss, text, because=because, likely=value.likely)
