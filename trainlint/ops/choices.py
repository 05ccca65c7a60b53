"""Elementwise choices and fused operations: `where`, `masked_fill`, `clamp`, `lerp`; tensors filled in place."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, array_method, op, tensor_op
from trainlint.analysis.values import Seq, Unknown, Value, is_none
from trainlint.ops import stability
from trainlint.ops.broadcast import device_of, fit, shaped
from trainlint.ops.dtypes import is_number, result_type
from trainlint.ops.elementwise import joined_grad, operand_shape, refuses, short, stored


@tensor_op("clamp", "clip", inplace=True)
def clamp(call: OpCall) -> Value | None:
    """The axes stay, what the numbers mean may not: a clamped score may be a probability."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    limits = [v for v in (call.arg(1, "min"), call.arg(2, "max")) if v is not None and not is_none(v)]
    if refuses(call, array, "c", short(call)):
        return Array()
    stability.kept_from_zero(call, array, call.arg(1, "min"))
    known = all(is_number(v) for v in limits)
    dtype = result_type([array, *limits]) if known else None
    if short(call).endswith("_") and not stored(call, array, dtype, short(call)):
        return Array()
    if short(call).endswith("_") or array.lib != "torch":
        dtype = array.dtype
    result = array.but(range=array.range if array.range in ("255", "unit") else None, dtype=dtype)
    if any(isinstance(v, Array) for v in limits):
        shape = fit(call, [array, *limits], short(call))
        return shaped(result, shape) if shape is not None else Array()
    return result


@op("torch.where")
def where(call: OpCall) -> Value | None:
    """`torch.where(condition, a, b)`; with the condition alone, its indices."""
    if len(call.args) + len(call.kwargs) < 3:
        return Seq("tuple", None, Array(dtype="int64", grad=False, range="index"))
    condition, a, b = call.arg(0, "condition"), call.arg(1, "input"), call.arg(2, "other")
    if a is None or b is None or condition is None:
        return None
    return chosen(call, condition, a, b)


@array_method("where")
def where_method(call: OpCall) -> Value | None:
    condition, other = call.arg(0, "condition"), call.arg(1, "other")
    if call.receiver is None or condition is None or other is None:
        return None
    return chosen(call, condition, call.receiver, other)


def chosen(call: OpCall, condition: Value, a: Value, b: Value) -> Value | None:
    arrays = [v for v in (a, b) if isinstance(v, Array)]
    if isinstance(condition, Array) and condition.dtype is not None:
        if not call.require(condition.dtype in ("bool", "uint8"), "dtype", condition, op="where", got=condition.dtype):
            return Array()
    shape = fit(call, [condition, a, b], "where")
    if shape is None:
        return Array()
    dtype = result_type([a, b]) if arrays else None
    grad = joined_grad(a, b) if arrays else False if is_number(a) and is_number(b) else None
    base = arrays[0] if arrays else Array()
    likely = any(isinstance(v, Array) and v.likely for v in (condition, a, b))
    # labels that are chosen among others are no longer those of the data set
    alike = len({v.range for v in arrays}) == 1 and base.range != "label"
    kept = base.but(tail=base.tail, range=base.range if alike else None)
    return shaped(kept, shape, dtype=dtype, grad=grad, likely=likely, device=device_of([condition, a, b]))


@tensor_op("masked_fill", inplace=True)
def masked_fill(call: OpCall) -> Value | None:
    """The mask is broadcast with the tensor; the dtype stays."""
    array, mask = call.args[0], call.arg(1, "mask") or Unknown()
    if not isinstance(array, Array):
        return None
    name = short(call)
    if isinstance(mask, Array) and mask.dtype is not None:
        if not call.require(mask.dtype == "bool", "dtype", mask, op=name, got=mask.dtype, wanted="bool"):
            return Array()
    shape = operand_shape(call, [array, mask], name, name.endswith("_"))
    kept = array.but(tail=array.tail, range=None if array.range == "label" else array.range)
    return shaped(kept, shape) if shape is not None else Array()


@tensor_op("lerp", "addcmul", "addcdiv", inplace=True)
def fused(call: OpCall) -> Value | None:
    """`x.lerp(end, weight)`, `x.addcmul(a, b)`: all three broadcast."""
    name = short(call)
    array = call.args[0]
    plain = name.rstrip("_")
    names = ("end", "weight") if plain == "lerp" else ("tensor1", "tensor2")
    rest = [call.arg(i + 1, n) or Unknown() for i, n in enumerate(names)]
    if not isinstance(array, Array):
        return None
    shape = operand_shape(call, [array, *rest], name, name.endswith("_"))
    if shape is None:
        return Array()
    arrays = [v for v in (array, *rest) if isinstance(v, Array)]
    dtype = array.dtype if len({a.dtype for a in arrays}) == 1 else None
    grad: bool | None = True if any(a.grad for a in arrays) else None if len(arrays) < 3 else joined_grad(array, array)
    return shaped(array.but(tail=array.tail, range=None), shape, dtype=dtype, grad=grad, device=device_of(list(arrays)))


@array_method("zero_", "fill_", "normal_", "uniform_", "bernoulli_", "random_", "copy_", "exponential_")
def filled(call: OpCall) -> Value | None:
    """In place: what was in the tensor is gone, its axes and type stay."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    source = call.args[0] if call.args else None
    if call.name == "copy_" and isinstance(source, Array):
        shape = operand_shape(call, [array, source], "copy_", True)
        return array.but(range=source.range) if shape is not None else Array()
    return array.but(range=None)
