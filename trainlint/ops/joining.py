"""Tensors put together: `cat`, `stack`, `hstack` and their kin, `block_diag`, `cartesian_prod`."""

from __future__ import annotations

from collections.abc import Callable

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import element, join_arrays
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Seq, Unknown, Value
from trainlint.ops.arguments import shape_of
from trainlint.ops.broadcast import same_device
from trainlint.ops.dtypes import promoted
from trainlint.ops.elementwise import short
from trainlint.ops.layout import added, axis_number, integer, letters

Sizes = tuple[Value, ...]
ZERO, ONE = Const(0), Const(1)


class Parts:
    """The tensors that a function joins: `values` in order, or one value for all of them where `count` is None.

    `length` is their number, where it is known.
    """

    def __init__(self, values: list[Value], counted: bool, length: Value | None = None) -> None:
        self.values = values
        self.count = len(values) if counted else None
        self.length = Const(len(values)) if counted else length

    def each(self, change: Callable[[Array], Array]) -> Parts:
        """The same parts, every tensor changed."""
        return Parts(
            [change(v) if isinstance(v, Array) else v for v in self.values], self.count is not None, self.length
        )


def parts_of(call: OpCall) -> Parts | None:
    """The parts in the first argument. Nothing is said of an empty list: something unseen may have filled it."""
    given = call.arg(0, "sequences" if call.name.endswith("pad_sequence") else "tensors")
    if not isinstance(given, Seq) or given.kind == "set":
        return None
    if given.items is not None:
        return Parts(given.items, True) if given.items else None
    return Parts([element(given)], False, given.length)


def dim_of(call: OpCall) -> Value:
    return call.kwargs.get("axis") or call.arg(1, "dim") or ZERO


def common(parts: Parts) -> Array:
    """What all parts share; a graph hangs on the result where it hangs on one of them."""
    arrays = [v for v in parts.values if isinstance(v, Array)]
    grad = True if any(a.grad is True for a in arrays) else None
    likely = any(a.likely for a in arrays)
    if not arrays or len(arrays) < len(parts.values):
        return Array(grad=grad, likely=likely)
    result = arrays[0]
    dtype = result.dtype
    for other in arrays[1:]:
        result = join_arrays(result, other)
        dtype = promoted(dtype, other.dtype)
    grad = False if all(a.grad is False for a in arrays) else grad
    return result.but(shape=result.shape, tail=result.tail, lib="torch", dtype=dtype, grad=grad, likely=likely)


@op("torch.cat", "torch.concat", "torch.concatenate")
def cat(call: OpCall) -> Value | None:
    """Parts one after the other along an axis; all other sizes are equal."""
    parts = parts_of(call)
    return concatenated(call, parts, dim_of(call)) if parts is not None else Array(grad=None)


@op("torch.stack")
def stack(call: OpCall) -> Value | None:
    """Parts of one shape along a new axis; images get a batch axis (`N`) or a time axis (`T`)."""
    parts = parts_of(call)
    if parts is None:
        return Array(grad=None)
    arrays = [a for a in parts.values if isinstance(a, Array)]
    whole = common(parts)
    if not same_device(call, list(parts.values), "stack") or not alike(call, arrays, None, "stack"):
        return Array(grad=whole.grad)
    extent = parts.length if parts.length is not None else Unknown()
    shape = merged([s for a in arrays if (s := shape_of(a)) is not None])
    dim = dim_of(call)
    at = integer(dim)
    if shape is None:
        return stacked_tail(call, whole, at, extent)
    sized = whole.but(shape=shape)
    at = axis_number(call, sized, dim, more=1)
    if at is None:
        return whole.but(shape=None, layout=None, channels=None, colour=None)
    if at == 0:
        return added(call, sized, letter_for(sized), extent)
    return sized.but(shape=(*shape[:at], extent, *shape[at:]), layout=None, channels=None, colour=None)


def letter_for(array: Array) -> str:
    """A new first axis of images: the batch, or time where there is a batch already."""
    return "N" if array.layout and "N" not in array.layout else "T"


def stacked_tail(call: OpCall, whole: Array, at: int | None, extent: Value) -> Array:
    """Where the rank is not known: a new first axis leaves the last ones, one from the end stands among them."""
    if at == 0:
        return added(call, whole, letter_for(whole), extent)
    tail = None
    if at is not None and at < 0 and whole.tail is not None and -at - 1 <= len(whole.tail):
        cut = len(whole.tail) + at + 1
        tail = (*whole.tail[:cut], extent, *whole.tail[cut:])
    return whole.but(shape=None, tail=tail, layout=None, channels=None, colour=None)


def alike(call: OpCall, arrays: list[Array], free: int | None, op: str) -> bool:
    """State that the arrays have one shape, but for the axis `free`; reports the first difference."""
    sized = [(a, s) for a in arrays if (s := shape_of(a)) is not None]
    for n, (array, shape) in enumerate(sized):
        for first, wanted in sized[:n][:1]:
            ranks = Const(len(shape)), Const(len(wanted))
            if not call.require(
                len(shape) == len(wanted), "concat", array, first, op=op, got=ranks[0], wanted=ranks[1], what="rank"
            ):
                return False
    for axis in range(len(sized[0][1]) if sized else 0):
        if axis != free and not one_size(call, [(a, s[axis]) for a, s in sized], axis, op):
            return False
    return True


def one_size(call: OpCall, sized: list[tuple[Array, Value]], axis: int, op: str) -> bool:
    """State that the sizes are equal; one of those that are surely equal stands for all of them."""
    different: list[tuple[Array, Value]] = []
    for array, got in sized:
        answers = [dims.same(got, wanted) for _, wanted in different]
        if False in answers:
            first, wanted = different[answers.index(False)]
            return call.require(False, "concat", array, first, op=op, got=got, wanted=wanted, axis=str(axis))
        if True not in answers:
            different.append((array, got))
    return True


def merged(shapes: list[Sizes]) -> Sizes | None:
    """The sizes that shapes of one rank have in common, each from the part that knows it best."""
    if not shapes:
        return None
    return tuple(best([shape[axis] for shape in shapes]) for axis in range(len(shapes[0])))


def best(sizes: list[Value]) -> Value:
    """Of sizes that are equal: the constant, else the first that has a name."""
    constant = next((s for s in sizes if integer(s) is not None), None)
    named = next((s for s in sizes if dims.poly_of(s) is not None), None)
    return constant or named or sizes[0]


def skipped(shape: Sizes) -> bool:
    """May `cat` leave the part out? It does so with the shape `(0,)`, whatever the others are."""
    return len(shape) == 1 and dims.at_least(shape[0], ONE) is not True


def concatenated(call: OpCall, parts: Parts, dim: Value) -> Array:
    """The parts along the axis `dim`."""
    whole, name = common(parts), short(call)
    arrays = [v for v in parts.values if isinstance(v, Array)]
    bare = whole.but(shape=None, layout=None, channels=None, colour=None)
    if not same_device(call, list(parts.values), name):
        return bare
    if not all(call.require(shape_of(a) != (), "rank", a, op=name, got=ZERO, wanted="at least 1") for a in arrays):
        return bare
    certain = [a for a in arrays if (s := shape_of(a)) is not None and not skipped(s)]
    if not certain:
        flat = len(arrays) == len(parts.values) and all(shape_of(a) is not None for a in arrays)
        if flat:
            return whole.but(shape=(total(parts, 0),), layout=None, channels=None, colour=None)
        return joined_tail(call, whole, parts, integer(dim))
    first = certain[0].but(shape=shape_of(certain[0]))
    at = axis_number(call, first, dim)
    if at is None or not alike(call, certain, at, name):
        known = len(first.shape or ())
        return bare.but(shape=tuple(Unknown() for _ in range(known))) if integer(dim) is None else bare
    sizes = merged([shape_of(a) or () for a in certain]) or ()
    return along(whole, (*sizes[:at], total(parts, at), *sizes[at + 1 :]), at, len(parts.values) == 1 == parts.count)


def total(parts: Parts, at: int) -> Value:
    """The size of the joined axis: the sum of the parts."""
    result: Value = ZERO if parts.length is not None else Unknown()
    for value in parts.values:
        shape = shape_of(value) if isinstance(value, Array) else None
        # a vector among matrices is one that is left out
        size: Value = Unknown() if shape is None else shape[at] if at < len(shape) else ZERO
        result = dims.add(result, size)
    return result if parts.count is not None or parts.length is None else dims.mul(result, parts.length)


def along(whole: Array, shape: Sizes, at: int, alone: bool) -> Array:
    """The result with its letters: where channels are joined their number changes, and no colour is left."""
    names = letters(whole)
    if names is None or len(names) != len(shape):
        return whole.but(shape=shape, layout=None, channels=None, colour=None)
    result = whole.but(shape=shape)
    if names[at] == "C" and not alone:
        result.channels, result.colour = integer(shape[at]), None
    return result


def joined_tail(call: OpCall, whole: Array, parts: Parts, at: int | None) -> Array:
    """Where no rank is known: the last axes, joined along one that is counted from the end."""
    tails = [v.tail if isinstance(v, Array) else None for v in parts.values]
    known = [t for t in tails if t is not None]
    result = whole.but(shape=None, layout=None, channels=None, colour=None)
    if at is None or at >= 0 or len(known) < len(tails):
        return result
    common_rank = min(len(t) for t in known)
    sizes: list[Value] = []
    for axis in range(-common_rank, 0):
        column = [t[axis] for t in known]
        if axis == at:
            total: Value = ZERO if parts.count is not None else Unknown()
            for size in column:
                total = dims.add(total, size)
            sizes.append(total)
            continue
        arrays = [v for v in parts.values if isinstance(v, Array)]
        if not one_size(call, list(zip(arrays, column, strict=True)), axis, short(call)):
            return result
        sizes.append(best(column))
    return result.but(shape=None, tail=tuple(sizes) or None)


# with axes added first


def at_least_axes(count: int) -> Callable[[Array], Array]:
    """`atleast_1d` and its kin: what they make of the shape of a tensor."""

    def change(array: Array) -> Array:
        shape = array.shape
        if shape is None or len(shape) >= count:
            return array
        if count == 3:
            padded = {0: (ONE, ONE, ONE), 1: (ONE, *shape, ONE), 2: (*shape, ONE)}[len(shape)]
        else:
            padded = (*(ONE for _ in range(count - len(shape))), *shape)
        return array.but(shape=padded, layout=None)

    return change


def as_column(array: Array) -> Array:
    if array.shape is None or len(array.shape) > 1:
        return array
    return array.but(shape=(dims.product(array.shape), ONE), layout=None)


@op("torch.vstack", "torch.row_stack")
def vstack(call: OpCall) -> Value | None:
    """Along the first axis; vectors become rows."""
    parts = parts_of(call)
    return concatenated(call, parts.each(at_least_axes(2)), ZERO) if parts is not None else Array(grad=None)


@op("torch.dstack")
def dstack(call: OpCall) -> Value | None:
    """Along the third axis."""
    parts = parts_of(call)
    return concatenated(call, parts.each(at_least_axes(3)), Const(2)) if parts is not None else Array(grad=None)


@op("torch.hstack")
def hstack(call: OpCall) -> Value | None:
    """Along the second axis; vectors along their only one."""
    parts = parts_of(call)
    return beside(call, parts.each(at_least_axes(1))) if parts is not None else Array(grad=None)


@op("torch.column_stack")
def column_stack(call: OpCall) -> Value | None:
    """Vectors become columns."""
    parts = parts_of(call)
    return beside(call, parts.each(as_column)) if parts is not None else Array(grad=None)


def beside(call: OpCall, parts: Parts) -> Array:
    first = parts.values[0]
    shape = first.shape if isinstance(first, Array) else None
    if shape is None:
        return common(parts).but(shape=None, layout=None, channels=None, colour=None)
    return concatenated(call, parts, ZERO if len(shape) == 1 else ONE)


@op("torch.block_diag")
def block_diag(call: OpCall) -> Value | None:
    """Matrices along the diagonal of a larger one; vectors count as rows."""
    if not call.args or "*" in call.kwargs:
        return None
    rows: Value = ZERO
    columns: Value = ZERO
    for value in call.args:
        shape = value.shape if isinstance(value, Array) else None
        if shape is not None and not call.require(
            len(shape) <= 2, "rank", value, got=Const(len(shape)), wanted="at most 2"
        ):
            return Array()
        padded = (ONE, ONE, *shape)[-2:] if shape is not None else (Unknown(), Unknown())
        rows, columns = dims.add(rows, padded[0]), dims.add(columns, padded[1])
    return common(Parts(call.args, True)).but(shape=(rows, columns), layout=None, channels=None, colour=None)


@op("torch.cartesian_prod")
def cartesian_prod(call: OpCall) -> Value | None:
    """Every combination of one element of each vector, a row each."""
    if not call.args or "*" in call.kwargs:
        return None
    whole = common(Parts(call.args, True))
    sizes: list[Value] = []
    for value in call.args:
        shape = value.shape if isinstance(value, Array) else None
        if shape is not None and not call.require(len(shape) == 1, "rank", value, got=Const(len(shape)), wanted=ONE):
            return Array()
        sizes.append(shape[0] if shape is not None else Unknown())
    dtypes = {v.dtype for v in call.args if isinstance(v, Array) and v.dtype is not None}
    if not call.require(len(dtypes) < 2, "dtype", *call.args, got=" and ".join(sorted(dtypes))):
        return Array()
    if len(sizes) == 1:
        return whole
    return whole.but(shape=(dims.product(sizes), Const(len(sizes))), layout=None, channels=None, colour=None)
