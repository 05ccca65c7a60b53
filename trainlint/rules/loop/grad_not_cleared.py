"""Gradients are never cleared between optimizer steps.

## What it does
Reports a loop that runs backward and steps an optimizer, and never clears that optimizer's gradients; also a loop that
steps in every iteration but clears only in every k-th.

## Why it matters
Gradients add up across iterations: each step then follows the sum of all past batches, not this batch.

## Example
```py
import torch

def train(model, loader, loss_fn):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()  # error: [grad-not-cleared]
```
Use instead: `optimizer.zero_grad()` once for each step.

## When it stays silent
Accumulation under a condition that guards the step too; frameworks that clear for you; any call that is not resolved
and is given the optimizer, the model or the object that holds them.
"""

from trainlint.rules.api import (
    Because,
    Class,
    Event,
    Trace,
    TrainLoop,
    Unknown,
    WholeProgram,
    alternatives,
    finding,
    insert_before,
    rule,
    same_thing,
    source,
    touches,
    unwrapped,
)


@rule("grad-not-cleared", code="LP001", family="loop", level="error", since="0.1")
def check(program: WholeProgram):
    for fact in program.facts:
        if isinstance(fact, TrainLoop):
            yield from in_loop(fact)
    for trace in program.traces:
        if isinstance(trace.owner, Class) and not trace.framework and not trace.incomplete:
            yield from in_update(trace, program)


def in_update(trace: Trace, program: WholeProgram):
    """A method that steps two optimizers of its object and clears only one, which nothing else clears either."""
    clears = [e for t in program.traces for e in t.of("zero_grad")]
    backs = [e for e in trace.of("backward") if not e.loops]
    for step in trace.of("step"):
        if step.loops or step.conds or getattr(step.subject, "kind", "") != "optimizer" or not backs:
            continue
        others = [e for e in trace.of("zero_grad") if getattr(e.subject, "kind", "") == "optimizer"]
        if not others or len(others) != len(list(trace.of("zero_grad"))):
            continue
        if any(clears_it(e, step) for e in clears) or any(touches(e, step.subject) for e in trace.of("unknown_call")):
            continue
        name = source(step.node).partition(".step")[0]
        because = [
            Because(backs[0].place, "gradients are added here"),
            Because(others[0].place, "another one is cleared"),
        ]
        yield finding(
            step, "gradients of `{name}` are never cleared, those of another optimizer are", name=name, because=because
        )


def in_loop(loop: TrainLoop):
    if loop.framework or loop.trace.incomplete or loop.file.frameworks & {"deepspeed", "opacus"}:
        return
    for step in loop.of("step"):
        if step.loops[-1] is not loop.loop or (step.conds_in(loop.loop) and is_nested_twice(step, loop)):
            continue
        if not followed(step, loop) or opened(step, loop):
            continue
        clears = [e for e in loop.of("zero_grad") if clears_it(e, step)]
        partly = bool(clears) and not step.conds_in(loop.loop) and all(modulo(e, loop) for e in clears)
        if clears and not partly:
            continue
        back = next(e for e in loop.of("backward"))
        because = [Because(back.place, "gradients are added here"), Because(loop.place, "in this loop")]
        name = source(step.node).partition(".step")[0]
        if not clears:
            fix = insert_before(f"call `{name}.zero_grad()` before backward", back.place, f"{name}.zero_grad()")
            text = (
                "gradients of `{name}` are never cleared in this loop: each step follows the sum of all batches so far"
            )
            yield finding(step, text, name=name, because=because, fix=fix)
        else:
            text = (
                "`{name}` steps in every iteration but its gradients are cleared only in every k-th: "
                "old gradients are applied again"
            )
            yield finding(step, text, name=name, because=[*because, Because(clears[0].place, "cleared here")])


def is_nested_twice(step: Event, loop: TrainLoop) -> bool:
    """A step under conditions, none of them an accumulation test, is followed only where backward shares them."""
    back = [e for e in loop.of("backward") if e.loops[-1] is loop.loop]
    return not any(b.conds_in(loop.loop) == step.conds_in(loop.loop) for b in back) and not modulo(step, loop)


def followed(step: Event, loop: TrainLoop) -> bool:
    """Is there a backward in the same iteration before the step?"""
    order = loop.events
    return any(e.kind == "backward" and e.loops[-1] is loop.loop for e in order[: order.index(step)])


def clears_it(event: Event, step: Event) -> bool:
    """May the event clear the gradients of what is stepped? A clear of a module or of an unseen thing may."""
    if event.name == "grad" or same_thing(event.subject, step.subject):
        return True
    subject = unwrapped(event.subject)
    if getattr(subject, "kind", "") == "optimizer" or getattr(subject, "promised", "") == "optimizer":
        return not all(getattr(v, "kind", "") == "optimizer" for v in alternatives(step.subject))
    return (
        not (
            isinstance(subject, Unknown) and subject.param and isinstance(step.subject, Unknown) and step.subject.param
        )
        or "opt" not in subject.name.lower()
    )


def opened(step: Event, loop: TrainLoop) -> bool:
    """Does an unresolved call get something that can clear the gradients?"""
    models = [e.subject for e in loop.of("forward")]
    return any(touches(e, step.subject, *models) for e in loop.of("unknown_call"))


def modulo(event: Event, loop: TrainLoop) -> bool:
    return any(cond.kind == "modulo" for cond in event.conds_in(loop.loop))
