"""Gradients are accumulated over k batches and the loss is not divided by k.

## What it does
Reports a loop that runs backward in every iteration and steps in every k-th, where the loss reaches backward undivided.

## Why it matters
Losses are means over a batch; the sum of k such gradients is k times the gradient of the large batch: the same as a
learning rate k times higher.

## Example
```py
import torch

def train(model, loader, loss_fn):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        loss = loss_fn(model(x), y)
        loss.backward()  # warning: [accumulated-loss-not-divided]
        if (i + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
```
Use instead: `(loss / 4).backward()`.

## When it stays silent
Any division or multiplication of the loss in the loop; `reduction="sum"`; gradient clipping to a norm, which removes
the factor; gradients cleared in every iteration (alternating training of GANs); frameworks that divide for you; another
optimizer that steps in every iteration; a loss made by a function that is not resolved and may divide.
"""

from trainlint.rules.api import Because, Event, TrainLoop, at, finding, ir, known, rule, same_thing, source, wrap

# a parameter of such a name is a loss function: it takes outputs and targets and knows nothing of accumulation
LOSS_NAMES = ("criterion", "loss_fn", "loss_func", "loss_function")


@rule("accumulated-loss-not-divided", code="LR003", family="learning-rate", level="warning", since="0.1")
def check(loop: TrainLoop):
    if loop.framework or loop.file.frameworks or loop.trace.incomplete:
        return
    steps = loop.of("step")
    if (
        not steps
        or not all(periodic(e, loop) for e in steps)
        or any(not periodic(e, loop) for e in loop.of("zero_grad"))
    ):
        return
    if not loop.of("zero_grad") or loop.of("clip") or not all(same_thing(s.subject, steps[0].subject) for s in steps):
        return
    backs = loop.of("backward")
    back = backs[0]
    if len(backs) != 1 or back.loops[-1] is not loop.loop or back.conds_in(loop.loop):
        return
    if divides(loop.loop.node.body) or summed(loop) or (loop.of("unknown_call") and hidden(loop, back)):
        return
    call = back.node
    fix = None
    if isinstance(call, ir.Call) and isinstance(call.func, ir.Attr) and isinstance(call.func.value, ir.Name):
        period = next((c.test for c in steps[0].conds_in(loop.loop) if c.kind == "modulo"), None)
        k = period_source(period) if period is not None else None
        if k is not None:
            fix = wrap(f"divide the loss by `{k}`", at(back.file, call.func.value), "(", f" / {k})")
    yield finding(
        back,
        "gradients are accumulated over several batches but the loss is not divided by their number: "
        "the effective learning rate is that many times higher",
        because=Because(steps[0].place, "the optimizer steps only in some iterations"),
        fix=fix,
    )


def periodic(event: Event, loop: TrainLoop) -> bool:
    return any(cond.kind == "modulo" and cond.holds for cond in event.conds_in(loop.loop))


def period_source(test: ir.Expr) -> str | None:
    stack = [test]
    while stack:
        node = stack.pop()
        if isinstance(node, ir.BinOp) and node.op == "%":
            return source(node.right) if isinstance(node.right, (ir.Name, ir.Attr, ir.Const)) else None
        stack += [
            n
            for n in (getattr(node, "left", None), getattr(node, "right", None), getattr(node, "operand", None))
            if isinstance(n, ir.Expr)
        ]
        stack += list(getattr(node, "comparators", ()))
    return None


def divides(block: list[ir.Stmt]) -> bool:
    """Is anything divided or multiplied in the loop (outside the tests)? Then the loss may be scaled."""
    for stmt in block:
        if isinstance(stmt, ir.AugAssign) and stmt.op in ("/", "*", "//"):
            return True
        value = getattr(stmt, "value", None)
        if isinstance(value, ir.Expr) and scaling(value):
            return True
        for name in ("body", "orelse"):
            inner = getattr(stmt, name, None)
            if isinstance(inner, list) and divides(inner):
                return True
    return False


def scaling(expr: ir.Expr) -> bool:
    if isinstance(expr, ir.BinOp):
        return expr.op in ("/", "*") or scaling(expr.left) or scaling(expr.right)
    if isinstance(expr, ir.Call):
        if isinstance(expr.func, ir.Attr) and expr.func.name in ("div", "mul", "div_", "mul_"):
            return True
        return scaling(expr.func) or any(scaling(a) for a in expr.args)
    if isinstance(expr, ir.Attr):
        return scaling(expr.value)
    return False


def summed(loop: TrainLoop) -> bool:
    """A loss with `reduction="sum"`."""
    for event in loop.of("loss"):
        kwargs = getattr(event.subject, "kwargs", {})
        if known(kwargs.get("reduction")) == "sum":
            return True
        if isinstance(event.node, ir.Call) and any(name == "reduction" for name, _ in event.node.keywords):
            return True
    return False


def hidden(loop: TrainLoop, back: Event) -> bool:
    """Is the loss made by a call that is not resolved and is not a loss function by its name (it may divide)?"""
    makers = loop.of("loss")
    return not makers and not any(e.name.rpartition(".")[2] in LOSS_NAMES for e in loop.of("unknown_call"))
