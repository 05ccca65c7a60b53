"""`torch.linalg`: functions of matrices with what they require of them."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Value, known
from trainlint.ops.arguments import shape_of
from trainlint.ops.dtypes import kind_of_dtype, real_type
from trainlint.ops.elementwise import short
from trainlint.ops.layout import integer
from trainlint.ops.matrix import nothing, product
from trainlint.ops.reductions import flag, without_axes


def matrices(call: OpCall, array: Array, square: bool) -> tuple[Value, ...] | None:
    """The sizes of matrices of floats (`square`: with equal sides); None where they are not known or not that."""
    name, shape = short(call), shape_of(array)
    if not call.require(kind_of_dtype(array.dtype) not in (0, 1), "dtype", array, op=name, got=array.dtype or ""):
        return None
    if shape is None:
        return None
    if not call.require(len(shape) >= 2, "rank", array, op=name, got=Const(len(shape)), wanted="at least 2"):
        return None
    if square and not call.require(
        dims.same(shape[-1], shape[-2]), "matmul", array, op=name, got=shape[-1], wanted=shape[-2], what="square"
    ):
        return None
    return shape


@tensor_op("inverse", "matrix_exp", "cholesky", "matrix_power")
@op("torch.linalg.inv", "torch.linalg.cholesky", "torch.linalg.matrix_power", "torch.linalg.matrix_exp")
def same_shape(call: OpCall) -> Value | None:
    """A square matrix from a square matrix."""
    array = call.args[0] if call.args else None
    if not isinstance(array, Array):
        return None
    shape = matrices(call, array, square=True)
    return product(call, [array], shape, array.dtype) if shape is not None else nothing(call, [array])


@tensor_op("pinverse")
@op("torch.linalg.pinv")
def pinv(call: OpCall) -> Value | None:
    """The two sides exchanged."""
    array = call.args[0] if call.args else None
    if not isinstance(array, Array):
        return None
    shape = matrices(call, array, square=False)
    if shape is None:
        return nothing(call, [array])
    return product(call, [array], (*shape[:-2], shape[-1], shape[-2]), array.dtype)


@tensor_op("det", "logdet")
@op("torch.linalg.det")
def det(call: OpCall) -> Value | None:
    """One number for each matrix."""
    array = call.args[0] if call.args else None
    if not isinstance(array, Array):
        return None
    shape = matrices(call, array, square=True)
    return product(call, [array], shape[:-2], array.dtype) if shape is not None else nothing(call, [array])


@op("torch.linalg.matrix_norm")
def matrix_norm(call: OpCall) -> Value | None:
    """One number for each matrix of the two axes `dim` (the last two)."""
    array = call.args[0] if call.args else None
    if not isinstance(array, Array):
        return None
    shape = matrices(call, array, square=False)
    dim = call.arg(2, "dim")
    axes = [-2, -1] if dim is None else [integer(v) for v in dim.items or ()] if isinstance(dim, Seq) else []
    keep = flag(call, 3, "keepdim")
    if shape is None or len(axes) != 2 or keep is None or known(call.kwargs.get("dtype")) is not None:
        return nothing(call, [array])
    numbers = [n % len(shape) for n in axes if n is not None and -len(shape) <= n < len(shape)]
    if len(set(numbers)) != 2:
        return nothing(call, [array])
    small = without_axes(array.but(shape=shape), numbers, keep)
    return product(call, [array], small.shape, real_type(array.dtype))
