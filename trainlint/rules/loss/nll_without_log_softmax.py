"""The negative log-likelihood gets values that are no log-probabilities.

## What it does
Reports `NLLLoss` or `nll_loss` whose input is the raw score of a layer, or the result of a softmax.

## Why it matters
`NLLLoss` only picks the entry of the right class. With raw scores it can fall without end; with probabilities its
gradient does not depend on the other classes.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Linear(20, 3))
loss = nn.NLLLoss()(net(torch.rand(4, 20)), torch.tensor([0, 1, 2, 0]))  # error: [nll-without-log-softmax]
```
Use instead: `CrossEntropyLoss` on the scores, or `log_softmax` before `NLLLoss`.

## When it stays silent
Values whose last operation is not proved; a `.log()` on the way.
"""

from trainlint.rules.api import Array, Because, Loss, alternatives, finding, rule

WHAT = {"logits": "raw scores", "prob": "probabilities"}


@rule("nll-without-log-softmax", code="LS003", family="loss", level="error", since="0.1")
def check(loss: Loss):
    if loss.name != "nll_loss" or loss.input is None:
        return
    options = alternatives(loss.input)
    first = options[0]
    if not isinstance(first, Array) or not all(isinstance(v, Array) and v.range in WHAT for v in options):
        return
    what = WHAT[first.range or ""]
    because = [Because(first.via, f"{what} are made here")] if first.via is not None else []
    text = "`NLLLoss` takes log-probabilities, it gets {what}"
    yield finding(loss, text, what=what, because=because, likely=first.likely)
