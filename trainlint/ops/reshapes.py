"""`view`, `reshape`, `flatten`, `unflatten`, `unfold`: the same elements counted along other axes."""

from __future__ import annotations

from typing import Any

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import BatchMixed
from trainlint.analysis.registry import OpCall, array_method, op, tensor_op
from trainlint.analysis.values import Const, Ext, Seq, Sym, Unknown, Value
from trainlint.ops.layout import (
    added,
    axis_number,
    given,
    integer,
    is_one,
    letters,
    lost,
    report,
    size,
    sizes_of,
)

Sizes = tuple[Value, ...]


@tensor_op("view", torch=False)
@tensor_op("reshape")
def view(call: OpCall) -> Value | None:
    """`x.view(n, -1)`; `x.view(torch.int32)` reads the same bytes as another dtype."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    first = call.args[1] if len(call.args) > 1 else None
    if isinstance(first, Const) and isinstance(first.value, str):
        return array
    if isinstance(first, Ext) or "dtype" in call.kwargs:
        return array.but(shape=None, dtype=None, range=None)
    return reshaped(call, array, sizes_of(call, 1, "size", "shape", "newshape"))


@op("numpy.reshape")
def numpy_reshape(call: OpCall) -> Value | None:
    array = call.arg(0, "a")
    if not isinstance(array, Array):
        return None
    shape = call.arg(1, "shape") if "newshape" not in call.kwargs else call.kwargs["newshape"]
    return reshaped(call, array, flat_sizes(shape))


@tensor_op("view_as", "reshape_as", torch=False)
def view_as(call: OpCall) -> Value | None:
    """The shape of another tensor."""
    array, other = call.args[0], call.arg(1, "other")
    if not isinstance(array, Array):
        return None
    return reshaped(call, array, list(other.shape) if isinstance(other, Array) and other.shape is not None else None)


def flat_sizes(value: Value | None) -> list[Value] | None:
    """The sizes of one argument that is an int or a tuple."""
    if isinstance(value, Seq):
        return [size(item) for item in value.items] if value.items is not None else None
    return None if isinstance(size(value), Unknown) else [size(value)]


def reshaped(call: OpCall, array: Array, sizes: list[Value] | None) -> Array:
    """The array after `view` or `reshape` to the sizes, of which one may be -1.

    Axes that only merge or scramble lose their names; a reshape that would turn HWC into CHW (or back) by counting
    pixels is reported: it scrambles them.
    """
    if sizes is None:
        return array.but(layout=None, shape=None, channels=None)
    shape = counted(call, array, sizes)
    if shape is None:
        return Array()
    batch_mixed(call, array, sizes)
    target = scrambling_target(array, sizes)
    if target is not None:
        report(call, array, None, target)
        return array.but(layout=target, shape=shape, origin=call.step(f"{call.name} to {target}", array))
    before = letters(array)
    if before is not None and len(sizes) == len(before) + 1 and is_one(sizes[0]):
        return added(call, array).but(shape=shape)
    layout = regrouped_letters(array, shape)
    channels = array.channels if layout is not None and "C" in layout else None
    return array.but(layout=layout, shape=shape, channels=channels)


def counted(call: OpCall, array: Array, sizes: list[Value]) -> Sizes | None:
    """The sizes with -1 resolved, None where the elements of the array provably do not fit."""
    total = dims.product(array.shape) if array.shape is not None else Unknown()
    open_axes = [n for n, given_size in enumerate(sizes) if integer(given_size) == -1]
    names: dict[str, Any] = {"got": shape_text(array.shape), "wanted": shape_text(tuple(sizes)), "elements": total}
    negative = any((number := integer(s)) is not None and number < -1 for s in sizes)
    if not call.require(not negative and len(open_axes) <= 1, "reshape", array, **names):
        return None
    known = dims.product([s for s in sizes if integer(s) != -1])
    if not open_axes:
        return tuple(sizes) if call.require(dims.same(total, known), "reshape", array, **names) else None
    fits = dims.divisible(total, known) if dims.same(known, Const(0)) is not True else False
    if not call.require(fits, "reshape", array, **names):
        return None
    result = list(sizes)
    result[open_axes[0]] = dims.floordiv(total, known)
    return tuple(result)


def shape_text(shape: Sizes | None) -> str:
    """`(B, 64, 7, 7)`, or an empty text where nothing is known."""
    if shape is None:
        return ""
    return f"({', '.join(map(dims.text, shape))}{',' if len(shape) == 1 else ''})"


def batch_mixed(call: OpCall, array: Array, sizes: list[Value]) -> None:
    """Report `view(-1, k)` where a row of k elements begins in one sample and ends in the next.

    Where k divides the elements of a sample leading axes are merged, and where it is a multiple whole samples are
    grouped: both are done on purpose.
    """
    if array.shape is None or len(array.shape) < 2 or len(sizes) < 2:
        return
    batch = array.shape[0]
    if not isinstance(batch, Sym) or len(batch.poly) != 1:
        return
    if integer(sizes[0]) != -1:
        batch_fixed(call, array, batch, sizes)
        return
    row, sample = dims.product(sizes[1:]), dims.product(array.shape[1:])
    k, n = integer(row), integer(sample)
    if k is None or n is None or k <= 0 or n <= 0 or n % k == 0 or k % n == 0:
        return
    call.run.fact(BatchMixed(call.node, call.scope.file, array, row, sample))


def batch_fixed(call: OpCall, array: Array, batch: Sym, sizes: list[Value]) -> None:
    """Report `view(64, -1)` where the last batch has another number of samples."""
    ((atoms, factor),) = batch.poly
    others = [integer(s) for s in sizes[1:]]
    if factor != 1 or len(atoms) != 1 or others.count(-1) != 1 or array.shape is None:
        return
    usual, last = integer(atoms[0].value), atoms[0].last
    if last is None or usual is None or usual != integer(sizes[0]):
        return
    sample = dims.product(array.shape[1:])
    row = dims.floordiv(dims.mul(Const(last), sample), Const(usual))
    if integer(sample) is not None:
        call.run.fact(BatchMixed(call.node, call.scope.file, array, row, sample, sizes[0], last))


def regrouped_letters(array: Array, shape: Sizes) -> str | None:
    """The letters where the last axes stay and only batch and time in front of them merge or part."""
    before = letters(array)
    if before is None or array.shape is None:
        return None
    same = 0
    for old, new in zip(reversed(array.shape), reversed(shape), strict=False):
        if dims.same(old, new) is not True:
            break
        same += 1
    if same == len(before) == len(shape):
        return before
    head, tail = before[: len(before) - same], before[len(before) - same :]
    new_head = len(shape) - same
    if not tail or "N" in tail or not head or not set(head) <= {"N", "T"}:
        return None
    return {1: "N", 2: "NT"}[new_head] + tail if new_head in (1, 2) else None


def scrambling_target(array: Array, sizes: list[Value]) -> str | None:
    """The layout that a reshape of an image means where it is another order of the same axes."""
    before = array.layout
    channels = array.channels
    if before not in ("HWC", "CHW", "NHWC", "NCHW") or channels is None or channels == 1:
        return None
    rank = len(before)
    if len(sizes) == rank + 1 and rank == 3:
        sizes = sizes[1:]
    if len(sizes) != rank:
        return None
    wanted = [given_size.value if isinstance(given_size, Const) else None for given_size in sizes]
    first, last = (1, 3) if rank == 4 else (0, 2)
    channels_first = before in ("CHW", "NCHW")
    if wanted[first] == channels and wanted[last] != channels and not channels_first:
        return "NCHW" if rank == 4 else "CHW"
    if wanted[last] == channels and wanted[first] != channels and channels_first:
        return "NHWC" if rank == 4 else "HWC"
    return None


@tensor_op("flatten")
def flatten(call: OpCall) -> Value | None:
    """Axes `start_dim` to `end_dim` become one."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.lib == "numpy":
        return array.but(layout=None, channels=None, shape=flat(array, 0, -1))
    return flattened(call, array, call.arg(1, "start_dim"), call.arg(2, "end_dim"))


def flattened(call: OpCall, array: Array, start: Value | None, end: Value | None) -> Array:
    """The array with the axes from `start` (default 0) to `end` (default the last) as one."""
    first = start if start is not None else Const(0)
    last = end if end is not None else Const(-1)
    if array.shape is None:
        low, high = integer(first), integer(last)
        shape = flat(array, low, high) if low is not None and high is not None else None
        return array.but(layout=None, channels=None, shape=shape)
    a, b = axis_number(call, array, first), axis_number(call, array, last)
    if a is None or b is None:
        return array.but(layout=None, channels=None, shape=None)
    if not call.require(a <= b, "argument", array, got=first, wanted=last, what="start_dim after end_dim"):
        return Array()
    return array.but(layout=None, channels=None, shape=flat(array, a, b))


def flat(array: Array, start: int, end: int) -> Sizes | None:
    """The sizes after merging axes; where their number is not known, `start` to the last tells how many are left."""
    if array.shape is None:
        return tuple(Unknown() for _ in range(start + 1)) if start >= 0 and end == -1 else None
    if not array.shape:
        return (Const(1),)
    start, end = start % len(array.shape), end % len(array.shape)
    if start == end:
        return array.shape
    return (*array.shape[:start], dims.product(array.shape[start : end + 1]), *array.shape[end + 1 :])


@tensor_op("ravel")
def ravel(call: OpCall) -> Value | None:
    array = call.args[0]
    return array.but(layout=None, channels=None, shape=flat(array, 0, -1)) if isinstance(array, Array) else None


@tensor_op("unflatten")
def unflatten(call: OpCall) -> Value | None:
    """One axis becomes several, of which one may be given as -1."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    values = given(call, 2, "sizes")
    sizes = flat_sizes(values[0]) if len(values) == 1 else None
    return unflattened(call, array, call.arg(1, "dim"), sizes)


def unflattened(call: OpCall, array: Array, dim: Value | None, sizes: list[Value] | None) -> Array:
    """The array with the axis `dim` split into `sizes`."""
    at = axis_number(call, array, dim)
    if array.shape == ():
        # a scalar has no axis to split, not even the axis 0 that other operations grant it
        call.require(False, "rank", array, op="unflatten", got=Const(0), wanted=Const(1))
        return Array()
    if at is None or sizes is None or array.shape is None:
        return array.but(layout=None, channels=None, shape=None)
    part = counted(call, array.but(shape=array.shape[at : at + 1]), sizes)
    if part is None:
        return Array()
    return array.but(layout=None, channels=None, shape=(*array.shape[:at], *part, *array.shape[at + 1 :]))


@tensor_op("unfold", torch=False)
def unfold(call: OpCall) -> Value | None:
    """Windows along one axis: their number stays in its place, their elements become the last axis."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    at = axis_number(call, array, call.arg(1, "dimension"))
    length, stride = size(call.arg(2, "size")), size(call.arg(3, "step"))
    if at is None or array.shape is None:
        return lost(array)
    # a scalar counts as one element
    extent = array.shape[at] if array.shape else Const(1)
    if not call.require(dims.at_least(extent, length), "kernel", array, got=extent, wanted=length):
        return Array()
    count = dims.add(dims.floordiv(dims.sub(extent, length), stride), Const(1))
    return array.but(layout=None, shape=(*array.shape[:at], count, *array.shape[at + 1 :], length))


@array_method("resize_")
def resize_in_place(call: OpCall) -> Value | None:
    """`x.resize_(2, 3)`: these sizes, whatever the number of elements was before."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    sizes = sizes_of(call, 0, "size")
    if sizes is None:
        return lost(array)
    return array.but(layout=None, channels=None, shape=tuple(sizes))


@array_method("resize_as_")
def resize_as_in_place(call: OpCall) -> Value | None:
    """`x.resize_as_(other)`: the sizes of the other."""
    array, other = call.receiver, call.arg(0, "other")
    if not isinstance(array, Array):
        return None
    return array.but(layout=None, channels=None, shape=other.shape if isinstance(other, Array) else None)
