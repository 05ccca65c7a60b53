"""Accelerate and Lightning Fabric where the memory of a step is asked for: wrapped loaders move their batches, steps of
wrapped optimizers wait for the last batch of a cycle.

Accelerate 1.15: `DataLoaderShard.__iter__` sends each batch to the device, `AcceleratedOptimizer` does nothing in
`step()` and `zero_grad()` while `accumulate()` has not come to its last batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trainlint.analysis.arrival import PLACED
from trainlint.analysis.facts import Cond
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Obj, Unknown, Value, is_none

# the attributes of an optimizer and of an accelerator
BY, CYCLES = "[accelerator]", "[accumulates]"


def prepared(call: OpCall, value: Value) -> Value:
    """An object as the accelerator hands it back."""
    if call.run.program.tape is None or not isinstance(value, Obj):
        return value
    if value.kind == "loader":
        wrapped = Obj(value.name, value.kind, value.node, value.args, value.kwargs, value.origin, value.file)
        wrapped.attrs = {**value.attrs, PLACED: Const(True)}
        return wrapped
    if value.kind == "optimizer" and call.receiver is not None:
        value.attrs[BY] = call.receiver
    return value


def accumulates(accelerator: Value | None) -> None:
    """`with accelerator.accumulate(model)`: from here on steps wait."""
    if isinstance(accelerator, Obj):
        given = accelerator.kwargs.get("gradient_accumulation_steps")
        plain = given is None and not accelerator.spilled and "gradient_accumulation_plugin" not in accelerator.kwargs
        if not plain and not (isinstance(given, Const) and given.value == 1):
            accelerator.attrs[CYCLES] = given if given is not None else Unknown("gradient_accumulation_steps")


@contextmanager
def cycle(call: OpCall) -> Iterator[None]:
    """Inside, what happens to the optimizer happens in some batches only, where its accelerator accumulates."""
    by = call.receiver.attrs.get(BY) if isinstance(call.receiver, Obj) else None
    period = by.attrs.get(CYCLES) if isinstance(by, Obj) else None
    with call.run.under(Cond(call.node, True, "modulo", period) if period is not None else None):
        yield


def mixed(call: OpCall) -> None:
    """At a backward: the accelerator ran the model in a precision that is not followed."""
    by = call.receiver
    wanted = by.kwargs.get("mixed_precision") if isinstance(by, Obj) else None
    if call.run.program.tape is None or wanted is None or is_none(wanted):
        return
    if not (isinstance(wanted, Const) and wanted.value == "no"):
        name = f"mixed_precision={wanted.value}" if isinstance(wanted, Const) else "mixed_precision"
        call.run.event("unknown_call", call.node, call.scope, Unknown(name), None, tuple(call.args), name)


@op("lightning.Fabric", "lightning.fabric.Fabric")
def fabric(call: OpCall) -> Value | None:
    """Fabric wraps models, optimizers and loaders as Accelerate does."""
    if call.run.program.tape is None:
        return None
    made = Obj(call.name, "accelerator", call.node, call.args, call.kwargs, call.step(call.name))
    precision = call.kwargs.get("precision")
    if precision is not None and not (isinstance(precision, Const) and str(precision.value) in ("32", "32-true")):
        made.kwargs = {**call.kwargs, "mixed_precision": precision}
    return made
