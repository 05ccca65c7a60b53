"""Other views of a tensor: axes permuted, added, dropped, flipped; diagonals; copies of the same."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, array_method, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none
from trainlint.ops.layout import (
    FLIPPED,
    axes,
    axis_number,
    given,
    integer,
    is_one,
    letters,
    lost,
    may_be_one,
    moved_axes,
    permuted,
    swapped,
    unsqueezed,
)


@tensor_op("permute")
def permute(call: OpCall) -> Value | None:
    """`x.permute(2, 0, 1)`: axis i of the result is axis order[i] of x."""
    array = call.args[0]
    return permuted(call, array, axes(call, given(call, 1, "dims"))) if isinstance(array, Array) else None


@tensor_op("transpose", "swapaxes", "swapdims", inplace=True)
def transpose(call: OpCall) -> Value | None:
    """Two axes exchanged for torch; all axes given (or none: reversed) for NumPy's `transpose`."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    numbers = axes(call, [*call.args[1:], *call.kwargs.values()])
    if array.lib == "numpy" and call.name == "transpose":
        if len(call.args) == 1 and not call.kwargs:
            return reversed_axes(call, array)
        return permuted(call, array, numbers)
    first, second = integer(call.arg(1, "dim0")), integer(call.arg(2, "dim1"))
    if numbers is not None and len(numbers) == 2 and "dim1" not in call.kwargs:
        first, second = numbers
    return swapped(call, array, first, second)


def reversed_axes(call: OpCall, array: Array) -> Array:
    rank = len(array.shape) if array.shape is not None else len(array.layout) if array.layout is not None else None
    return permuted(call, array, list(range(rank))[::-1] if rank is not None else None)


@array_method(".T", ".H")
def transposed(call: OpCall) -> Value | None:
    """All axes reversed."""
    return reversed_axes(call, call.receiver) if isinstance(call.receiver, Array) else None


@tensor_op("t", inplace=True)
def t(call: OpCall) -> Value | None:
    """The transpose of a matrix; vectors stay."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.shape is None:
        return lost(array)
    if not call.require(len(array.shape) <= 2, "rank", array, got=Const(len(array.shape)), wanted=Const(2)):
        return Array()
    return reversed_axes(call, array)


@array_method(".mT", ".mH")
def matrix_transposed(call: OpCall) -> Value | None:
    return last_two(call, call.receiver)


@tensor_op("adjoint")
def adjoint(call: OpCall) -> Value | None:
    return last_two(call, call.args[0])


def last_two(call: OpCall, array: Value | None) -> Value | None:
    """The last two axes exchanged; a scalar stays."""
    if not isinstance(array, Array):
        return None
    if array.shape is not None and not call.require(
        len(array.shape) != 1, "rank", array, got=Const(len(array.shape)), wanted=Const(2)
    ):
        return Array()
    return array if array.shape == () else swapped(call, array, -2, -1)


@tensor_op("movedim", "moveaxis")
def movedim(call: OpCall) -> Value | None:
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    ends = [axes(call, [v]) for v in (call.arg(1, "source"), call.arg(2, "destination")) if v is not None]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return permuted(call, array, None)
    return moved_axes(call, array, ends[0], ends[1])


@tensor_op("unsqueeze", inplace=True)
def unsqueeze(call: OpCall) -> Value | None:
    """A new axis of size 1; in front of an image it is the batch axis."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    dim = call.arg(1, "dim")
    if array.shape is None:
        return unsqueezed(array, integer(dim))
    return unsqueezed(array, axis_number(call, array, dim, more=1))


@tensor_op("squeeze", inplace=True)
def squeeze(call: OpCall) -> Value | None:
    """Axes of size 1 dropped: all of them, or those given where their size is 1."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    values = given(call, 1, "dim", "axis")
    if array.shape is None:
        return squeezed_letters(array, integer(values[0]) if len(values) == 1 else None)
    if not values or (len(values) == 1 and is_none(values[0])):
        return without(array, [n for n, size in enumerate(array.shape) if not is_one(size)], range(len(array.shape)))
    if len(values) == 1 and isinstance(values[0], Seq) and values[0].items is not None:
        values = values[0].items
    numbers = [axis_number(call, array, value) for value in values]
    if any(n is None for n in numbers):
        return lost(array)
    if array.shape and numbers == [0] and letters(array) is not None and array.layout and array.layout[0] == "N":
        if not is_one(array.shape[0]) and may_be_one(array.shape[0]):
            return array.but(layout=array.layout[1:] or None, shape=None)
    wanted = {n for n in numbers if n is not None}
    kept = [n for n, size in enumerate(array.shape) if n not in wanted or not is_one(size)]
    return without(array, kept, wanted)


def without(array: Array, kept: list[int], tested: object) -> Array:
    """The array with the axes that are kept; nothing is known where one of those tested may be of size 1."""
    assert array.shape is not None
    names = letters(array)
    if any(n in tested and may_be_one(array.shape[n]) for n in kept):  # type: ignore[operator]
        return lost(array)
    layout = "".join(names[n] for n in kept) or None if names is not None else None
    channels = array.channels if layout is not None and "C" in layout else None
    return array.but(layout=layout, channels=channels, shape=tuple(array.shape[n] for n in kept))


def squeezed_letters(array: Array, dim: int | None) -> Array:
    """Without sizes: the batch axis in front is what `squeeze(0)` drops."""
    if dim == 0 and array.layout and array.layout[0] == "N":
        return array.but(layout=array.layout[1:], shape=None, tail=array.tail)
    return lost(array)


@tensor_op("flip")
def flip(call: OpCall) -> Value | None:
    """Flipping the channel axis exchanges RGB and BGR; other axes only mirror."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    numbers = axes(call, given(call, 1, "dims", "axis"))
    if numbers is None:
        return array.but(colour=None)
    if array.shape is not None and any(axis_number(call, array, Const(n)) is None for n in numbers):
        return Array()
    if array.shape is not None:
        places = [n % max(len(array.shape), 1) for n in numbers]
        if not call.require(len(set(places)) == len(places), "argument", array, what="an axis given twice"):
            return Array()
    layout = array.layout
    if layout is None:
        return array.but(colour=None)
    if any(-len(layout) <= n < len(layout) and layout[n] == "C" for n in numbers):
        return array.but(colour=FLIPPED.get(array.colour or ""), origin=call.step("channels flipped", array, "colour"))
    return array


@tensor_op("fliplr", "flipud")
def mirror(call: OpCall) -> Value | None:
    """`fliplr` mirrors axis 1, `flipud` axis 0."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    least = 2 if call.name.endswith("lr") else 1
    if array.shape is not None and not call.require(
        len(array.shape) >= least, "rank", array, got=Const(len(array.shape)), wanted=Const(least)
    ):
        return Array()
    layout = array.layout
    mirrored = layout[least - 1] if layout is not None and len(layout) >= least else None
    return array.but(colour=None) if mirrored in (None, "C") else array


@tensor_op("roll")
def roll(call: OpCall) -> Value | None:
    """The elements move around, the axes stay; along channels the colours are mixed up."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    dim = call.arg(2, "dims")
    if dim is None or is_none(dim):
        return array
    numbers = axes(call, [dim])
    if not call.require(array.shape != (), "index", array, got=dim, wanted=Const(0)):
        return Array()
    for number in numbers or ():
        if array.shape is not None and axis_number(call, array, Const(number)) is None:
            return Array()
    return array.but(colour=None) if array.layout is None or numbers is None else array


@tensor_op("rot90")
def rot90(call: OpCall) -> Value | None:
    """A quarter turn exchanges two axes; it does not change what they are."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    turns = integer(call.arg(1, "k")) if call.arg(1, "k") is not None else 1
    dim = call.arg(2, "dims")
    plane = axes(call, [dim]) if dim is not None else [0, 1]
    if array.shape is None or turns is None or plane is None or len(plane) != 2:
        return array.but(shape=None)
    first, second = (axis_number(call, array, Const(n)) for n in plane)
    if first is None or second is None:
        return Array()
    if not call.require(first != second, "argument", array, what="an axis given twice"):
        return Array()
    sizes = list(array.shape)
    if turns % 2:
        sizes[first], sizes[second] = sizes[second], sizes[first]
    return array.but(shape=tuple(sizes))


@tensor_op("tril", "triu", inplace=True)
def triangle(call: OpCall) -> Value | None:
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.shape is not None and not call.require(
        len(array.shape) >= 2, "rank", array, got=Const(len(array.shape)), wanted=Const(2)
    ):
        return Array()
    return array.but(range=None)


@tensor_op("diagonal")
def diagonal(call: OpCall) -> Value | None:
    """The diagonal of two axes becomes the last axis."""
    array = call.args[0]
    return diagonal_of(call, array, call.arg(1, "offset"), call.arg(2, "dim1"), call.arg(3, "dim2"))


def diagonal_of(
    call: OpCall, array: Value, offset: Value | None, dim1: Value | None, dim2: Value | None
) -> Array | None:
    if not isinstance(array, Array):
        return None
    if array.shape is None:
        return array.but(layout=None, channels=None, shape=None)
    first = axis_number(call, array, dim1 if dim1 is not None else Const(0))
    second = axis_number(call, array, dim2 if dim2 is not None else Const(1))
    if first is None or second is None:
        return Array()
    if not call.require(first != second, "argument", array, what="an axis given twice"):
        return Array()
    length = diagonal_length(array.shape[first], array.shape[second], integer(offset) if offset is not None else 0)
    rest = tuple(size for n, size in enumerate(array.shape) if n not in (first, second))
    return array.but(layout=None, channels=None, shape=(*rest, length))


def diagonal_length(rows: Value, columns: Value, offset: int | None) -> Value:
    """How many elements stand on a diagonal: above the main one for positive offsets."""
    if offset is None:
        return Unknown()
    if offset >= 0:
        columns = dims.sub(columns, Const(offset))
    else:
        rows = dims.add(rows, Const(offset))
    shorter = rows if dims.at_least(columns, rows) else columns if dims.at_least(rows, columns) else Unknown()
    return shorter if dims.at_least(shorter, Const(0)) is not False else Const(0)


@tensor_op("diag")
def diag(call: OpCall) -> Value | None:
    """A matrix from its diagonal, or the diagonal of a matrix."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.shape is None:
        return lost(array)
    rank = len(array.shape)
    if not call.require(rank in (1, 2), "rank", array, got=Const(rank), wanted="1 or 2"):
        return Array()
    offset = call.arg(1, "diagonal")
    return diagonal_of(call, array, offset, None, None) if rank == 2 else on_diagonal(array, offset)


@tensor_op("diag_embed")
def diag_embed(call: OpCall) -> Value | None:
    """Matrices with the last axis on their diagonal."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if array.shape is None or len(call.args) > 2 or "dim1" in call.kwargs or "dim2" in call.kwargs:
        return lost(array)
    if not call.require(bool(array.shape), "rank", array, got=Const(0), wanted=Const(1)):
        return Array()
    return on_diagonal(array, call.arg(1, "offset"))


def on_diagonal(array: Array, offset: Value | None) -> Array:
    assert array.shape
    shift = integer(offset) if offset is not None else 0
    side = dims.add(array.shape[-1], Const(abs(shift))) if shift is not None else Unknown()
    return array.but(layout=None, shape=(*array.shape[:-1], side, side))


@op("torch.clone", "torch.autograd.Variable", "torch.autograd.variable.Variable", "torch.Variable")
def same(call: OpCall) -> Value | None:
    """`Variable(x)` has been the tensor itself since torch 0.4."""
    return call.args[0] if call.args else None


@array_method("contiguous", "clone", "copy", "pin_memory", "share_memory_", "positive", "resolve_conj")
def copied(call: OpCall) -> Value | None:
    """The same tensor in another place."""
    return call.receiver if isinstance(call.receiver, Array) else None


@array_method("detach", "detach_", ".data")
def detached(call: OpCall) -> Value | None:
    """The same numbers without the graph."""
    if not isinstance(call.receiver, Array):
        return None
    result = call.receiver.but(grad=False)
    # still the memory of the parameter
    result.source = call.receiver.source
    return result


@op("torch.detach")
def detached_function(call: OpCall) -> Value | None:
    array = call.arg(0, "input")
    return array.but(grad=False) if isinstance(array, Array) else None
