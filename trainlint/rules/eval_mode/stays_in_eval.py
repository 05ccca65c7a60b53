"""The model stays in eval mode after the first evaluation.

## What it does
Reports a training loop inside an epoch loop where `eval()` is called in every epoch and `train()` in none.

## Why it matters
From the second epoch on, dropout is off and BatchNorm uses frozen statistics while training goes on.

## Example
```py
import torch

def fit(model: torch.nn.Module, train_loader, val_loader, loss_fn, optimizer):
    model.train()
    for epoch in range(10):
        for x, y in train_loader:  # error: [stays-in-eval]
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in val_loader:
                model(x)
```
Use instead: `model.train()` at the start of every epoch.

## When it stays silent
`train()` anywhere in the epoch loop, also through a function; `eval()` under a condition or on a copy; a call that is
not resolved and is given the model.
"""

from trainlint.rules.api import Because, TrainLoop, finding, insert_before, rule, same_thing, source, touches


@rule("stays-in-eval", code="EV002", family="eval-mode", level="error", since="0.1")
def check(loop: TrainLoop):
    if loop.framework or loop.trace.incomplete or not loop.outer:
        return
    epochs = loop.outer[-1]
    events = [e for e in loop.trace.events if epochs in e.loops]
    trained = [e.subject for e in loop.of("forward") if e.grad]
    for switch in events:
        if switch.kind != "eval_mode" or switch.conds_in(epochs) or loop.loop in switch.loops:
            continue
        if not any(same_thing(switch.subject, model) for model in trained):
            continue
        if any(e.kind == "train_mode" for e in events):
            return
        if any(e.kind == "unknown_call" and touches(e, switch.subject) for e in events):
            return
        call = source(switch.node)
        name = call.removesuffix(".eval()")
        fix = (
            insert_before(f"call `{name}.train()` in every epoch", loop.place, f"{name}.train()")
            if switch.frames == events[0].frames
            else None
        )
        text = (
            "`{name}` is put into eval mode in every epoch and never back into train mode: "
            "from the second epoch on it trains without dropout and with frozen BatchNorm"
        )
        yield finding(loop, text, name=name, because=Because(switch.place, "eval mode is set here"), fix=fix)
        return
