"""Functions of pairs of vectors: `cross`, `cdist`, cosine similarity, distances, attention."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Unknown, Value, is_none
from trainlint.ops.arguments import flag, given, last, shape_of
from trainlint.ops.broadcast import Clash, Shape, broadcast, fit, same_device
from trainlint.ops.dtypes import as_float, kind_of_dtype, result_type
from trainlint.ops.elementwise import short
from trainlint.ops.layout import axis_number, integer
from trainlint.ops.matrix import batched, contracts, dtype_of, nothing, one_dtype, product, sizes_of

ONE, THREE = Const(1), Const(3)


@tensor_op("cross")
@op("torch.linalg.cross")
def cross(call: OpCall) -> Value | None:
    """The cross product along an axis of size 3, the last one for `linalg.cross` (the first of size 3 for `cross`)."""
    if len(call.args) < 2 and "other" not in call.kwargs:
        return None
    values = [call.args[0], call.arg(1, "other") or Unknown()]
    a, b = (shape_of(v) if isinstance(v, Array) else None for v in values)
    dim = call.arg(2, "dim") if "linalg" not in call.name else call.kwargs.get("dim", Const(-1))
    if a is None or b is None:
        return nothing(call, values)
    first, second = (v.but(shape=s) if isinstance(v, Array) else Array() for v, s in zip(values, (a, b), strict=True))
    fits = len(a) == len(b) > 0
    if not call.require(fits, "rank", first, second, op=short(call), got=Const(len(b)), wanted=Const(len(a))):
        return nothing(call, values)
    at = first_of_three(call, first) if dim is None or is_none(dim) else axis_number(call, first, dim)
    if at is None:
        return nothing(call, values)
    for size in (a[at], b[at]):
        if not call.require(
            dims.same(size, THREE), "matmul", first, second, op=short(call), got=size, wanted=THREE, what="three"
        ):
            return nothing(call, values)
    both = fit(call, values, short(call))
    if both is None or not one_dtype(call, values, short(call)):
        return nothing(call, values)
    return product(call, values, both, dtype_of(values))


def first_of_three(call: OpCall, array: Array) -> int | None:
    """The first axis of size 3; None where it is not known, or there is none (reported)."""
    answers = [dims.same(size, THREE) for size in array.shape or ()]
    if not call.require(None if any(a is not False for a in answers) else False, "matmul", array, what="no axis of 3"):
        return None
    at = next((n for n, answer in enumerate(answers) if answer is not False), 0)
    return at if answers[at] is True else None


@op("torch.cdist")
def cdist(call: OpCall) -> Value | None:
    """The distance of every row of one matrix to every row of another."""
    values = [call.arg(0, "x1") or Unknown(), call.arg(1, "x2") or Unknown()]
    for value in values:
        shape = shape_of(value) if isinstance(value, Array) else None
        if shape is not None and not call.require(
            len(shape) >= 2, "rank", value, op="cdist", got=Const(len(shape)), wanted="at least 2"
        ):
            return nothing(call, values)
        whole = isinstance(value, Array) and kind_of_dtype(value.dtype) in (0, 1)
        if isinstance(value, Array) and not call.require(
            not whole, "dtype", value, op="cdist", got=value.dtype or "", wanted="float32"
        ):
            return nothing(call, values)
    left, right = values
    if not isinstance(left, Array) or not isinstance(right, Array) or not one_dtype(call, values, "cdist"):
        return nothing(call, values)
    if not same_device(call, values, "cdist"):
        return nothing(call, values)
    if not contracts(call, last(left, -1), last(right, -1), values, "cdist"):
        return nothing(call, values)
    a, b = sizes_of(left), sizes_of(right)
    rows = (last(left, -2), last(right, -2))
    batch = batched(call, Shape(a.sizes[:-2], a.tail), Shape(b.sizes[:-2], b.tail), values, "cdist")
    return product(
        call, values, Shape((*batch.sizes, *rows), batch.tail) if batch is not None else None, dtype_of(values)
    )


@tensor_op("cosine_similarity", functional=True)
def cosine_similarity(call: OpCall) -> Value | None:
    """One number for each pair of vectors along an axis, the second by default."""
    return pairwise(call, given(call, 2, "dim", 1), Const(False))


@op("torch.nn.functional.pairwise_distance", "torch.pairwise_distance")
def pairwise_distance(call: OpCall) -> Value | None:
    """The distance of each pair of vectors along the last axis."""
    return pairwise(call, Const(-1), given(call, 4, "keepdim", False))


def pairwise(call: OpCall, dim: Value, keep: Value) -> Value | None:
    values = [call.arg(0, "x1") or Unknown(), call.arg(1, "x2") or Unknown()]
    if not any(isinstance(v, Array) for v in values) or not same_device(call, values, short(call)):
        return nothing(call, values)
    dtype = as_float(result_type(values))
    if short(call) == "cosine_similarity":
        whole = kind_of_dtype(result_type(values)) in (0, 1)
        arrays = [v for v in values if isinstance(v, Array)]
        if not call.require(not whole, "dtype", *arrays, op=short(call), got=result_type(values) or ""):
            return nothing(call, values)
    both = fit(call, values, short(call))
    number, kept = integer(dim), flag(keep)
    if both is None or both.tail or number is None or kept is None:
        return nothing(call, values)
    at = axis_number(call, Array(shape=both.sizes), dim)
    if at is None:
        return nothing(call, values)
    middle = (ONE,) if kept and both.sizes else ()
    return product(call, values, (*both.sizes[:at], *middle, *both.sizes[at + 1 :]), dtype)


@op("torch.nn.functional.scaled_dot_product_attention")
def attention(call: OpCall) -> Value | None:
    """`(…, L, E)`, `(…, S, E)`, `(…, S, F)` give `(…, L, F)`; with `enable_gqa` heads of keys are repeated."""
    names = ("query", "key", "value")
    values = [call.arg(n, name) or Unknown() for n, name in enumerate(names)]
    query, key, value = values
    op_name = "scaled_dot_product_attention"
    arrays = [v for v in values if isinstance(v, Array)]
    if len(arrays) < 3 or not same_device(call, values, op_name) or not one_dtype(call, values, op_name):
        return nothing(call, values)
    for array in arrays:
        shape = shape_of(array)
        few = shape is not None and len(shape) < 2
        if not call.require(
            not few, "rank", array, op=op_name, got=Const(len(shape or ())), wanted="at least 2"
        ) or not call.require(
            kind_of_dtype(array.dtype) not in (0, 1), "dtype", array, op=op_name, got=array.dtype or ""
        ):
            return nothing(call, values)
    assert isinstance(query, Array)
    assert isinstance(key, Array)
    assert isinstance(value, Array)
    if not contracts(call, last(query, -1), last(key, -1), [query, key], op_name):
        return nothing(call, values)
    if not contracts(call, last(key, -2), last(value, -2), [key, value], op_name):
        return nothing(call, values)
    batch = batch_of(call, [query, key, value])
    if batch is None:
        return nothing(call, values)
    return product(call, values, Shape((*batch.sizes, last(query, -2), last(value, -1)), batch.tail), dtype_of(values))


def batch_of(call: OpCall, arrays: list[Array]) -> Shape | None:
    """The batch and head axes; None where they do not fit (reported)."""
    shapes = [Shape(sizes_of(a).sizes[:-2], sizes_of(a).tail) for a in arrays]
    repeated = given(call, -1, "enable_gqa", False)
    if flag(repeated) is not False:
        # the heads of the query are kept
        return shapes[0]
    result = shapes[0]
    for shape in shapes[1:]:
        both = broadcast(result, shape)
        if isinstance(both, Clash):
            call.require(
                False, "matmul", *arrays, op="scaled_dot_product_attention", left=both.left, right=both.right,
                axis=str(both.axis - 2),
            )  # fmt: skip
            return None
        result = both
    return result
