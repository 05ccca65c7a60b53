"""Gradients are cleared between backward and the optimizer step.

## What it does
Reports `zero_grad()` after `backward()` and before `step()` of the same optimizer, in the same iteration.

## Why it matters
The step finds no gradient: the model never changes, whatever the loss says.

## Example
```py
import torch

def train(model, loader, loss_fn):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.zero_grad()  # error: [grad-cleared-before-step]
        optimizer.step()
```
Use instead: clear before backward, or after the step.

## When it stays silent
Another backward between the clearing and the step; conditions that differ; clearing of another optimizer or model.
"""

from trainlint.rules.api import Because, Event, TrainLoop, finding, rule, same_thing, source


@rule("grad-cleared-before-step", code="LP004", family="loop", level="error", since="0.1")
def check(loop: TrainLoop):
    events = [
        e
        for e in loop.events
        if e.loops[-1] is loop.loop and e.kind in ("backward", "zero_grad", "step", "unknown_call")
    ]
    for index, clear in enumerate(events):
        if clear.kind != "zero_grad" or clear.name == "grad":
            continue
        before = last_of("backward", events[:index], clear)
        after = next((e for e in events[index + 1 :] if e.kind in ("backward", "step")), None)
        if before is None or after is None or after.kind != "step" or not same_thing(after.subject, clear.subject):
            continue
        if any(e.kind == "step" and same_thing(e.subject, clear.subject) for e in events[events.index(before) : index]):
            continue
        if clear.conds_in(loop.loop) != after.conds_in(loop.loop) or any(before.conds_in(loop.loop)):
            continue
        name = source(clear.node).partition(".zero_grad")[0]
        yield finding(
            clear,
            "gradients of `{name}` are cleared after backward and before its step: the step does nothing",
            name=name,
            because=[Because(before.place, "gradients are computed here"), Because(after.place, "and missing here")],
        )


def last_of(kind: str, events: list[Event], clear: Event) -> Event | None:
    """The last backward before the clear, where nothing between them uses the gradients."""
    for event in reversed(events):
        if event.kind == kind:
            return event
        if event.kind == "zero_grad" and same_thing(event.subject, clear.subject):
            return None
    return None
