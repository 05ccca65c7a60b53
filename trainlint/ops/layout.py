"""Axes of images by letter: N batch, T time or frame, H, W, C. Permutations and reshapes act on the letters."""

from __future__ import annotations

from trainlint.analysis.facts import AxisChange
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Array, Const, Seq, Value
from trainlint.syntax import ir


def axes(call: OpCall, values: list[Value]) -> list[int] | None:
    """Axis numbers from `f(2, 0, 1)` or `f((2, 0, 1))`, None where one is not known."""
    if len(values) == 1 and isinstance(values[0], Seq):
        items = values[0].items
        if items is None:
            return None
        values = items
    result = []
    for value in values:
        if not isinstance(value, Const) or not isinstance(value.value, int) or isinstance(value.value, bool):
            return None
        result.append(value.value)
    return result or None


def permuted(call: OpCall, array: Array, order: list[int] | None) -> Array:
    """The array after `permute`/`transpose` with all axes given; reports the change where the layout is known."""
    layout = array.layout
    if layout is None or order is None or sorted(n % len(layout) for n in order) != list(range(len(layout))):
        return array.but(layout=None, shape=None)
    after = "".join(layout[n] for n in order)
    shape = (
        tuple(array.shape[n] for n in order) if array.shape is not None and len(array.shape) == len(layout) else None
    )
    report(call, array, after)
    return array.but(layout=after, shape=shape, origin=call.step(f"{call.name} to {after}", array))


def swapped(call: OpCall, array: Array, first: int | None, second: int | None) -> Array:
    """The array after exchanging two axes."""
    layout = array.layout
    if layout is None or first is None or second is None:
        return array.but(layout=None, shape=None)
    order = list(range(len(layout)))
    if not (-len(layout) <= first < len(layout) and -len(layout) <= second < len(layout)):
        return array.but(layout=None, shape=None)
    order[first], order[second] = order[second], order[first]
    return permuted(call, array, order)


def report(call: OpCall, array: Array, after: str | None, target: str | None = None) -> None:
    if isinstance(call.node, ir.Call) and array.layout is not None:
        call.run.fact(AxisChange(call.name, call.node, call.scope.file, array.layout, after, target, array))


def added(call: OpCall, array: Array, letter: str = "N") -> Array:
    """The array with a new leading axis."""
    layout = letter + array.layout if array.layout is not None and letter not in array.layout else None
    return array.but(layout=layout, shape=None)


def reshaped(call: OpCall, array: Array, sizes: list[Value]) -> Array:
    """The array after `view`/`reshape`. Axes that only merge or scramble lose their names; a reshape that would turn
    HWC into CHW (or back) by counting pixels is reported: it scrambles them."""
    if len(sizes) == 1 and isinstance(sizes[0], Seq) and sizes[0].items is not None:
        sizes = sizes[0].items
    before = array.layout
    target = scrambling_target(array, sizes)
    if target is not None:
        report(call, array, None, target)
        return array.but(layout=target, shape=None, origin=call.step(f"{call.name} to {target}", array))
    if before is not None and len(sizes) == len(before) + 1 and is_one(sizes[0]):
        return added(call, array)
    return array.but(layout=None, shape=None, channels=None)


def is_one(value: Value) -> bool:
    return isinstance(value, Const) and value.value == 1


def scrambling_target(array: Array, sizes: list[Value]) -> str | None:
    """The layout that a reshape of an image means where it is another order of the same axes."""
    before = array.layout
    channels = array.channels
    if before not in ("HWC", "CHW", "NHWC", "NCHW") or channels is None or channels == 1:
        return None
    rank = len(before)
    if len(sizes) == rank + 1 and rank == 3:
        sizes, rank, before = sizes[1:], 3, before
    if len(sizes) != rank:
        return None
    wanted = [size.value if isinstance(size, Const) else None for size in sizes]
    first, last = (1, 3) if rank == 4 else (0, 2)
    channels_first = before in ("CHW", "NCHW")
    if wanted[first] == channels and wanted[last] != channels and not channels_first:
        return "NCHW" if rank == 4 else "CHW"
    if wanted[last] == channels and wanted[first] != channels and channels_first:
        return "NHWC" if rank == 4 else "HWC"
    return None
