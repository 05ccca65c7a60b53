"""Batches that are moved to the device by whoever hands them out: a framework, or a loader that it has wrapped."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import array_call
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Value
from trainlint.syntax import ir

# the attribute of a loader whose batches arrive on the device
PLACED = "[placed]"


def to_device(run: Run, scope: Scope, value: Value, node: ir.Expr) -> Value:
    """The tensors in a value moved to the card, at `node`."""
    if isinstance(value, Array) and value.lib == "torch":
        return array_call(run, scope, value, "to", [Const("cuda")], {}, node)
    if isinstance(value, Seq) and value.items is not None:
        return Seq(value.kind, [to_device(run, scope, item, node) for item in value.items], None, value.origin)
    if isinstance(value, Mapping):
        items = {key: to_device(run, scope, item, node) for key, item in value.items.items()}
        return Mapping(items, value.open, value.origin)
    return value


def arrived(run: Run, scope: Scope, over: Value, item: Value, node: ir.Expr) -> Value:
    """What a round of a loop over `over` gets: `item`, on the device where a loader puts it there."""
    return to_device(run, scope, item, node) if run.program.tape is not None and placed(over) else item


def placed(over: Value) -> bool:
    """Is it a loader that moves its batches, also through `enumerate` and `tqdm`?"""
    if not isinstance(over, Obj):
        return False
    if over.kind == "wrapper":
        return any(placed(arg) for arg in over.args)
    return over.kind == "loader" and PLACED in over.attrs
