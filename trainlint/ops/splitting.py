"""Tensors taken apart: `chunk`, `split`, `tensor_split`, `unbind`, `hsplit` and their kin."""

from __future__ import annotations

from itertools import pairwise

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, tensor_op
from trainlint.analysis.values import Const, Seq, Sym, Unknown, Value, is_none, known
from trainlint.ops.arguments import shape_of
from trainlint.ops.elementwise import short
from trainlint.ops.gathering import resized
from trainlint.ops.indexing import Part, indexed, sliced
from trainlint.ops.layout import axis_number, integer, lost, size

ZERO, ONE = Const(0), Const(1)
# more parts than this are not written out
MAX_PARTS = 256


class Cut:
    """A tensor and the axis it is cut along: `at` from the front, negative where only the last axes are known."""

    def __init__(self, array: Array, at: int | None, size: Value) -> None:
        self.array = array
        self.at = at
        self.size = size

    def part(self, size: Value) -> Array:
        """A part of this size."""
        if self.at is None:
            return lost(self.array).but(channels=None, colour=None)
        if self.array.shape is not None:
            return resized(self.array, self.at, size)
        tail = list(self.array.tail or ())
        tail[self.at] = size
        return self.array.but(shape=None, tail=tuple(tail), layout=None, channels=None, colour=None)

    def parts(self, sizes: list[Value] | None, each: Value | None = None) -> Seq:
        """Parts of these sizes; where their number is not known, parts of the size `each`."""
        if sizes is None or len(sizes) > MAX_PARTS:
            return Seq("tuple", None, self.part(each if each is not None else Unknown()))
        return Seq("tuple", list(self.numbered([self.part(s) for s in sizes], [integer(s) for s in sizes])))

    def numbered(self, parts: list[Array], sizes: list[int | None]) -> list[Array]:
        """The parts with the numbers in them, where the tensor is a short list of known numbers."""
        numbers, start = self.array.numbers, 0
        if numbers is None or self.array.rank != 1 or None in sizes:
            return parts
        for part, length in zip(parts, sizes, strict=True):
            if length is not None:
                part.numbers = numbers[start : start + length]
                start += length
        return parts


def cut_of(call: OpCall, array: Array, dim: Value | None) -> Cut | None:
    """Where the tensor is cut; None where it is proved that there is no such axis (reported)."""
    dim = dim if dim is not None else ZERO
    shape, number = shape_of(array), integer(dim)
    if shape is not None:
        if not call.require(bool(shape), "rank", array, op=short(call), got=ZERO, wanted="at least 1"):
            return None
        ranked = array.but(shape=shape, numbers=array.numbers)
        at = axis_number(call, ranked, dim)
        if at is None:
            return None if number is not None else Cut(array, None, Unknown())
        return Cut(ranked, at, shape[at])
    if number is not None and number < 0 and array.tail is not None and -number <= len(array.tail):
        return Cut(array, number, array.tail[number])
    return Cut(array, None, Unknown())


@tensor_op("chunk", "unsafe_chunk")
def chunk(call: OpCall) -> Value | None:
    """`x.chunk(n, dim)`: at most n parts of one size, the last perhaps smaller."""
    array, wanted = call.args[0], call.arg(1, "chunks")
    if not isinstance(array, Array):
        return None
    cut = cut_of(call, array, call.arg(2, "dim"))
    if cut is None:
        return Array()
    number = integer(wanted)
    if number is None or wanted is None:
        return cut.parts(None)
    if not call.require(number > 0, "argument", array, op="chunk", got=wanted, what="no parts"):
        return Array()
    if dims.divisible(cut.size, wanted) is True:
        return cut.parts([dims.floordiv(cut.size, wanted)] * min(number, MAX_PARTS + 1))
    have = integer(cut.size)
    if have is None:
        return cut.parts(None)
    return cut.parts(pieces(have, -(-have // number)))


def pieces(have: int, each: int) -> list[Value]:
    """The sizes of parts of `each` elements."""
    whole = [Const(each)] * min(have // each, MAX_PARTS + 1)
    return [*whole, Const(have % each)] if have % each else list[Value](whole)


@tensor_op("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes")
def split(call: OpCall) -> Value | None:
    """`x.split(size, dim)`: parts of that size, the last perhaps smaller; `x.split([2, 3])`: of these sizes."""
    array = call.args[0]
    wanted = call.arg(1, "split_size_or_sections")
    for name in ("split_size", "split_sizes"):
        wanted = wanted if wanted is not None else call.kwargs.get(name)
    if not isinstance(array, Array) or wanted is None:
        return None
    cut = cut_of(call, array, call.arg(2, "dim"))
    if cut is None:
        return Array()
    if isinstance(wanted, Seq):
        return of_sizes(call, cut, wanted)
    each, have = integer(wanted), integer(cut.size)
    if each is None:
        return equal_parts(cut, wanted)
    fits = each > 0 or (each == 0 and (None if have is None else have == 0))
    if not call.require(fits, "argument", array, op="split", got=wanted, what="the size of a part"):
        return Array()
    if have is None or each <= 0:
        return cut.parts([ZERO]) if have == 0 else equal_parts(cut, wanted)
    return cut.parts(pieces(have, each) or [ZERO])


def equal_parts(cut: Cut, each: Value) -> Seq:
    """Parts of a size that is not a constant, or of an axis that is not one: all equal where it divides."""
    count = dims.quotient(cut.size, each)
    if count is None:
        return cut.parts(None)
    number = integer(count)
    return cut.parts([size(each)] * min(number, MAX_PARTS + 1) if number is not None else None, size(each))


def of_sizes(call: OpCall, cut: Cut, wanted: Seq) -> Seq | Array:
    """The sizes given must add up to the axis."""
    if wanted.items is None:
        return cut.parts(None)
    sizes = [size(item) for item in wanted.items]
    total: Value = ZERO
    for part in sizes:
        if not call.require(dims.at_least(part, ZERO), "argument", cut.array, op="split", got=part, what="a size"):
            return Array()
        total = dims.add(total, part)
    if not call.require(dims.same(total, cut.size), "reshape", cut.array, op="split", got=total, wanted=cut.size):
        return Array()
    return cut.parts(sizes)


@tensor_op("tensor_split")
def tensor_split(call: OpCall) -> Value | None:
    """`x.tensor_split(n)`: exactly n parts; `x.tensor_split((1, 3))`: cut in front of these indices."""
    array = call.args[0]
    wanted = call.arg(1, "indices_or_sections")
    for name in ("sections", "indices"):
        wanted = wanted if wanted is not None else call.kwargs.get(name)
    if not isinstance(array, Array) or wanted is None:
        return None
    cut = cut_of(call, array, call.arg(2, "dim"))
    return sections(call, cut, wanted) if cut is not None else Array()


def sections(call: OpCall, cut: Cut, wanted: Value) -> Seq | Array:
    if isinstance(wanted, Seq):
        return at_indices(cut, wanted)
    number, have = integer(wanted), integer(cut.size)
    if number is None:
        return cut.parts(None)
    if not call.require(number > 0, "argument", cut.array, op=short(call), got=wanted, what="no parts"):
        return Array()
    if number > MAX_PARTS:
        return cut.parts(None)
    if have is not None:
        return cut.parts([Const(have // number + (n < have % number)) for n in range(number)])
    exact = dims.divisible(cut.size, wanted) is True
    return cut.parts([dims.floordiv(cut.size, wanted) if exact else Unknown()] * number)


def at_indices(cut: Cut, wanted: Seq) -> Seq:
    """Parts between indices, each as the slice between two of them."""
    if wanted.items is None:
        return cut.parts(None)
    ends: list[Value] = [Const(None), *wanted.items, Const(None)]
    if not all(is_none(e) or isinstance(e, Sym) or integer(e) is not None for e in ends):
        return cut.parts([Unknown() for _ in ends[1:]])
    return cut.parts([sliced(cut.size, (low, high, Const(None))) for low, high in pairwise(ends)])


@tensor_op("hsplit", "vsplit", "dsplit")
def even_split(call: OpCall) -> Value | None:
    """Along the second, first or third axis; a number of parts must divide it."""
    array, wanted = call.args[0], call.arg(1, "indices_or_sections")
    if not isinstance(array, Array) or wanted is None:
        return None
    name = short(call)
    least = {"hsplit": 1, "vsplit": 2, "dsplit": 3}[name]
    shape = shape_of(array)
    if shape is None:
        return Cut(array, None, Unknown()).parts(None)
    if not call.require(len(shape) >= least, "rank", array, got=Const(len(shape)), wanted=f"at least {least}"):
        return Array()
    at = {"hsplit": min(1, len(shape) - 1), "vsplit": 0, "dsplit": 2}[name]
    cut = Cut(array.but(shape=shape), at, shape[at])
    number = integer(wanted)
    if (
        number is not None
        and number > 0
        and not call.require(dims.divisible(cut.size, wanted), "reshape", array, got=wanted, wanted=cut.size)
    ):
        return Array()
    if number is not None and number <= 0:
        call.require(False, "argument", array, got=wanted, what="no parts")
        return Array()
    return sections(call, cut, wanted)


@tensor_op("unbind")
def unbind(call: OpCall) -> Value | None:
    """The elements along an axis, which goes."""
    array, dim = call.args[0], call.arg(1, "dim") or ZERO
    if not isinstance(array, Array):
        return None
    shape = shape_of(array)
    if shape is None:
        return Seq("tuple", None, lost(array).but(channels=None, colour=None))
    if not call.require(bool(shape), "index", array, op="unbind", got=dim, wanted=ZERO):
        return Array()
    ranked = array.but(shape=shape)
    at = axis_number(call, ranked, dim)
    if at is None:
        return Seq("tuple", None, lost(array).but(channels=None, colour=None)) if known(dim) is None else Array()
    count = integer(shape[at])
    part = indexed(call, ranked, [*[Part("all")] * at, Part("int", Unknown())])
    if count is None or count > MAX_PARTS:
        return Seq("tuple", None, part)
    return Seq("tuple", [part.but() for _ in range(count)])
