"""The input of a cross-entropy loss went through softmax already.

## What it does
Follows the value that reaches `CrossEntropyLoss` through the model's `forward` and its last layers; reports it where a
softmax made it.

## Why it matters
Cross-entropy applies log-softmax itself. With softmax twice the scores lie between 0 and 1, the loss cannot fall below
a floor (1.46 for ten classes) and gradients are weak: training crawls and nothing says why.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))
target = torch.tensor([0, 1, 2, 0])
loss = nn.CrossEntropyLoss()(net(torch.rand(4, 10)), target)  # error: [softmax-before-cross-entropy]
```
Use instead: the raw scores of the last layer; apply softmax only where probabilities are shown.

## When it stays silent
Class probabilities as the *target*; losses with their own formula; `log_softmax`, which changes nothing; values that
are not proved to come from softmax.
"""

from trainlint.rules.api import (
    AnyCall,
    Array,
    Because,
    Loss,
    OneOf,
    Value,
    WholeProgram,
    finding,
    ir,
    rule,
    without_call,
    without_last,
)


@rule("softmax-before-cross-entropy", code="LS001", family="loss", level="error", since="0.1")
def check(program: WholeProgram):
    for loss in program.facts:
        if not isinstance(loss, Loss) or loss.name != "cross_entropy":
            continue
        source = softmaxed(loss.input)
        if source is None:
            continue
        because = [Because(source.via, "softmax is applied here")] if source.via is not None else []
        text = (
            "the input went through softmax already: cross-entropy applies log-softmax itself, so the loss is flattened"
        )
        yield finding(loss, text, because=because, likely=source.likely, fix=removed(program, loss, source))


def softmaxed(value: Value | None) -> Array | None:
    """The array, where every alternative is the result of a softmax."""
    options = value.values if isinstance(value, OneOf) else (value,)
    arrays = [v for v in options if isinstance(v, Array) and v.range == "prob"]
    return arrays[0] if arrays and len(arrays) == len(options) else None


def removed(program: WholeProgram, loss: Loss, source: Array):
    """Take the softmax away: out of the argument, the return of a function, the end of a `Sequential`.

    Safe where the model runs at one place only, for this loss: elsewhere its probabilities may be wanted.
    """
    place = source.via
    if place is None or not isinstance(place.node, ir.Call):
        return None
    node, title = place.node, "remove the softmax"
    if loss.node.args and loss.node.args[0] is node:
        return without_call(title, place)
    safety = "safe" if runs(program) == 1 else "unsafe"
    if isinstance(node.stmt, ir.Return) and node.stmt.value is node:
        return without_call(title, place, safety=safety)
    holder = next((c.node for c in program.facts if isinstance(c, AnyCall) and ends_in(c, node)), None)
    return without_last(title, place, holder, safety=safety)


def ends_in(call: AnyCall, node: ir.Call) -> bool:
    return call.name == "torch.nn.Sequential" and bool(call.node.args) and call.node.args[-1] is node


def runs(program: WholeProgram) -> int:
    """At how many places a model is run, the calls inside of models left out."""
    events = (event for trace in program.traces for event in trace.of("forward"))
    return len({id(event.node) for event in events if "forward" not in event.frames})
