"""The scheduler steps before the optimizer in every epoch.

## What it does
Reports an epoch loop where `scheduler.step()` comes before the first optimizer step of the epoch.

## Why it matters
Since torch 1.1 this skips the first value of the schedule: torch warns once, the rate is one epoch ahead.

## Example
```py
import torch

def train(model, loader, loss_fn):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(90):
        scheduler.step()  # warning: [scheduler-steps-before-optimizer]
        for x, y in loader:
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
```
Use instead: `scheduler.step()` after the batch loop.

## When it stays silent
Steps under conditions or with arguments (`step(epoch)` sets the epoch absolutely); schedulers of other libraries;
frameworks.
"""

from trainlint.rules.api import Because, Obj, TrainLoop, finding, rule


@rule("scheduler-steps-before-optimizer", code="SC002", family="scheduler", level="warning", since="0.1")
def check(loop: TrainLoop):
    if loop.framework or loop.trace.incomplete:
        return
    for scope in (loop.loop, *loop.outer[-1:]):
        events = [e for e in loop.trace.events if scope in e.loops]
        steps = [e for e in events if e.kind == "step"]
        for event in events:
            if event.kind != "scheduler_step" or event.loops[-1] is not scope or event.args or event.conds_in(scope):
                continue
            subject = event.subject
            if not isinstance(subject, Obj) or not subject.name.startswith("torch.optim.lr_scheduler."):
                continue
            if steps and events.index(event) < events.index(steps[0]) and not steps[0].conds_in(loop.loop):
                text = "the scheduler steps before the optimizer: the first value of the schedule is skipped"
                yield finding(event, text, because=Because(steps[0].place, "the optimizer steps here"))
