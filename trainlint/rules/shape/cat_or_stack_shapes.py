"""The parts of a `cat` or `stack` do not fit together.

## What it does
Compares the sizes of the tensors that are joined: `stack` takes one shape, `cat` and its kin take shapes that differ in
the joined axis only.

## Why it matters
PyTorch raises "Sizes of tensors must match except in dimension 1".

## Example
```py
import torch

torch.cat([torch.rand(4, 8), torch.rand(5, 7)])  # error: [cat-or-stack-shapes]
```
Use instead: parts that agree in every other axis, or another `dim`.

## When it stays silent
Sizes that are not proved.
"""

from trainlint.rules.api import Array, Violation, path_of, rule, shape_text, violated


@rule("cat-or-stack-shapes", code="SH012", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "concat":
        return
    shapes = " after ".join(text for value in fact.values[:2] if (text := shape_text(value)))
    of = f" of {shapes}" if shapes else ""
    if fact.names.get("what") == "rank":
        text = "`{op}`" + of + ": a part has {got} axes, the first has {wanted}"
    else:
        text = "`{op}`" + of + ": axis {axis} is {got} here and {wanted} in the part before"
    draft = violated(fact, text)
    if len(fact.values) > 1 and isinstance(fact.values[1], Array):
        draft.because += tuple(b for b in path_of(fact.values[1]) if b not in draft.because)
    yield draft
