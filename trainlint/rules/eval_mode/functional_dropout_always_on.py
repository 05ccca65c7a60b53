"""`F.dropout` without `training=` stays on in eval mode.

## What it does
Reports a call of `torch.nn.functional.dropout` inside `forward` without the `training` argument.

## Why it matters
The function's default is `training=True`: evaluation and inference drop activations at random too.

## Example
```py
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5)  # warning: [functional-dropout-always-on]
```
Use instead: `F.dropout(x, 0.5, training=self.training)`, or `nn.Dropout`.

## When it stays silent
`training` given in any form; functions outside a module's `forward`; classes whose name says Monte Carlo.
"""

from typing import Literal

from trainlint.rules.api import Call, Class, finding, insert_argument, rule

Dropouts = Literal[
    "torch.nn.functional.dropout",
    "torch.nn.functional.dropout2d",
    "torch.nn.functional.dropout3d",
]
BASES = ("torch.nn.Module", "lightning.LightningModule")


@rule("functional-dropout-always-on", code="EV003", family="eval-mode", level="warning", since="0.1")
def check(call: Call[Dropouts]):
    owner = call.in_class
    if not isinstance(owner, Class) or not owner.extends(*BASES) or call.spilled:
        return
    if call.arg(2, "training") is not None or call.function != "forward" or "mc" in owner.name.lower():
        return
    fix = insert_argument("add `training=self.training`", call.place, "training=self.training", safety="unsafe")
    text = "`{name}` without `training=` drops activations in eval mode too"
    yield finding(call, text, name=call.name.rpartition(".")[2], fix=fix)
