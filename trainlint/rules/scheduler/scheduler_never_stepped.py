"""A learning-rate scheduler is built and never stepped.

## What it does
Reports a scheduler that is bound to a local name, in a function that also runs the training loop, and is not used
again.

## Why it matters
The schedule never advances: the learning rate stays what it was.

## Example
```py
import torch

def train(model, loader, loss_fn):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)  # warning: [scheduler-never-stepped]
    for epoch in range(200):
        for x, y in loader:
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
```
Use instead: `scheduler.step()` once per epoch.

## When it stays silent
A scheduler that is used anywhere else by its name: returned, passed on, kept in an attribute or a list; frameworks
that step it.
"""

import re

from trainlint.rules.api import Scheduler, WholeProgram, finding, ir, rule


@rule("scheduler-never-stepped", code="SC001", family="scheduler", level="warning", since="0.1")
def check(program: WholeProgram):
    text = program.file.document.text
    for scheduler in program.facts:
        if not isinstance(scheduler, Scheduler) or scheduler.file is not program.file or scheduler.trace is None:
            continue
        stmt = scheduler.node.stmt
        if not isinstance(stmt, ir.Assign) or len(stmt.targets) != 1 or not isinstance(stmt.targets[0], ir.Name):
            continue
        name = stmt.targets[0].id
        if any(e.subject is scheduler.value for e in scheduler.trace.of("scheduler_step")):
            continue
        if stmt.value is not scheduler.node or len(re.findall(rf"\b{re.escape(name)}\b", text)) != 1:
            continue
        if scheduler.trace.framework or not any(True for _ in scheduler.trace.of("step")):
            continue
        yield finding(scheduler, "`{name}` is never stepped: the learning rate stays what it is", name=name)
