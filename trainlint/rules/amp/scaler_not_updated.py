"""A gradient scaler is never updated, or its scaled loss is stepped without it.

## What it does
Reports `scaler.step(optimizer)` without `scaler.update()` in the same function.

## Why it matters
The scale never adapts: after the first overflow every step is skipped, or small gradients vanish.

## Example
```py
import torch

def train(model, loader, loss_fn, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)  # error: [scaler-not-updated]
```
Use instead: `scaler.update()` after the step.

## When it stays silent
An update anywhere in the file; a scaler that is not proved to be one; a scaler that is passed on.
"""

from trainlint.rules.api import Obj, WholeProgram, finding, insert_after, rule, source, touches


@rule("scaler-not-updated", code="MP002", family="amp", level="error", since="0.1")
def check(program: WholeProgram):
    if any(True for trace in program.traces for _ in trace.of("scaler_update")):
        return
    for trace in program.traces:
        for event in trace.of("scaler_step"):
            scaler = event.subject
            if not isinstance(scaler, Obj) or scaler.kind != "scaler":
                continue
            if any(touches(e, scaler) for e in trace.of("unknown_call")):
                continue
            name = source(event.node).partition(".step")[0]
            fix = insert_after(f"call `{name}.update()`", event.place, f"{name}.update()")
            yield finding(event, "`{name}` is never updated: its scale does not adapt", name=name, fix=fix)
            return
