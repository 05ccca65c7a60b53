"""The first argument of a KL divergence must be log-probabilities.

## What it does
Reports `KLDivLoss` or `kl_div` whose input went through softmax, or is the raw score of a layer.

## Why it matters
torch computes `target * (log(target) - input)`: with probabilities for the input the value is not a divergence and can
be negative.

## Example
```py
import torch
import torch.nn.functional as F

student, teacher = torch.rand(4, 10), torch.rand(4, 10)
loss = F.kl_div(F.softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")  # error: [kl-div-input]
```
Use instead: `F.log_softmax(student, dim=1)`.

## When it stays silent
Values whose last operation is not proved; a `.log()` on the way.
"""

from trainlint.rules.api import Array, Because, Loss, finding, rule


@rule("kl-div-input", code="LS008", family="loss", level="error", since="0.1")
def check(loss: Loss):
    value = loss.input
    if loss.name != "kl_div" or not isinstance(value, Array) or value.range not in ("prob", "sigmoid", "logits"):
        return
    what = "raw scores" if value.range == "logits" else "probabilities"
    because = [Because(value.via, f"{what} are made here")] if value.via is not None else []
    text = "the first argument of a KL divergence must be log-probabilities, it gets {what}"
    yield finding(loss, text, what=what, because=because, likely=value.likely)
