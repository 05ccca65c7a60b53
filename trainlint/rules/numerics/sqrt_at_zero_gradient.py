"""A root is kept from 0 only after it was taken: at 0 its gradient is infinite.

## What it does
Reports the square root of a sum of squares that gets its lower bound or its epsilon outside of the root.

## Why it matters
At 0 the gradient of the root is 1 / 0. The bound behind it multiplies that by 0, which gives NaN, and one silent clip
or one row of padding is enough to lose the weights.

## Example
```py
import torch

def normalised(x):
    length = torch.sqrt((x**2).sum(-1, keepdim=True))  # warning: [sqrt-at-zero-gradient]
    return x / length.clamp(min=1e-8)
```
Use instead: `torch.sqrt((x**2).sum(-1, keepdim=True) + 1e-16)`.

## When it stays silent
An addend or a bound inside the root; roots that nothing guards; `torch.norm`, whose gradient at 0 is 0; `no_grad`.
"""

from trainlint.rules.api import Because, Unstable, finding, rule


@rule("sqrt-at-zero-gradient", code="NU008", family="numerics", level="warning", since="0.1")
def check(fact: Unstable):
    if fact.form != "root":
        return
    where = fact.made if fact.made is not None else fact.place
    because = [Because(fact.place, "kept from 0 here, behind the root")] if where is not fact.place else []
    text = "the root of a sum of squares is kept from 0 behind the root: at 0 its gradient is NaN"
    yield finding(where, text, because=because, likely=fact.value.likely)
