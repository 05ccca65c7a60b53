"""`backward` on a loss that was not reduced to one number.

## What it does
Reports `loss.backward()` where the loss was made with `reduction="none"`.

## Why it matters
PyTorch raises "grad can be implicitly created only for scalar outputs".

## Example
```py
import torch
from torch import nn

net = nn.Linear(20, 3)
loss = nn.CrossEntropyLoss(reduction="none")(net(torch.rand(4, 20)), torch.tensor([0, 1, 2, 0]))
loss.backward()  # error: [unreduced-backward]
```
Use instead: `loss.mean().backward()`.

## When it stays silent
Losses that are reduced or weighted afterwards; a gradient that is passed to `backward`.
"""

from trainlint.rules.api import Array, Because, Const, Loss, WholeProgram, axis, finding, known, rule, same_size


@rule("unreduced-backward", code="LS007", family="loss", level="error", since="0.1")
def check(program: WholeProgram):
    unreduced = {id(f.result): f for f in program.facts if isinstance(f, Loss) and reduction(f) == "none"}
    for trace in program.traces:
        for event in trace.of("backward"):
            loss = unreduced.get(id(event.subject))
            if loss is None or event.args or single(event.subject):
                continue
            because = Because(loss.place, 'made with `reduction="none"`')
            text = "`backward` needs one number, the loss has one entry for each sample"
            yield finding(event, text, because=because)


def reduction(loss: Loss) -> object:
    """The `reduction` of a loss, None where it is not a constant."""
    given = loss.loss.kwargs if loss.loss is not None else loss.keywords
    return known(given.get("reduction"))


def single(value: object) -> bool:
    """A tensor without axes, or with one entry."""
    if not isinstance(value, Array) or value.shape is None:
        return False
    return all(same_size(axis(value, n), Const(1)) is True for n in range(len(value.shape)))
