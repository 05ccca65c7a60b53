"""The logarithm of a probability that may be 0.

## What it does
Reports `log` of the result of a softmax or sigmoid without a clamp or an addend.

## Why it matters
In float32 a softmax or sigmoid reaches 0 for scores beyond 104 apart, in float16 much sooner. The logarithm is then
-inf, the gradient NaN, and the weights are lost.

## Example
```py
import torch
from torch.nn import functional as F

def entropy(scores):
    p = F.softmax(scores, dim=-1)
    return -(p * torch.log(p)).sum(-1)  # warning: [unclamped-log-or-division]
```
Use instead: `log_softmax` or `logsigmoid`.

## When it stays silent
Anything added or clamped; values that are not proved to be a softmax or sigmoid.
"""

from typing import Literal

from trainlint.rules.api import Array, Because, Call, alternatives, finding, rule

SAFE = {"prob": "log_softmax", "sigmoid": "logsigmoid"}


@rule("unclamped-log-or-division", code="NU001", family="numerics", level="warning", since="0.1")
def check(call: Call[Literal["torch.log", "torch.log2", "torch.log10"]]):
    value = call.arg(0, "input")
    options = alternatives(value) if value is not None else ()
    if not options or not all(isinstance(v, Array) and v.range in SAFE for v in options):
        return
    first = options[0]
    assert isinstance(first, Array)
    because = [Because(first.via, "the probability is made here")] if first.via is not None else []
    text = "the logarithm of a probability that may be 0: use `{safe}`"
    yield finding(call, text, safe=SAFE[first.range or ""], because=because, likely=first.likely)
