"""Formulas with a weakness of numbers, told by what a value is made of.

Three meanings of a tensor (`Array.range`) are used here alone: `exp`, the exponential of the raw scores of a layer;
`expsum`, a sum of such; `root`, the square root of a sum of squares. A score that something was subtracted from (its
maximum) is no raw score any more.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.numeric_facts import Unstable
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Value, number
from trainlint.syntax import ir

# a lower bound up to this keeps a divisor from 0, a larger one means something else
SMALL = 0.01


def meaning(call: OpCall, name: str, value: Value | None) -> str | None:
    """What a function of one tensor gives: `exp`, `root`, or nothing special."""
    if name == "exp" and isinstance(value, Array) and value.range == "logits":
        return "exp"
    return "root" if name == "sqrt" and squares(operand(call.node)) else None


def operand(node: ir.Expr) -> ir.Expr | None:
    """The tensor of `torch.f(x)` or `x.f()` as it is written."""
    if not isinstance(node, ir.Call):
        return None
    if node.args:
        return node.args[0]
    return node.func.value if isinstance(node.func, ir.Attr) else None


def squares(node: ir.Expr | None) -> bool:
    """Is it written as a sum of squares and nothing else?"""
    if not isinstance(node, ir.Call) or not isinstance(node.func, ir.Attr) or node.func.name != "sum":
        return False
    inner = node.func.value
    module = isinstance(inner, ir.Name) and inner.id == "torch"
    return squared(node.args[0] if module and node.args else inner)


def squared(node: ir.Expr) -> bool:
    if isinstance(node, ir.BinOp):
        return node.op == "**" and isinstance(node.right, ir.Const) and node.right.value == 2
    if isinstance(node, ir.Call) and isinstance(node.func, ir.Attr):
        if node.func.name == "square":
            return True
        power = node.args[-1] if node.args else None
        return node.func.name == "pow" and isinstance(power, ir.Const) and power.value == 2
    return False


def summed(array: Array) -> str | None:
    """The meaning of a sum over an axis."""
    return "expsum" if array.range == "exp" else None


def quotient(call: OpCall, left: Value, right: Value) -> None:
    """`exp(x) / exp(x).sum()` is a softmax written out."""
    if not isinstance(left, Array) or not isinstance(right, Array):
        return
    if left.range == "exp" and right.range == "expsum":
        report(call, "softmax", left)


def logarithm(call: OpCall, array: Array) -> None:
    """`log(exp(x).sum())`."""
    if array.range == "expsum":
        report(call, "logsumexp", array)


def kept_from_zero(call: OpCall, array: Array, least: Value | None) -> None:
    """A root that gets a small lower bound, or a small addend."""
    amount = number(least)
    if array.range == "root" and amount is not None and 0 < amount <= SMALL and call.run.grad:
        report(call, "root", array)


def report(call: OpCall, form: str, value: Array) -> None:
    call.run.fact(Unstable(form, call.node, call.scope.file, value, value.via))  # type: ignore[arg-type]
