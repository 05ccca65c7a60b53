"""Products of matrices and vectors: `matmul` of every rank, the functions for one rank, products that are added."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value
from trainlint.ops.arguments import FLOATS, shape_of
from trainlint.ops.broadcast import Clash, Shape, broadcast, device_of, same_device
from trainlint.ops.dtypes import kind_of_dtype, promoted, result_type
from trainlint.ops.elementwise import short
from trainlint.ops.layers import autocast

ONE = Const(1)
UNKNOWN = Unknown()


def name_of(call: OpCall) -> str:
    return call.name if call.name == "@" else short(call).rstrip("_")


def of_torch(value: Value) -> bool:
    """Is it no array of NumPy? Its `dot` and `trace` take other ranks."""
    return not isinstance(value, Array) or value.lib == "torch"


def attached(values: Sequence[Value]) -> bool | None:
    """Does a graph hang on the result? Certainly where it hangs on one operand, certainly not where on none."""
    grads = [v.grad if isinstance(v, Array) else None for v in values]
    if any(g is True for g in grads):
        return True
    return False if grads and all(g is False for g in grads) else None


def product(call: OpCall, values: Sequence[Value], shape: Shape | tuple[Value, ...] | None, dtype: str | None) -> Array:
    """The result of a product: a new tensor with no letters."""
    known = shape if isinstance(shape, tuple) else shape.sizes if shape is not None and not shape.tail else None
    tail = shape.sizes or None if isinstance(shape, Shape) and shape.tail else None
    return Array(
        shape=known,
        tail=tail,
        dtype=dtype,
        grad=attached(values),
        device=device_of(list(values)),
        likely=any(isinstance(v, Array) and v.likely for v in values),
        range="logits" if call.name == "@" else None,
    )


def nothing(call: OpCall, values: Sequence[Value]) -> Array:
    return product(call, values, None, None)


def one_dtype(call: OpCall, values: Sequence[Value], op: str) -> bool:
    """State that all operands have one dtype (autocast makes half and single precision fit)."""
    arrays = [v for v in values if isinstance(v, Array) and v.dtype is not None]
    for array in arrays[1:]:
        first = arrays[0]
        holds: bool | None = array.dtype == first.dtype
        small = all(a.dtype in FLOATS and a.dtype != "float64" for a in (array, first))
        if not holds and small and autocast(call):
            holds = None
        if not call.require(holds, "dtype", array, first, op=op, got=array.dtype or "", wanted=first.dtype or ""):
            return False
    return True


def multiplies(call: OpCall, values: Sequence[Value], op: str) -> bool:
    """State what all products need: one device, one dtype, and numbers (masks cannot be multiplied)."""
    if not same_device(call, list(values), op) or not one_dtype(call, values, op):
        return False
    arrays = [v for v in values if isinstance(v, Array)]
    masks = [a for a in arrays if a.dtype == "bool"]
    some = all(dims.at_least(s, ONE) is True for a in arrays for s in a.shape or (UNKNOWN,))
    return call.require(not (masks and some), "dtype", *masks, op=op, got="bool")


def dtype_of(values: Sequence[Value]) -> str | None:
    """The dtype that all operands have."""
    found = {v.dtype if isinstance(v, Array) else None for v in values}
    return found.pop() if len(found) == 1 else None


def ranked(call: OpCall, value: Value, rank: int, op: str) -> tuple[Value, ...] | None:
    """The sizes of an operand that must have `rank` axes; None where it is proved not to (reported)."""
    if not isinstance(value, Array):
        return tuple(Unknown() for _ in range(rank))
    shape = shape_of(value)
    if shape is not None:
        fits = call.require(len(shape) == rank, "rank", value, op=op, got=Const(len(shape)), wanted=Const(rank))
        return shape if fits else None
    tail = value.tail or ()
    if not call.require(
        None if len(tail) <= rank else False, "rank", value, op=op, got=Const(len(tail)), wanted=Const(rank)
    ):
        return None
    return (*(Unknown() for _ in range(rank - len(tail))), *tail)


def contracts(call: OpCall, got: Value, wanted: Value, values: Sequence[Value], op: str) -> bool:
    """State that the two sizes that a product sums over are equal."""
    arrays = [v for v in values if isinstance(v, Array)]
    return call.require(dims.same(got, wanted), "matmul", *arrays, op=op, got=got, wanted=wanted)


def batched(call: OpCall, left: Shape, right: Shape, values: Sequence[Value], op: str) -> Shape | None:
    """The batch axes of two operands together; None where they do not fit (reported)."""
    both = broadcast(left, right)
    if isinstance(both, Clash):
        arrays = [v for v in values if isinstance(v, Array)]
        call.require(False, "matmul", *arrays, op=op, left=both.left, right=both.right, axis=str(both.axis - 2))
        return None
    return both


def numpy_product(left: Array, right: Array) -> Array:
    """A product of matrices or vectors of NumPy: the shape is told for at most two axes each."""
    a, b, dtype = left.shape, right.shape, promoted(left.dtype, right.dtype)
    known = a and b and len(a) <= 2 and len(b) <= 2
    shape = (*a[:-1], *(b[1:] if len(b) > 1 else ())) if known and a and b else None
    return left.but(
        lib="numpy", grad=False, layout=None, channels=None, colour=None, range=None, shape=shape, dtype=dtype
    )


# matmul


@tensor_op("matmul")
@op("torch.linalg.matmul")
def matmul(call: OpCall) -> Value | None:
    """`a @ b`: the last axis of a is summed with the last but one of b (the only one of a vector)."""
    if len(call.args) < 2 and "other" not in call.kwargs:
        return None
    values = [call.args[0], call.arg(1, "other") or Unknown()]
    left, right = values
    if not isinstance(left, Array) or not isinstance(right, Array):
        return nothing(call, values)
    if left.lib == right.lib == "numpy":
        return numpy_product(left, right)
    name = name_of(call)
    for value in (left, right):
        scalar = shape_of(value) == ()
        if not call.require(not scalar, "rank", value, op=name, got=Const(0), wanted="at least 1"):
            return nothing(call, values)
    if not multiplies(call, values, name):
        return nothing(call, values)
    shape = multiplied(call, left, right, name)
    return product(call, values, shape, dtype_of(values)) if shape is not None else nothing(call, values)


def multiplied(call: OpCall, left: Array, right: Array, op: str) -> Shape | None:
    """The shape of `left @ right`, None where they do not fit (reported)."""
    a, b = sizes_of(left), sizes_of(right)
    a_rank, b_rank = least_rank(a), least_rank(b)
    inner = b.at(1) if b_rank == 1 and not b.tail else b.at(2) if b_rank >= 2 else UNKNOWN
    if not contracts(call, a.at(1) or UNKNOWN, inner or UNKNOWN, [left, right], op):
        return None
    if (a_rank < 2 and a.tail) or (b_rank < 2 and b.tail):
        return of_unknown_rank(a, b, a_rank, b_rank)
    rows = a.sizes[-2:-1] if a_rank >= 2 else ()
    columns = b.sizes[-1:] if b_rank >= 2 else ()
    batch = batched(call, Shape(a.sizes[:-2], a.tail), Shape(b.sizes[:-2], b.tail), [left, right], op)
    if batch is None:
        return None
    return Shape((*batch.sizes, *rows, *columns), batch.tail)


def sizes_of(array: Array) -> Shape:
    shape = shape_of(array)
    return Shape(shape) if shape is not None else Shape(array.tail or (), True)


def least_rank(shape: Shape) -> int:
    """The number of axes, the least there are where it is not known."""
    return len(shape.sizes)


def of_unknown_rank(a: Shape, b: Shape, a_rank: int, b_rank: int) -> Shape:
    """Where one side may be a vector or a batch of matrices: what is certain of the last axes."""
    if b_rank >= 2:
        # the left side may be a vector; of a plain matrix on the right the left side keeps its other axes
        more = a.sizes[:-1] if b_rank == 2 and not b.tail else ()
        return Shape((*more, b.sizes[-1]), True)
    return Shape((), True)


@tensor_op("mm")
def mm(call: OpCall) -> Value | None:
    """Two matrices."""
    return of_ranks(call, 2, 2, "mat2")


@tensor_op("bmm")
def bmm(call: OpCall) -> Value | None:
    """Two batches of matrices of one size."""
    return of_ranks(call, 3, 3, "mat2")


@tensor_op("mv")
def mv(call: OpCall) -> Value | None:
    """A matrix and a vector."""
    return of_ranks(call, 2, 1, "vec")


@tensor_op("dot", "vdot")
def dot(call: OpCall) -> Value | None:
    """Two vectors: a number."""
    return of_ranks(call, 1, 1, "other" if short(call) == "vdot" else "tensor")


def of_ranks(call: OpCall, left: int, right: int, name: str) -> Value | None:
    """A product of operands whose ranks are fixed."""
    second = call.arg(1, name)
    if second is None:
        return None
    if isinstance(call.args[0], Array) and not of_torch(call.args[0]):
        return numpy_product(call.args[0], second) if isinstance(second, Array) else None
    values = [call.args[0], second]
    shape = fixed(call, values, left, right, short(call))
    return product(call, values, shape, dtype_of(values)) if shape is not None else nothing(call, values)


def fixed(call: OpCall, values: list[Value], left: int, right: int, op: str) -> tuple[Value, ...] | None:
    """The shape of a product of operands of these ranks; batch sizes are equal, not broadcast."""
    a, b = ranked(call, values[0], left, op), ranked(call, values[1], right, op)
    if a is None or b is None or not multiplies(call, values, op):
        return None
    if left == right == 3:
        arrays = [v for v in values if isinstance(v, Array)]
        if not call.require(dims.same(a[0], b[0]), "matmul", *arrays, op=op, left=a[0], right=b[0], axis="0"):
            return None
    if not contracts(call, a[-1], b[-2] if right > 1 else b[0], values, op):
        return None
    batch = (a[0] if dims.poly_of(a[0]) is not None else b[0],) if left == 3 else ()
    return (*batch, *(a[-2:-1] if left > 1 else ()), *(b[-1:] if right > 1 else ()))


Sizes: TypeAlias = "tuple[Value, ...] | None"


def both(call: OpCall) -> tuple[list[Value], Sizes, Sizes] | None:
    """The two factors and their shapes; None where the second one is missing."""
    other = call.arg(1, "other")
    if other is None:
        return None
    left, right = (shape_of(v) if isinstance(v, Array) else None for v in (call.args[0], other))
    return [call.args[0], other], left, right


@tensor_op("inner")
def inner(call: OpCall) -> Value | None:
    """The last axes are summed; a scalar multiplies."""
    pair = both(call)
    if pair is None:
        return None
    values, a, b = pair
    if a is None or b is None:
        return nothing(call, values)
    if not a or not b:
        return product(call, values, a or b, result_type(values))
    if not multiplies(call, values, "inner") or not contracts(call, a[-1], b[-1], values, "inner"):
        return nothing(call, values)
    return product(call, values, (*a[:-1], *b[:-1]), dtype_of(values))


@tensor_op("outer", "ger")
def outer(call: OpCall) -> Value | None:
    """Every product of an element of one vector and one of the other."""
    other = call.arg(1, "vec2")
    if other is None:
        return None
    values = [call.args[0], other]
    if not same_device(call, values, "outer"):
        return nothing(call, values)
    a, b = ranked(call, values[0], 1, "outer"), ranked(call, values[1], 1, "outer")
    if a is None or b is None:
        return nothing(call, values)
    return product(call, values, (*a, *b), result_type(values))


# a product added to something

# name → ranks of the two operands, rank of the result, names of the operands
ADDED: dict[str, tuple[int, int, int, str, str]] = {
    "addmm": (2, 2, 2, "mat1", "mat2"),
    "addbmm": (3, 3, 2, "batch1", "batch2"),
    "baddbmm": (3, 3, 3, "batch1", "batch2"),
    "addmv": (2, 1, 1, "mat", "vec"),
}


@tensor_op(*ADDED, inplace=True)
def added(call: OpCall) -> Value | None:
    """`torch.addmm(x, a, b)` is `x + a @ b`; `addbmm` sums over the batch."""
    name = name_of(call)
    left, right, rank, first, second = ADDED[name]
    a, b = call.arg(1, first), call.arg(2, second)
    if a is None or b is None:
        return None
    start = call.args[0]
    values = [start, a, b]
    shape = fixed(call, [a, b], left, right, name)
    if shape is None or not one_dtype(call, values, name) or not same_device(call, values, name):
        return nothing(call, values)
    shape = shape[-rank:]
    if not expands(call, start, shape, values, name):
        return nothing(call, values)
    return product(call, values, shape, dtype_of(values))


def expands(call: OpCall, start: Value, shape: tuple[Value, ...], values: list[Value], op: str) -> bool:
    """State that the tensor a product is added to can be expanded to its shape."""
    sizes = shape_of(start) if isinstance(start, Array) else None
    if sizes is None:
        return True
    if not call.require(
        len(sizes) <= len(shape), "rank", start, op=op, got=Const(len(sizes)), wanted=f"at most {len(shape)}"
    ):
        return False
    arrays = [v for v in values if isinstance(v, Array)]
    for index in range(1, len(sizes) + 1):
        have, need = sizes[-index], shape[-index]
        fits = dims.same(have, need) if dims.same(have, ONE) is False else None
        if not call.require(fits, "matmul", *arrays, op=op, left=have, right=need, axis=str(-index)):
            return False
    return True


@tensor_op("addr", inplace=True)
def addr(call: OpCall) -> Value | None:
    """`torch.addr(x, a, b)` is `x + torch.outer(a, b)`."""
    a, b = call.arg(1, "vec1"), call.arg(2, "vec2")
    if a is None or b is None:
        return None
    values = [call.args[0], a, b]
    rows, columns = ranked(call, a, 1, "addr"), ranked(call, b, 1, "addr")
    if rows is None or columns is None or not expands(call, values[0], (*rows, *columns), values, "addr"):
        return nothing(call, values)
    return product(call, values, (*rows, *columns), result_type(values))


@op("torch.chain_matmul", "torch.linalg.multi_dot")
def chain(call: OpCall) -> Value | None:
    """Matrices one after the other; for `multi_dot` the ends may be vectors."""
    given = call.args[0] if call.args else call.kwargs.get("tensors")
    values = given.items if isinstance(given, Seq) else call.args
    if not values or len(values) < 2 or "*" in call.kwargs:
        return None
    vectors = short(call) == "multi_dot"
    shapes: list[tuple[Value, ...]] = []
    for n, value in enumerate(values):
        ends = vectors and n in (0, len(values) - 1)
        rank = 1 if ends and isinstance(value, Array) and value.rank == 1 else 2
        if ends and (not isinstance(value, Array) or shape_of(value) is None):
            return nothing(call, values)
        shape = ranked(call, value, rank, short(call))
        if shape is None:
            return nothing(call, values)
        shapes.append(shape)
    if not multiplies(call, values, short(call)):
        return nothing(call, values)
    for n, (left, right) in enumerate(pairwise(shapes)):
        if not contracts(call, left[-1], right[0], values[n : n + 2], short(call)):
            return nothing(call, values)
    return product(call, values, (*shapes[0][:-1], *shapes[-1][1:]), dtype_of(values))


@tensor_op("trace")
def trace(call: OpCall) -> Value | None:
    """The sum of the diagonal of a matrix."""
    array = call.args[0]
    if not isinstance(array, Array) or not of_torch(array):
        return None
    if ranked(call, array, 2, "trace") is None:
        return nothing(call, [array])
    if not call.require(array.dtype != "bool", "dtype", array, op="trace", got="bool"):
        return nothing(call, [array])
    whole = kind_of_dtype(array.dtype) == 1
    return product(call, [array], (), "int64" if whole else array.dtype)


@tensor_op("kron")
def kron(call: OpCall) -> Value | None:
    """Every block of one matrix times the other: sizes multiply, missing axes count as 1."""
    pair = both(call)
    if pair is None:
        return None
    values, a, b = pair
    if a is None or b is None:
        return nothing(call, values)
    rank = max(len(a), len(b))
    padded = [(*(ONE for _ in range(rank - len(s))), *s) for s in (a, b)]
    sizes = tuple(dims.mul(x, y) for x, y in zip(*padded, strict=True))
    return product(call, values, sizes, result_type(values))


@op("torch.linalg.vecdot")
def vecdot(call: OpCall) -> Value | None:
    """The dot product along one axis of two tensors broadcast together."""
    values = [v for v in (call.arg(0, "x"), call.arg(1, "y")) if v is not None]
    if len(values) < 2:
        return None
    at = call.kwargs.get("dim")
    number = at.value if isinstance(at, Const) else -1 if at is None else None
    both = broadcast(*(sizes_of(v) if isinstance(v, Array) else Shape((), True) for v in values))
    if isinstance(both, Clash):
        arrays = [v for v in values if isinstance(v, Array)]
        call.require(False, "broadcast", *arrays, left=both.left, right=both.right, axis=str(both.axis))
        return nothing(call, values)
    if number != -1 or both.tail or not both.sizes:
        return nothing(call, values)
    return product(call, values, both.sizes[:-1], dtype_of(values))
