"""What a pattern of einops does to memory: the views and copies that it consists of, written on the tape.

einops/einops.py `_apply_recipe`: reshape to single axes, permute, reduce, expand, reshape to the groups of the right
side. The last reshape copies where axes are merged that do not lie behind each other.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall
from trainlint.analysis.tape import record
from trainlint.analysis.values import Const, Value
from trainlint.ops.einops_pattern import Pattern, size_of

REDUCED = {
    "mean": "Tensor.mean",
    "sum": "Tensor.sum",
    "max": "Tensor.amax",
    "min": "Tensor.amin",
    "prod": "Tensor.prod",
}


def recorded(call: OpCall, array: Array, result: Value, pattern: Pattern, how: object) -> Value:
    """Record the operation behind a pattern; gives its result."""
    tape = call.run.program.tape
    if tape is None or array.lib != "torch":
        return result
    left = [name for name in pattern.left.names if size_of(name) != 1]
    right = [name for name in pattern.right.names if size_of(name) != 1]
    named: dict[str, Value] = {}
    if set(left) - set(right):
        op = REDUCED.get(str(how), "einops.reduce")
    elif set(right) - set(left):
        op = "Tensor.repeat" if merges(pattern, left) else "Tensor.expand"
    elif merges(pattern, left):
        op, named = "Tensor.reshape", {"copies": Const(True)}
    else:
        op = "Tensor.view"
    before = len(tape.entries)
    return record(call.run, call.scope, op, call.node, [array], result, [], named, before)


def merges(pattern: Pattern, left: list[str]) -> bool:
    """Does a group of the right side hold axes that do not lie behind each other on the left side?"""
    for group in pattern.right.groups:
        names = [name for name in group if size_of(name) != 1]
        if len(names) < 2:
            continue
        start = left.index(names[0]) if names[0] in left else len(left)
        if left[start : start + len(names)] != names:
            return True
    return False
