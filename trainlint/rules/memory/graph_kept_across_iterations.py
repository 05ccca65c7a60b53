"""A loss that still carries its graph is kept across iterations.

## What it does
Reports `total += loss`, `losses.append(loss)` and the like in a training loop, where `loss` is the very value that
backward runs on.

## Why it matters
The graph of every iteration stays alive through the kept value: memory grows with each batch until it runs out.

## Example
```py
import torch

def train(model, loader, loss_fn, optimizer):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss  # warning: [graph-kept-across-iterations]
    return total
```
Use instead: `total += loss.detach()`, or `loss.item()` where a number is enough (it waits for the GPU).

## When it stays silent
`.item()`, `.detach()`, `float(…)`; sums that are themselves run backward later; values kept under `no_grad`; lists that
are created anew in each iteration.
"""

from trainlint.rules.api import Because, Event, Place, TrainLoop, WholeProgram, finding, ir, rule, source, wrap


@rule("graph-kept-across-iterations", code="ME001", family="memory", level="warning", since="0.1")
def check(program: WholeProgram):
    for loop in program.facts:
        if isinstance(loop, TrainLoop):
            yield from kept(loop)
    for trace in program.traces:
        if trace.framework == "lightning" and trace.entry.endswith(".training_step"):
            yield from kept_by_hook(trace)


def kept(loop: TrainLoop):
    losses = {id(e.subject): e for e in loop.of("backward")}
    for event in loop.of("accumulate", "append"):
        back = losses.get(id(event.value)) if event.value is not None else None
        if back is None or not event.grad or event.loops[-1] is not loop.loop:
            continue
        if used_backward(event, loop) or fresh(event, loop):
            continue
        node = value_node(event)
        if node is None:
            continue
        name = source(node)
        because = Because(back.place, "the graph of this value is what stays alive")
        # `detach` and not `item`: what is kept stays a tensor, for a `torch.stack` or `.item()` that comes later
        fix = wrap(f"keep it without its graph: `{name}.detach()`", Place(event.file.path, node), "", ".detach()")
        text = "`{name}` carries its graph: keeping it here keeps the memory of every iteration"
        yield finding(event, text, name=name, because=because, fix=fix)


def used_backward(event: Event, loop: TrainLoop) -> bool:
    """Does the running sum (or the list) itself reach backward, or belong to the loss of this iteration?"""
    sums = [event.subject, *event.args]
    return any(e.subject is s for e in loop.trace.of("backward") for s in sums)


def fresh(event: Event, loop: TrainLoop) -> bool:
    """Is the container made inside the loop?"""
    target = event.node.target if isinstance(event.node, ir.AugAssign) else None
    if isinstance(event.node, ir.Call) and isinstance(event.node.func, ir.Attr):
        target = event.node.func.value
    if isinstance(event.node, ir.Assign):
        target = event.node.targets[0]
    return isinstance(target, ir.Name) and assigned_in(loop.loop.node.body, target.id, event.node)


def assigned_in(block: list[ir.Stmt], name: str, but: object) -> bool:
    for stmt in block:
        targets = stmt.targets if isinstance(stmt, ir.Assign) and stmt is not but else []
        if any(isinstance(t, ir.Name) and t.id == name for t in targets):
            return True
        if isinstance(stmt, (ir.If, ir.With)) and assigned_in(stmt.body, name, but):
            return True
    return False


def value_node(event: Event) -> ir.Expr | None:
    node = event.node
    if isinstance(node, ir.AugAssign):
        return node.value if isinstance(node.value, (ir.Name, ir.Attr)) else None
    if isinstance(node, ir.Call) and node.args and isinstance(node.args[-1], (ir.Name, ir.Attr)):
        return node.args[-1]
    if isinstance(node, ir.Assign) and isinstance(node.value, ir.BinOp):
        names = [t.id for t in node.targets if isinstance(t, ir.Name)]
        sides = [s for s in (node.value.left, node.value.right) if isinstance(s, ir.Name) and s.id not in names]
        return sides[0] if len(sides) == 1 else None
    return None


def kept_by_hook(trace):
    """Lightning: what `training_step` returns is run backward, so a list on `self` that gets it keeps its graph."""
    returned = returned_names(trace)
    for event in trace.of("append"):
        node = value_node(event)
        call = event.node
        on_self = (
            isinstance(call, ir.Call) and isinstance(call.func, ir.Attr) and source(call.func.value).startswith("self.")
        )
        if on_self and isinstance(node, ir.Name) and node.id in returned and event.grad:
            fix = wrap(
                f"keep it without its graph: `{node.id}.detach()`", Place(event.file.path, node), "", ".detach()"
            )
            text = (
                "`{name}` is returned for backward and carries its graph: "
                "keeping it on `self` keeps the memory of every step"
            )
            yield finding(event, text, name=node.id, fix=fix)


def returned_names(trace) -> set[str]:
    method = trace.owner.members.get("training_step") if trace.owner is not None else None
    body = getattr(getattr(method, "node", None), "body", [])
    return {s.value.id for s in body if isinstance(s, ir.Return) and isinstance(s.value, ir.Name)}
