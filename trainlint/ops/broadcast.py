"""Broadcasting: the shape of two operands together, and the proof that they do not fit."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import one_of
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Const, OneOf, Sym, Unknown, Value, alternatives
from trainlint.ops.dtypes import is_number
from trainlint.ops.layout import letters

UNKNOWN = Unknown()
ONE = Const(1)


@dataclass(slots=True)
class Clash:
    """Two sizes that neither match nor are 1, and their axis, counted from the end."""

    left: Value
    right: Value
    axis: int


@dataclass(slots=True)
class Shape:
    """All sizes (`tail` false), or the last ones where the rank is not known."""

    sizes: tuple[Value, ...]
    tail: bool = False

    def at(self, index: int) -> Value | None:
        """The size `index` axes from the end (1 is the last), None where there is certainly no such axis."""
        if index <= len(self.sizes):
            return self.sizes[-index]
        return UNKNOWN if self.tail else None


def shape_of(value: Value | None) -> Shape:
    """What is known of the shape of an operand; a number has no axes, an unknown may have any."""
    if isinstance(value, Array):
        if value.shape is not None:
            return Shape(value.shape)
        return Shape(value.tail or (), True)
    return Shape((), not is_number(value))


def together(a: Value, b: Value) -> Value | None:
    """The size of two axes broadcast together, None where they cannot be."""
    if a is b and (type(a) is Const or type(a) is Sym):
        return a
    if isinstance(a, OneOf) or isinstance(b, OneOf):
        pairs = [together(x, y) for x in alternatives(a) for y in alternatives(b)]
        fitting = tuple(p for p in pairs if p is not None)
        return one_of(fitting) if fitting else None
    if dims.same(a, b) is True:
        return a
    for one, other in ((a, b), (b, a)):
        if dims.same(one, ONE) is True:
            return other if dims.poly_of(other) is not None else UNKNOWN
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Const) and (not isinstance(other, Const)) and dims.poly_of(one) is not None:
            # whatever the other is, it is this or 1, unless it certainly is neither
            if dims.same(one, other) is False and dims.same(other, ONE) is False:
                return None
            return one
    if dims.same(a, b) is False and dims.same(a, ONE) is False and dims.same(b, ONE) is False:
        return None
    return UNKNOWN


def broadcast(left: Shape, right: Shape) -> Shape | Clash:
    """The shape of two operands together. Where a rank is not known only the sizes that are certain are."""
    sizes: list[Value] = []
    open_ended = left.tail or right.tail
    if not left.sizes and not left.tail:
        return right
    if not right.sizes and not right.tail:
        return left
    for index in range(1, max(len(left.sizes), len(right.sizes)) + 1):
        a, b = left.at(index), right.at(index)
        if a is None or b is None:
            sizes.append(a if a is not None else b if b is not None else UNKNOWN)
            continue
        size = together(a, b)
        if size is None:
            return Clash(a, b, -index)
        sizes.append(size)
    return Shape(tuple(reversed(sizes)), open_ended)


def fit(call: OpCall, values: list[Value], op: str) -> Shape | None:
    """The shape of operands broadcast together; None where it is proved that they do not fit (reported)."""
    result = shape_of(values[0])
    for value in values[1:]:
        both = broadcast(result, shape_of(value))
        if isinstance(both, Clash):
            arrays = [v for v in values if isinstance(v, Array)]
            call.require(False, "broadcast", *arrays, op=op, left=both.left, right=both.right, axis=str(both.axis))
            return None
        result = both
    return result


def grows(receiver: Value, result: Shape) -> Clash | None:
    """Why an in-place operation cannot store the result in the receiver: an axis that would have to grow."""
    mine = shape_of(receiver)
    if mine.tail:
        return None
    for index in range(1, len(result.sizes) + 1):
        have = mine.at(index)
        need = result.sizes[-index]
        if have is None or dims.same(have, need) is False:
            return Clash(have if have is not None else Const(0), need, -index)
    return None


def same_device(call: OpCall, values: list[Value], op: str) -> bool:
    """Require operands on one device; a scalar tensor of the CPU goes with any."""
    arrays = [v for v in values if isinstance(v, Array) and v.lib == "torch"]
    named = [a for a in arrays if a.device in ("cpu", "cuda", "mps", "xpu") and a.shape != ()]
    named = [a for a in named if a.shape is not None or a.tail]
    if len({a.device for a in named}) < 2:
        return True
    first = named[0]
    other = next(a for a in named if a.device != first.device)
    return call.require(False, "device", first, other, op=op, left=first.device or "", right=other.device or "")


def device_of(values: list[Value]) -> str | None:
    """The device of the result: of the operands with axes, `given` where one of them is there."""
    arrays = [v for v in values if isinstance(v, Array)]
    sized = [a for a in arrays if a.shape != ()] or arrays
    devices = {a.device for a in sized}
    if len(devices) == 1:
        return devices.pop()
    return "given" if "given" in devices else None


def shaped(array: Array, shape: Shape, **changes: object) -> Array:
    """The array with the shape of a result; its letters stay where they still fit, its last axis stays the last."""
    changes.setdefault("vectors", array.vectors)
    if shape.tail:
        rank = len(array.layout) if array.layout is not None else None
        if rank is not None and len(shape.sizes) > rank:
            changes.setdefault("layout", None)
        return array.but(shape=None, tail=shape.sizes or None, **changes)
    if array.layout is not None and len(array.layout) != len(shape.sizes):
        changes.setdefault("layout", None)
    result = array.but(shape=shape.sizes, **changes)
    if result.layout is not None and "C" in result.layout and letters(result) is not None:
        size = shape.sizes[result.layout.index("C")]
        if isinstance(size, Const) and result.channels not in (None, size.value):
            result.channels = size.value
            if result.colour == "GRAY":
                result.colour = None
    return result
