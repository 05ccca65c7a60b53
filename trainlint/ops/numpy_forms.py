"""NumPy: arrays of ranges, arrays sorted, repeated, stacked, padded and put together."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import element
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none
from trainlint.ops.broadcast import fit, shaped
from trainlint.ops.creation import count, shape_given
from trainlint.ops.dtypes import dtype_named, result_type, scalar_type
from trainlint.ops.layers import first_array
from trainlint.ops.layout import integer, size

ONE = Const(1)


def made(call: OpCall, shape: tuple[Value, ...] | None, dtype: str | None) -> Array:
    """A new array; of another dtype where one is asked for."""
    asked = call.kwargs.get("dtype")
    return Array(lib="numpy", grad=False, shape=shape, dtype=dtype if asked is None else dtype_named(asked))


@op("numpy.arange")
def arange(call: OpCall) -> Value | None:
    """`np.arange(start, stop, step)`: int64 where all are integers, else float64."""
    if "*" in call.kwargs:
        return None
    values = list(call.args[:3])
    start = call.kwargs.get("start") or (values[0] if len(values) > 1 else Const(0))
    stop = call.kwargs.get("stop") or (values[1] if len(values) > 1 else values[0] if values else Unknown())
    step = call.kwargs.get("step") or (values[2] if len(values) > 2 else ONE)
    kinds = {scalar_type(value) for value in (start, stop, step)}
    dtype = None if None in kinds else "int64" if kinds == {"int64"} else "float64"
    return made(call, (count(call, start, stop, step),), dtype)


@op("numpy.linspace", "numpy.logspace", "numpy.geomspace")
def linspace(call: OpCall) -> Value | None:
    """Fifty numbers unless told otherwise."""
    if any(isinstance(value, Array) for value in call.args[:2]) or "retstep" in call.kwargs:
        return None
    asked = call.arg(2, "num")
    return made(call, (size(asked) if asked is not None else Const(50),), "float64")


@op("numpy.eye", "numpy.identity")
def eye(call: OpCall) -> Value | None:
    rows, columns = call.arg(0, "n" if call.name.endswith("identity") else "N"), call.arg(1, "M")
    if call.name.endswith("identity") or columns is None or is_none(columns):
        columns = rows
    return made(call, (size(rows), size(columns)), "float64")


@op("numpy.argsort", "numpy.sort", "numpy.cumsum", "numpy.cumprod")
def sorted_(call: OpCall) -> Value | None:
    """Of the same shape; sums and products without an axis are those of the flat array."""
    array = first_array(call)
    if array is None:
        return None
    axis = call.arg(1, "axis")
    dtype = "int64" if call.name.endswith("argsort") else array.dtype
    flat = (axis is None) if call.name.startswith("numpy.cum") else (axis is not None and is_none(axis))
    if not flat:
        return array.but(dtype=dtype, range=None)
    shape = (dims.product(array.shape),) if array.shape is not None else None
    return array.but(dtype=dtype, range=None, layout=None, shape=shape)


@op("numpy.maximum", "numpy.minimum", "numpy.power", "numpy.mod", "numpy.arctan2", "numpy.hypot", "numpy.where")
def together(call: OpCall) -> Value | None:
    """Arrays broadcast together; of `where` the last two decide about the dtype."""
    chosen = call.name.endswith("where")
    if len(call.args) != (3 if chosen else 2) or not any(isinstance(v, Array) for v in call.args):
        return None
    shape = fit(call, list(call.args), call.name.rpartition(".")[2])
    if shape is None:
        return Array(lib="numpy", grad=False)
    values = list(call.args[1:]) if chosen else list(call.args)
    arrays = [value for value in values if isinstance(value, Array)]
    dtype = result_type(values) if arrays else {"float32": "float64"}.get(scalar_type(values[0]) or "")
    return shaped(Array(lib="numpy", grad=False), shape, dtype=dtype)


@op("numpy.tile")
def tile(call: OpCall) -> Value | None:
    """Each axis so many times; counts for more axes than there are make new ones in front."""
    array, counts = first_array(call), sizes_in(call.arg(1, "reps"))
    if array is None or array.shape is None or counts is None:
        return Array(lib="numpy", grad=False) if array is not None else None
    rank = max(len(array.shape), len(counts))
    own = [ONE] * (rank - len(array.shape)) + list(array.shape)
    times = [ONE] * (rank - len(counts)) + counts
    shape = tuple(dims.mul(one, other) for one, other in zip(own, times, strict=True))
    return array.but(layout=None, shape=shape)


@op("numpy.repeat")
def repeat(call: OpCall) -> Value | None:
    """Each element so many times along an axis, of the flat array without one."""
    array, times, axis = first_array(call), call.arg(1, "repeats"), call.arg(2, "axis")
    if array is None:
        return None
    if array.shape is None or isinstance(size(times), Unknown):
        return Array(lib="numpy", grad=False)
    if axis is None or is_none(axis):
        return array.but(layout=None, shape=(dims.mul(dims.product(array.shape), size(times)),))
    at = integer(axis)
    if at is None or not -len(array.shape) <= at < len(array.shape):
        return Array(lib="numpy", grad=False)
    shape = list(array.shape)
    shape[at] = dims.mul(shape[at], size(times))
    return array.but(shape=tuple(shape))


@op("numpy.broadcast_to")
def broadcast_to(call: OpCall) -> Value | None:
    array, shape = first_array(call), call.arg(1, "shape")
    if array is None or shape is None:
        return None
    return array.but(layout=None, shape=shape_given(call, [shape]))


@op("numpy.meshgrid")
def meshgrid(call: OpCall) -> Value | None:
    """An array for each vector; unless `indexing="ij"` the first two axes change places."""
    vectors = [value for value in call.args if isinstance(value, Array) and value.rank == 1]
    if not vectors or len(vectors) != len(call.args) or {"*", "**", "sparse"} & call.kwargs.keys():
        return None
    sizes = [vector.shape[0] for vector in vectors if vector.shape is not None]
    if call.const(len(call.args), "indexing") != "ij":
        sizes[:2] = sizes[:2][::-1]
    return Seq("list", [vector.but(layout=None, shape=tuple(sizes)) for vector in vectors])


@op("numpy.vstack", "numpy.hstack", "numpy.column_stack", "numpy.dstack")
def stacked(call: OpCall) -> Value | None:
    """Arrays one after the other; vectors become rows, or columns, first."""
    parts = call.arg(0, "tup")
    items = parts.items if isinstance(parts, Seq) else None
    arrays = [item for item in items or () if isinstance(item, Array)]
    shapes = [array.shape for array in arrays if array.shape]
    if not shapes or items is None or len(shapes) != len(items):
        inner = element(parts) if isinstance(parts, Seq) else None
        return inner.but(layout=None, shape=None) if isinstance(inner, Array) else None
    name = call.name.rpartition(".")[2]
    if name == "dstack":
        return Array(lib="numpy", grad=False)
    axis = 0 if name == "vstack" else 1
    if len(shapes[0]) == 1:
        if name == "hstack":
            axis = 0
        else:
            shapes = [(ONE, shape[0]) if name == "vstack" else (shape[0], ONE) for shape in shapes]
    first = shapes[0]
    if any(len(shape) != len(first) for shape in shapes) or axis >= len(first):
        return Array(lib="numpy", grad=False)
    length: Value = Const(0)
    for shape in shapes:
        length = dims.add(length, shape[axis])
    dtype = result_type(list(arrays))
    return arrays[0].but(layout=None, shape=(*first[:axis], length, *first[axis + 1 :]), dtype=dtype, range=None)


@op("numpy.outer")
def outer(call: OpCall) -> Value | None:
    vectors = [value for value in call.args[:2] if isinstance(value, Array) and value.rank == 1]
    if len(vectors) != 2:
        return None
    sizes = [vector.shape[0] for vector in vectors if vector.shape is not None]
    return Array(lib="numpy", grad=False, shape=tuple(sizes), dtype=result_type(list(vectors)))


@op("numpy.dot", "numpy.matmul")
def dot(call: OpCall) -> Value | None:
    """A product of two matrices."""
    matrices = [value for value in call.args[:2] if isinstance(value, Array) and value.rank == 2]
    if len(matrices) != 2 or matrices[0].shape is None or matrices[1].shape is None:
        return None
    shape = (matrices[0].shape[0], matrices[1].shape[1])
    return Array(lib="numpy", grad=False, shape=shape, dtype=result_type(list(matrices)))


@op("numpy.pad")
def pad(call: OpCall) -> Value | None:
    """Every axis longer by what stands before and behind it."""
    array, widths = first_array(call), call.arg(1, "pad_width")
    if array is None:
        return None
    if array.shape is None:
        return array.but(range=None)
    pairs = padding(widths, len(array.shape))
    if pairs is None:
        return array.but(layout=None, shape=None)
    shape = tuple(dims.add(dims.add(n, before), after) for n, (before, after) in zip(array.shape, pairs, strict=True))
    return array.but(shape=shape, range=None)


def padding(widths: Value | None, rank: int) -> list[tuple[Value, Value]] | None:
    """What stands before and behind each axis: one number, one pair, or a pair for each."""
    if isinstance(widths, Seq) and widths.items:
        if all(isinstance(pair, Seq) for pair in widths.items):
            pairs = [sizes_in(pair) for pair in widths.items]
            known = [(pair[0], pair[-1]) for pair in pairs if pair and len(pair) <= 2]
            return known * rank if len(known) == 1 else known if len(known) == rank else None
        both = sizes_in(widths)
        return [(both[0], both[-1])] * rank if both is not None and len(both) <= 2 else None
    one = size(widths)
    return None if isinstance(one, Unknown) else [(one, one)] * rank


def sizes_in(value: Value | None) -> list[Value] | None:
    """The sizes of a number or a list of numbers, None where one is not known."""
    values = value.items if isinstance(value, Seq) else [value] if value is not None else None
    found = [size(item) for item in values] if values is not None else None
    return None if found is None or any(isinstance(each, Unknown) for each in found) else found


@op("numpy.squeeze")
def squeeze(call: OpCall) -> Value | None:
    """Without its axes of one, which must be known to be all."""
    array, axis = first_array(call), call.arg(1, "axis")
    if array is None:
        return None
    at = integer(axis)
    if array.shape is None or (axis is not None and not is_none(axis) and at is None):
        return array.but(layout=None, shape=None)
    if at is not None:
        at = at % len(array.shape) if array.shape else at
        return array.but(layout=None, shape=tuple(n for i, n in enumerate(array.shape) if i != at))
    if any(dims.same(n, ONE) is None for n in array.shape):
        return array.but(layout=None, shape=None)
    return array.but(layout=None, shape=tuple(n for n in array.shape if dims.same(n, ONE) is False))
