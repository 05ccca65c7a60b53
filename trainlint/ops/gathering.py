"""Functions that pick elements: `select`, `narrow`, `gather`, `scatter`, `masked_select`, `nonzero`."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, known
from trainlint.ops.broadcast import Clash, broadcast, shape_of
from trainlint.ops.elementwise import short
from trainlint.ops.indexing import Part, indexed, part_of
from trainlint.ops.layout import axis_number, integer, letters, lost


@tensor_op("select", "select_copy")
def select(call: OpCall) -> Value | None:
    """`x.select(dim, index)` drops the axis."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    at = axis_number(call, array, call.arg(1, "dim"))
    if at is None or not array.shape:
        return lost(array).but(channels=None, colour=None)
    return indexed(call, array, [*[Part("all")] * at, part_of(call.arg(2, "index") or Unknown())])


@tensor_op("narrow")
def narrow(call: OpCall) -> Value | None:
    """`x.narrow(dim, start, length)`."""
    array, length = call.args[0], call.arg(3, "length")
    if not isinstance(array, Array):
        return None
    at = axis_number(call, array, call.arg(1, "dim"))
    if at is None or not array.shape:
        return lost(array).but(channels=None, colour=None)
    start = call.arg(2, "start") or Unknown()
    size = array.shape[at]
    fits = None
    if integer(start) is not None and length is not None and (integer(start) or 0) >= 0:
        fits = dims.at_least(size, dims.add(start, length))
    wanted = length if length is not None and dims.poly_of(length) is not None else Unknown()
    if not call.require(fits, "index", array, got=wanted, wanted=size):
        return Array()
    return resized(array, at, wanted)


def resized(array: Array, at: int, size: Value) -> Array:
    """The array with another size of one axis."""
    assert array.shape is not None
    names = letters(array)
    result = array.but(shape=(*array.shape[:at], size, *array.shape[at + 1 :]), layout=names)
    if names is not None and names[at] == "C":
        result.channels, result.colour = integer(size), None
    return result


@tensor_op("index_select")
def index_select(call: OpCall) -> Value | None:
    """`x.index_select(dim, index)`: the axis has as many elements as the index."""
    array, index = call.args[0], call.arg(2, "index")
    if not isinstance(array, Array):
        return None
    at = axis_number(call, array, call.arg(1, "dim"))
    if at is None or not array.shape:
        return lost(array).but(channels=None, colour=None)
    count: Value = Unknown()
    if isinstance(index, Array):
        if index.dtype is not None and not call.require(
            index.dtype in ("int32", "int64"), "dtype", index, op="index_select", got=index.dtype
        ):
            return Array()
        if index.shape is not None:
            rank = Const(len(index.shape))
            if not call.require(len(index.shape) <= 1, "rank", index, op="index_select", got=rank, wanted=Const(1)):
                return Array()
            count = index.shape[0] if index.shape else Const(1)
    return resized(array, at, count)


@tensor_op("gather")
def gather(call: OpCall) -> Value | None:
    """`x.gather(dim, index)` has the shape of the index, which may not be larger than x but along `dim`."""
    array, index = call.args[0], call.arg(2, "index")
    if not isinstance(array, Array):
        return None
    if not isinstance(index, Array):
        return lost(array).but(channels=None, colour=None)
    if not index_fits(call, array, index, call.arg(1, "dim")):
        return Array()
    return array.but(shape=index.shape, tail=index.tail, layout=None, channels=None, colour=None)


def index_fits(call: OpCall, array: Array, index: Array, dim: Value | None) -> bool:
    """The requirements of gather and scatter on the index: int64, the same rank, no larger off `dim`."""
    name = short(call)
    if index.dtype is not None and not call.require(
        index.dtype in ("int64", "int32"), "dtype", index, op=name, got=index.dtype, wanted="int64"
    ):
        return False
    at = axis_number(call, array, dim)
    if integer(dim) is not None and array.shape is not None and at is None:
        return False
    if array.shape is None or index.shape is None or at is None or any(known(s) == 0 for s in index.shape):
        return True
    rank = Const(len(index.shape))
    if not call.require(
        max(1, len(array.shape)) == max(1, len(index.shape)),
        "rank",
        array,
        op=name,
        got=rank,
        wanted=Const(len(array.shape)),
    ):
        return False
    for i, (size, taken) in enumerate(zip(array.shape, index.shape, strict=False)):
        if i != at and not call.require(dims.at_least(size, taken), "index", array, op=name, got=taken, wanted=size):
            return False
    return True


@tensor_op("take_along_dim")
def take_along_dim(call: OpCall) -> Value | None:
    array = call.args[0]
    return lost(array).but(channels=None, colour=None) if isinstance(array, Array) else None


@tensor_op(
    "scatter", "scatter_add", "index_add", "index_copy", "index_fill", "masked_scatter", "index_put", inplace=True
)
def scatter(call: OpCall) -> Value | None:
    """The tensor keeps its shape and type."""
    array, index = call.args[0], call.arg(2, "index")
    if not isinstance(array, Array):
        return None
    dim = call.arg(1, "dim")
    if short(call).startswith("scatter") and isinstance(index, Array) and array.shape is not None:
        at = axis_number(call, array, dim)
        if at is None and integer(dim) is not None:
            return Array()
    # a graph of what is written hangs on the result
    given = [*call.args[1:], *call.kwargs.values()]
    graph = array.grad or (call.run.grad and any(isinstance(value, Array) and value.grad is True for value in given))
    return array.but(tail=array.tail, range=None, grad=graph)


@tensor_op("masked_select")
def masked_select(call: OpCall) -> Value | None:
    """How many elements there are depends on the data; always one axis."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    mask = call.arg(1, "mask") or Unknown()
    both = broadcast(shape_of(array), shape_of(mask))
    if isinstance(both, Clash):
        call.require(
            False, "broadcast", array, op="masked_select", left=both.left, right=both.right, axis=str(both.axis)
        )
        return Array()
    return array.but(shape=(Unknown(),), layout=None, channels=None, colour=None)


@tensor_op("nonzero", "argwhere")
def nonzero(call: OpCall) -> Value | None:
    """One row for each element that is not zero: how many depends on the data."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if call.const(1, "as_tuple") is True:
        one = Array(dtype="int64", grad=False, shape=(Unknown(),), device=array.device)
        return Seq("tuple", [one] * len(array.shape) if array.shape is not None else None, one)
    columns = Const(len(array.shape)) if array.shape is not None else Unknown()
    return Array(dtype="int64", grad=False, shape=(Unknown(), columns), device=array.device)


@tensor_op("unique", "unique_consecutive")
def unique(call: OpCall) -> Value | None:
    """Sorted distinct elements: how many depends on the data."""
    array = call.args[0]
    if not isinstance(array, Array) or len(call.args) > 1 or call.kwargs:
        return None
    return array.but(shape=(Unknown(),), layout=None, channels=None, colour=None)


@tensor_op("multinomial")
def multinomial(call: OpCall) -> Value | None:
    """`p.multinomial(n)`: the numbers of n elements drawn from each row."""
    array, count = call.args[0], call.arg(1, "num_samples")
    if not isinstance(array, Array):
        return None
    sized = count if dims.poly_of(count) is not None else Unknown()
    shape = (*array.shape[:-1], sized or Unknown()) if array.shape else None
    return lost(array).but(shape=shape, dtype="int64", grad=False)
