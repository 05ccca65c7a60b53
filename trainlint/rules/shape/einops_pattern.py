"""A pattern of einops does not fit.

## What it does
Reads the patterns of `rearrange`, `reduce`, `repeat`, `einsum` and the layers `Rearrange` and `Reduce`: names on one
side only, brackets, sizes that are not given, the number of axes of the tensor, and sizes that do not divide.

## Why it matters
einops raises an `EinopsError` at the first batch.

## Example
```py
import torch
from einops import rearrange

images = torch.rand(8, 3, 224, 224)
rearrange(images, "b c (h p) (w q) -> b (h w) (p q c)", p=14, q=15)  # error: [einops-pattern]
```
Use instead: sizes that divide 224.

## When it stays silent
Patterns that are no literals, sizes that are not proved.
"""

from trainlint.rules.api import Array, Violation, rule, shape_text, violated


@rule("einops-pattern", code="SH011", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "einops":
        return
    tensor = next((value for value in fact.values if isinstance(value, Array)), None)
    shape = shape_text(tensor) if "got" in fact.names else ""
    yield violated(fact, '`{op}` of "{pattern}": {what}' + (f" (its shape: {shape})" if shape else ""))
