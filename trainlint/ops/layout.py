"""Axes by number and, for images, by letter: N batch, T time or frame, H, W, C. Sizes and letters move together."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import AxisChange
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Const, OneOf, Seq, Sym, Unknown, Value
from trainlint.syntax import ir

FLIPPED = {"RGB": "BGR", "BGR": "RGB", "RGBA": "ABGR", "BGRA": "ARGB"}


def integer(value: Value | None) -> int | None:
    """The int of a constant (bool excluded), else None."""
    if isinstance(value, Const) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value.value
    return None


def axes(call: OpCall, values: list[Value]) -> list[int] | None:
    """Axis numbers from `f(2, 0, 1)` or `f((2, 0, 1))`, None where one is not known."""
    if len(values) == 1 and isinstance(values[0], Seq):
        items = values[0].items
        if items is None:
            return None
        values = items
    if "*" in call.kwargs:
        return None
    result = []
    for value in values:
        number = integer(value)
        if number is None:
            return None
        result.append(number)
    return result or None


def given(call: OpCall, first: int, *names: str) -> list[Value]:
    """The arguments from `first` on, or the one that was given by one of the names."""
    for name in names:
        if name in call.kwargs:
            return [*call.args[first:], call.kwargs[name]]
    return call.args[first:]


def sizes_of(call: OpCall, first: int, *names: str) -> list[Value] | None:
    """The sizes in `f(x, 2, 3)`, `f(x, (2, 3))` or `f(x, size=(2, 3))`, None where their number is not known."""
    if "*" in call.kwargs or "**" in call.kwargs:
        return None
    values = given(call, first, *names)
    if len(values) == 1:
        only = values[0]
        if isinstance(only, Seq):
            return [size(item) for item in only.items] if only.items is not None else None
        if isinstance(size(only), Unknown):
            # perhaps a tuple
            return None
    return [size(value) for value in values] if values else None


def size(value: Value | None) -> Value:
    """The value as a size of an axis: an int, a symbol, one of a few of them, or unknown."""
    if isinstance(value, Sym) or integer(value) is not None:
        assert value is not None
        return value
    if isinstance(value, OneOf) and all(isinstance(v, Sym) or integer(v) is not None for v in value.values):
        return value
    return Unknown()


def axis_number(call: OpCall, array: Array, value: Value | None, more: int = 0) -> int | None:
    """The axis that a value names, counted from the front, None where it or the number of axes is not known.

    States the requirement that there is such an axis (`more`: axes that the operation adds).
    """
    number = integer(value)
    if number is None or array.shape is None or value is None:
        return None
    rank = len(array.shape) + more
    # PyTorch lets a scalar be addressed by 0 and -1
    limit = max(rank, 1)
    if not call.require(-limit <= number < limit, "index", array, got=value, wanted=Const(rank)):
        return None
    return number % limit


def letters(array: Array) -> str | None:
    """The layout where it has a letter for every axis."""
    if array.layout is None or (array.shape is not None and len(array.shape) != len(array.layout)):
        return None
    return array.layout


def lost(array: Array) -> Array:
    """The array with nothing known of its axes."""
    return array.but(layout=None, shape=None)


def of_rank(array: Array, rank: int) -> tuple[Value, ...] | None:
    """The sizes of an array that has `rank` axes, those unknown that are not known; None where it cannot have."""
    if array.shape is not None:
        return array.shape if len(array.shape) == rank else None
    tail = array.tail or ()
    if len(tail) > rank:
        return None
    missing: list[Value] = [Unknown() for _ in range(rank - len(tail))]
    return (*missing, *tail)


def permuted(call: OpCall, array: Array, order: list[int] | None) -> Array:
    """The array after `permute` with all axes given; reports the change where the layout is known."""
    if order is None:
        unknown: list[Value] | None = [Unknown() for _ in array.shape] if array.shape is not None else None
        return array.but(layout=None, shape=tuple(unknown) if unknown is not None else None)
    rank = len(order)
    if array.shape is not None:
        number: Value = Const(len(array.shape))
        if not call.require(rank == len(array.shape), "rank", array, got=number, wanted=Const(rank)):
            return lost(array)
        wrong = next((n for n in order if not -rank <= n < rank), None)
        if not call.require(wrong is None, "index", array, got=Const(wrong), wanted=number):
            return lost(array)
        repeated = next((n for n in order if order.count(n % rank) + order.count(n % rank - rank) > 1), None)
        if not call.require(repeated is None, "argument", array, got=Const(repeated), what="an axis given twice"):
            return lost(array)
    if sorted(n % rank for n in order) != list(range(rank)):
        return lost(array)
    before, sizes = letters(array), of_rank(array, rank)
    if before is not None and len(before) != rank:
        return lost(array)
    shape = tuple(sizes[n] for n in order) if sizes is not None else None
    if before is None:
        return array.but(layout=None, shape=shape)
    after = "".join(before[n] for n in order)
    report(call, array, after)
    if array.shape is None:
        shape = None
    return array.but(layout=after, shape=shape, origin=call.step(f"{call.name} to {after}", array, "layout"))


def swapped(call: OpCall, array: Array, first: int | None, second: int | None) -> Array:
    """The array after exchanging two axes."""
    if first is None or second is None:
        return permuted(call, array, None)
    if array.shape is not None:
        if axis_number(call, array, Const(first)) is None or axis_number(call, array, Const(second)) is None:
            return lost(array)
    before = letters(array)
    rank = len(array.shape) if array.shape is not None else len(before) if before is not None else None
    if rank is None:
        return array.but(layout=None, shape=None, tail=swapped_tail(array.tail, first, second))
    if not rank or not (-rank <= first < rank and -rank <= second < rank):
        return array if not rank else lost(array)
    order = list(range(rank))
    order[first], order[second] = order[second], order[first]
    return permuted(call, array, order)


def swapped_tail(tail: tuple[Value, ...] | None, first: int, second: int) -> tuple[Value, ...] | None:
    """The last axes after exchanging two of them, counted from the end."""
    if tail is None or first >= 0 or second >= 0 or min(first, second) < -len(tail):
        return None
    sizes = list(tail)
    sizes[first], sizes[second] = sizes[second], sizes[first]
    return tuple(sizes)


def moved_axis(call: OpCall, array: Array, numbers: list[int] | None) -> Array:
    """The array after moving one axis: `numbers` are where it is and where it goes."""
    if numbers is None or len(numbers) != 2:
        return permuted(call, array, None)
    return moved_axes(call, array, numbers[:1], numbers[1:])


def moved_axes(call: OpCall, array: Array, sources: list[int], targets: list[int]) -> Array:
    """The array after `movedim`; the other axes keep their order."""
    before = letters(array)
    rank = len(array.shape) if array.shape is not None else len(before) if before is not None else None
    if rank is None:
        return lost(array)
    if array.shape is not None and any(axis_number(call, array, Const(n)) is None for n in (*sources, *targets)):
        return lost(array)
    if not rank:
        return array
    if any(not -rank <= n < rank for n in (*sources, *targets)):
        return lost(array)
    come, go = [n % rank for n in sources], [n % rank for n in targets]
    fits = len(set(come)) == len(come) == len(go) == len(set(go))
    if not call.require(fits if array.shape is not None else None, "argument", array, what="an axis given twice"):
        return lost(array)
    if not fits:
        return lost(array)
    order: list[int | None] = [None] * rank
    for source, target in zip(come, go, strict=True):
        order[target] = source
    others = iter(n for n in range(rank) if n not in come)
    return permuted(call, array, [next(others) if n is None else n for n in order])


def report(call: OpCall, array: Array, after: str | None, target: str | None = None) -> None:
    if isinstance(call.node, ir.Call) and array.layout is not None:
        call.run.fact(AxisChange(call.name, call.node, call.scope.file, array.layout, after, target, array))


def added(call: OpCall, array: Array, letter: str = "N", extent: Value | None = None) -> Array:
    """The array with a new leading axis of a size (default: not known)."""
    layout = batched(array.layout, letter)
    if array.shape is None:
        return array.but(layout=layout, shape=None, tail=array.tail)
    return array.but(layout=layout, shape=(extent if extent is not None else Unknown(), *array.shape))


def batched(layout: str | None, letter: str = "N") -> str | None:
    """The layout with a new axis in front. A batch axis in front of stacked images makes those the frames of a clip."""
    if layout is None or letter not in layout:
        return letter + layout if layout is not None else None
    return "NT" + layout[1:] if letter == "N" and layout[0] == "N" and "T" not in layout else None


def unsqueezed(array: Array, at: int | None) -> Array:
    """The array with a new axis of size 1; `at` counts from the front of the result, or is negative.

    A new axis of a grey image is its channel axis where a batch axis stands in front already or the axis is the last.
    """
    if at is None:
        return lost(array)
    before = letters(array)
    shape, tail, layout, channels = None, None, None, array.channels
    if array.shape is not None:
        at = at % (len(array.shape) + 1)
        shape = (*array.shape[:at], Const(1), *array.shape[at:])
    elif array.tail is not None:
        if at == 0:
            tail = array.tail
        elif at < 0 and -at - 1 <= len(array.tail):
            cut = len(array.tail) + at + 1
            tail = (*array.tail[:cut], Const(1), *array.tail[cut:])
    if before is not None:
        at = at % (len(before) + 1)
        if before == "HW" and at == 2:
            layout, channels = "HWC", 1
        elif (before == "NHW" and at in (1, 3)) or (before == "NHW" and at == 0):
            layout, channels = ("NHWC" if at == 3 else "NCHW"), 1
        elif at == 0:
            layout = batched(before)
    return array.but(layout=layout, shape=shape, tail=tail, channels=channels)


def is_one(value: Value) -> bool:
    return isinstance(value, Const) and value.value == 1


def may_be_one(value: Value) -> bool:
    """May the axis be of size 1? A symbol that usually stands for more is taken for what it usually is."""
    if dims.at_least(value, Const(2)) is True:
        return False
    usual = dims.usual(value)
    return usual is None or usual == 1
