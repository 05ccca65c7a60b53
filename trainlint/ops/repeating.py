"""`expand`, `broadcast_to`, `repeat`, `tile`, `repeat_interleave`, `meshgrid`: the same numbers more than once."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none
from trainlint.ops.broadcast import fit, shaped
from trainlint.ops.layout import axis_number, integer, size, sizes_of
from trainlint.ops.reshapes import flat, shape_text


def with_sizes(array: Array, shape: tuple[Value, ...]) -> Array:
    """The array with other sizes: letters stay where no axis was added, a grey image may get channels."""
    names = array.layout if array.layout is not None and len(array.layout) == len(shape) else None
    channels, colour = None, array.colour
    if names is not None and "C" in names:
        channels = integer(shape[names.index("C")])
        if channels != array.channels and colour == "GRAY":
            colour = None
    return array.but(layout=names, channels=channels, colour=colour, shape=shape)


def unsized(array: Array) -> Array:
    """The array where it is not known to what sizes it grows."""
    return array.but(shape=None, channels=None)


@tensor_op("expand", torch=False)
@tensor_op("broadcast_to")
def expand(call: OpCall) -> Value | None:
    """Axes of size 1 grow to the sizes given; -1 keeps an axis, further sizes are new axes in front."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    sizes = sizes_of(call, 1, "size", "shape")
    return expanded(call, array, sizes) if sizes is not None else unsized(array)


@tensor_op("expand_as", torch=False)
def expand_as(call: OpCall) -> Value | None:
    array, other = call.args[0], call.arg(1, "other")
    if not isinstance(array, Array):
        return None
    if not isinstance(other, Array) or other.shape is None:
        return unsized(array)
    return expanded(call, array, list(other.shape))


def expanded(call: OpCall, array: Array, sizes: list[Value]) -> Array:
    negative = next((s for s in sizes if (integer(s) or 0) < -1), None)
    if not call.require(negative is None, "argument", array, got=negative or Unknown(), what="a negative size"):
        return Array()
    if array.shape is None:
        return with_sizes(array, tuple(Unknown() if integer(s) == -1 else s for s in sizes))
    new = len(sizes) - len(array.shape)
    if not call.require(new >= 0, "rank", array, got=Const(len(array.shape)), wanted=Const(len(sizes))):
        return Array()
    # only an axis that is there can be kept
    lost_axis = any(integer(s) == -1 for s in sizes[:new])
    if not call.require(not lost_axis, "argument", array, got=Const(-1), what="-1 for a new axis"):
        return Array()
    result = sizes[:new]
    for old, wanted in zip(array.shape, sizes[new:], strict=True):
        if integer(wanted) == -1:
            result.append(old)
            continue
        clash = dims.same(old, wanted) is False and dims.same(old, Const(1)) is False
        if not call.require(not clash, "broadcast", array, left=old, right=wanted, what=shape_text(tuple(sizes))):
            return Array()
        result.append(wanted)
    return with_sizes(array, tuple(result))


@tensor_op("repeat", torch=False)
def repeat(call: OpCall) -> Value | None:
    """Each axis as many times as given; NumPy's `repeat` repeats elements."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.lib != "torch":
        return interleaved(call, array, call.arg(1, "repeats"), call.arg(2, "axis"))
    times = sizes_of(call, 1, "repeats")
    if times is None:
        return unsized(array)
    sizes = array.shape
    if sizes is not None and not call.require(
        len(times) >= len(sizes), "rank", array, got=Const(len(times)), wanted=Const(len(sizes))
    ):
        return Array()
    if sizes is None:
        # as many axes as numbers, unless the call fails
        return with_sizes(array, tuple(Unknown() for _ in times))
    return tiled(call, array, times)


@tensor_op("tile")
def tile(call: OpCall) -> Value | None:
    """As `repeat`, with ones in front where fewer numbers than axes are given."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    times = sizes_of(call, 1, "dims", "reps")
    return tiled(call, array, times) if times is not None and array.shape is not None else unsized(array)


def tiled(call: OpCall, array: Array, times: list[Value]) -> Array:
    assert array.shape is not None
    negative = next((t for t in times if (integer(t) or 0) < 0), None)
    if not call.require(negative is None, "argument", array, got=negative or Unknown(), what="a negative number"):
        return Array()
    rank = max(len(times), len(array.shape))
    sizes = (*(Const(1) for _ in range(rank - len(array.shape))), *array.shape)
    factors = (*(Const(1) for _ in range(rank - len(times))), *times)
    return with_sizes(array, tuple(dims.mul(a, b) for a, b in zip(sizes, factors, strict=True)))


@tensor_op("repeat_interleave")
def repeat_interleave(call: OpCall) -> Value | None:
    """Each element as many times as given, along an axis or of the flat tensor."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    return interleaved(call, array, call.arg(1, "repeats"), call.arg(2, "dim"), call.kwargs.get("output_size"))


def interleaved(
    call: OpCall, array: Array, repeats: Value | None, dim: Value | None, output: Value | None = None
) -> Array:
    if repeats is None:
        # one argument: the indices that a tensor of numbers stands for
        return array.but(layout=None, range=None, channels=None, shape=(Unknown(),))
    times = size(repeats)
    negative = (integer(times) or 0) < 0
    if not call.require(not negative, "argument", array, got=times, what="a negative number"):
        return Array()
    if dim is None or is_none(dim):
        base = array.but(layout=None, channels=None, shape=flat(array, 0, -1))
        at: int | None = 0
    else:
        base, at = array, axis_number(call, array, dim)
    if base.shape is None or at is None:
        return unsized(array).but(layout=None)
    if not call.require(bool(base.shape), "index", array, got=dim or Const(0), wanted=Const(0)):
        return Array()
    shape = list(base.shape)
    given = size(output) if output is not None and not is_none(output) else None
    shape[at] = given if given is not None else dims.mul(shape[at], times)
    return with_sizes(base, tuple(shape))


@op("torch.meshgrid")
def meshgrid(call: OpCall) -> Value | None:
    """One grid for each vector, all of the shape (len(a), len(b), …); `indexing="xy"` exchanges the first two axes."""
    first = call.args[0] if call.args else None
    vectors = first.items if isinstance(first, Seq) and len(call.args) == 1 else list(call.args)
    indexing = call.kwargs.get("indexing", Const("ij"))
    if vectors is None or "*" in call.kwargs:
        return Seq("tuple", None, Array(grad=None))
    shape: list[Value] = []
    for vector in vectors:
        shape_of = vector.shape if isinstance(vector, Array) else None
        if shape_of is None:
            # vectors have one axis, scalars count as one element
            shape.append(Unknown())
            continue
        if not call.require(len(shape_of) <= 1, "rank", vector, got=Const(len(shape_of)), wanted=Const(1)):
            return Seq("tuple", [Array() for _ in vectors])
        shape.append(shape_of[0] if shape_of else Const(1))
    dtypes = {v.dtype for v in vectors if isinstance(v, Array) and v.dtype is not None}
    if not call.require(len(dtypes) < 2, "dtype", *vectors, got=" and ".join(sorted(dtypes))):
        return Seq("tuple", [Array() for _ in vectors])
    if len(shape) > 1:
        if not isinstance(indexing, Const):
            shape = [Unknown() for _ in shape]
        elif indexing.value == "xy":
            shape[0], shape[1] = shape[1], shape[0]
    grids = tuple(shape)
    result = [v.but(layout=None, shape=grids) if isinstance(v, Array) else Array(shape=grids) for v in vectors]
    return Seq("tuple", list[Value](result))


@op("torch.broadcast_tensors")
def broadcast_tensors(call: OpCall) -> Value | None:
    if not call.args or "*" in call.kwargs:
        return None
    together = fit(call, call.args, "broadcast_tensors")
    if together is None:
        return Seq("tuple", [Array() for _ in call.args])
    return Seq("tuple", [shaped(a, together) if isinstance(a, Array) else Array() for a in call.args])
