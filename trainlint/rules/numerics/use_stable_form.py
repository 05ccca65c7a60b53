"""A softmax, a log-sum-exp, log1p or expm1 is written out: it overflows or loses its digits.

## What it does
Reports exponentials of the raw scores of a layer that are divided by their sum or summed and put into a logarithm;
`log(1 + x)`.

## Why it matters
In float32 `exp` overflows from 89 on, in float16 from 12: inf / inf is NaN. `log(1 + x)` is 0 for every x below 1e-8.
The functions of PyTorch take the maximum out first.

## Example
```py
import torch
from torch import nn

layer = nn.Linear(20, 3)
e = torch.exp(layer(torch.rand(4, 20)))
weights = e / e.sum(dim=1, keepdim=True)  # info: [use-stable-form]
```
Use instead: `torch.softmax(scores, dim=1)`.

## When it stays silent
Scores from which the maximum was taken; values that are not proved to be the raw scores of a layer.
"""

from trainlint.rules.api import AnyCall, Because, Unstable, WholeProgram, finding, ir, replace_all, rule, source

SAY = {
    "softmax": "a softmax is written out: `exp` overflows for large scores, `torch.softmax` does not",
    "logsumexp": "the logarithm of a sum of exponentials overflows for large scores, `torch.logsumexp` does not",
}


@rule("use-stable-form", code="NU002", family="numerics", level="info", since="0.1")
def check(program: WholeProgram):
    for fact in program.facts:
        if isinstance(fact, Unstable) and fact.form in SAY:
            because = [Because(fact.made, "the exponential is taken here")] if fact.made is not None else []
            yield finding(fact, SAY[fact.form], because=because, likely=fact.value.likely)
        elif isinstance(fact, AnyCall) and fact.name == "torch.log":
            small = addend(fact.node)
            if small is not None:
                yield finding(fact, "`log(1 + x)` is 0 for small x: use `torch.log1p`", fix=log1p(fact, small))


def addend(node: ir.Call):
    """The x of `torch.log(1 + x)`."""
    only = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if not isinstance(only, ir.BinOp) or only.op != "+":
        return None
    for one, other in ((only.left, only.right), (only.right, only.left)):
        if isinstance(one, ir.Const) and not isinstance(one.value, bool) and one.value == 1:
            return other
    return None


def log1p(call: AnyCall, small: ir.Expr):
    """`torch.log1p(x)` in the place of `torch.log(1 + x)`."""
    name = call.node.func
    if not isinstance(name, ir.Attr) or name.name != "log":
        return None
    changes = [(name, source(name).removesuffix("log") + "log1p"), (call.node.args[0], source(small))]
    return replace_all("use log1p", call.file, changes)
