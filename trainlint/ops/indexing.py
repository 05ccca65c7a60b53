"""Indexing of tensors and arrays: `x[0]`, slices, new axes, masks, index tensors, and functions that do the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, array_method
from trainlint.analysis.values import Const, Number, Range, Seq, Sym, Unknown, Value, is_none, known
from trainlint.ops.broadcast import Clash, Shape, broadcast, grows, shape_of
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.layout import FLIPPED, integer, letters, lost, unsqueezed
from trainlint.syntax import ir

ZERO = Const(0)


@dataclass(slots=True)
class Part:
    """One entry of an index. kind: `int`, `slice`, `all`, `new`, `rest` (`...`), `array`, `mask`, `unknown`."""

    kind: str
    value: Value | None = None
    bounds: tuple[Value, Value, Value] | None = None


def parts_of(call: OpCall, index: ir.Expr) -> list[Part]:
    """The entries of an index; each expression in it is evaluated once."""
    from trainlint.analysis.expressions import evaluate

    if isinstance(index, ir.Sequence) and index.kind == "tuple":
        return [part for node in index.elts for part in parts_of(call, node)] if no_star(index) else [Part("unknown")]
    if isinstance(index, ir.Slice):
        nodes = (index.lower, index.upper, index.step)
        low, high, step = (evaluate(call.run, call.scope, n) if n is not None else Const(None) for n in nodes)
        whole = is_none(low) and is_none(high) and (is_none(step) or integer(step) == 1)
        return [Part("all")] if whole else [Part("slice", None, (low, high, step))]
    value = evaluate(call.run, call.scope, index)
    if isinstance(value, Seq) and value.kind == "tuple" and value.items is not None:
        return [part_of(item) for item in value.items]
    return [part_of(value)]


def no_star(index: ir.Sequence) -> bool:
    return not any(isinstance(node, ir.Star) for node in index.elts)


def part_of(value: Value) -> Part:
    if isinstance(value, Const):
        if value.value is None:
            return Part("new")
        if value.value is ...:
            return Part("rest")
        return Part("int", value) if integer(value) is not None else Part("unknown")
    if isinstance(value, (Sym, Range, Number)):
        return Part("int", value)
    if isinstance(value, Array):
        if value.dtype in ("bool", "uint8"):
            return Part("mask", value)
        if kind_of_dtype(value.dtype) == 1 and value.shape == ():
            return Part("int", Unknown())
        return Part("array" if value.dtype is not None else "unknown", value)
    if isinstance(value, Seq) and value.items is not None and value.kind == "list":
        if all(isinstance(v, Sym) or integer(v) is not None for v in value.items):
            return Part("array", value)
    return Part("unknown", value)


@array_method("__getitem__")
def get_item(call: OpCall) -> Value | None:
    """`x[…]`."""
    array, node = call.receiver, call.node
    if not isinstance(array, Array) or not isinstance(node, ir.Subscript):
        return None
    parts = parts_of(call, node.index)
    # the tape asks what the part is taken by
    call.args += [part.value for part in parts if isinstance(part.value, (Array, Seq))]
    return indexed(call, array, parts)


@array_method("__setitem__")
def set_item(call: OpCall) -> Value | None:
    """`x[…] = value`: the value must fit into the part of the tensor."""
    array, node = call.receiver, call.node
    if not isinstance(array, Array) or not isinstance(node, ir.Subscript):
        return None
    region, value = indexed(call, array, parts_of(call, node.index)), call.args[0]
    if not isinstance(value, Array) or array.lib != "torch" or region.shape is None:
        return array
    given = shape_of(value)
    while not given.tail and len(given.sizes) > len(region.shape) and dims.same(given.sizes[0], Const(1)):
        given = Shape(given.sizes[1:])
    both = broadcast(Shape(region.shape), given)
    clash = both if isinstance(both, Clash) else grows(region, both)
    if clash is not None:
        call.require(
            False, "broadcast", array, value, op="[] =", left=clash.left, right=clash.right, axis=str(clash.axis)
        )
    return array


def indexed(call: OpCall, array: Array, parts: list[Part]) -> Array:
    """The part of the array that an index takes."""
    plain = all(p.kind in ("all", "rest", "new") for p in parts)
    new = [i for i, p in enumerate(parts) if p.kind == "new"]
    if plain and len(new) == 1 and (array.shape is not None or array.layout is not None or array.tail is not None):
        at = new[0]
        if any(p.kind == "rest" for p in parts[:at]):
            at -= len(parts)
        fits = array.shape is None or len(parts) - 1 - sum(p.kind == "rest" for p in parts) <= len(array.shape)
        if fits:
            return unsqueezed(array, at)
    if plain and not new and (array.shape is None or len(parts) <= len(array.shape)):
        return array
    sizes = pseudo_shape(array)
    if sizes is None:
        return of_unknown_rank(call, array, parts)
    full = expanded(call, array, parts, sizes)
    if full is None:
        return lost(array).but(colour=None, channels=None)
    return walked(call, array, full, sizes)


def pseudo_shape(array: Array) -> tuple[Value, ...] | None:
    """The sizes, or unknown ones where only the letters of the axes are known."""
    if array.shape is not None:
        return array.shape
    if array.layout is None:
        return None
    channels: Value = Const(array.channels) if array.channels is not None else Unknown()
    return tuple(channels if c == "C" else Unknown() for c in array.layout)


def consumed(part: Part) -> int | None:
    """How many axes an entry takes."""
    if part.kind in ("new", "rest"):
        return 0
    if part.kind == "mask":
        assert isinstance(part.value, Array)
        return len(part.value.shape) if part.value.shape is not None else None
    return 1


def expanded(call: OpCall, array: Array, parts: list[Part], sizes: tuple[Value, ...]) -> list[Part] | None:
    """One entry for every axis (`...` written out); None where there are too many or their number is not known."""
    counts = [consumed(p) for p in parts]
    if None in counts or sum(p.kind == "rest" for p in parts) > 1:
        return None
    taken = sum(c for c in counts if c is not None)
    # an entry that is not known may be None, which takes no axis
    certain = array.shape is not None and all(p.kind != "unknown" for p in parts)
    rank = Const(len(sizes))
    if not call.require(
        taken <= len(sizes) if certain else None, "index", array, op="[]", got=Const(taken), wanted=rank
    ):
        return None
    if taken > len(sizes):
        return None
    fill = [Part("all")] * (len(sizes) - taken)
    at = next((i for i, p in enumerate(parts) if p.kind == "rest"), len(parts))
    return [*parts[:at], *fill, *parts[at + 1 :]]


@dataclass(slots=True)
class Walk:
    """What has been taken so far: sizes and letters of the result, the index arrays and where they stood."""

    sizes: list[Value]
    letters: list[str]
    arrays: list[Shape]
    # for each index array, the number of other axes before it
    spots: list[int]
    colour: str | None
    channels: int | None
    known: bool = True
    # numbers of lists, with the axis they count on
    listed: list[tuple[Value, Value]] = field(default_factory=list)

    def plain(self) -> int:
        """The number of axes so far that no index array stands for."""
        return sum(not letter.startswith("@") for letter in self.letters)


def walked(call: OpCall, array: Array, parts: list[Part], sizes: tuple[Value, ...]) -> Array:
    names = letters(array) or "?" * len(sizes)
    walk = Walk([], [], [], [], array.colour, array.channels)
    advanced = any(p.kind in ("array", "mask") for p in parts)
    at = 0
    for part in parts:
        width = consumed(part) or 0
        if not take(call, array, walk, part, sizes[at : at + width], names[at : at + width], advanced):
            return lost(array).but(colour=None, channels=None)
        at += width
    result_letters = finish(call, array, walk)
    if result_letters is None:
        return Array()
    layout = "".join(walk.letters) if "?" not in walk.letters and array.layout is not None else None
    shape = tuple(walk.sizes) if walk.known and array.shape is not None else None
    flipped = walk.colour != array.colour and walk.colour is not None
    words = ("channels reversed", "colour") if flipped else ("indexed", "")
    origin = call.step(words[0], array, words[1]) if array.layout is not None else array.origin
    return array.but(layout=layout or None, shape=shape, colour=walk.colour, channels=walk.channels, origin=origin)


def take(
    call: OpCall, array: Array, walk: Walk, part: Part, sizes: tuple[Value, ...], names: str, advanced: bool
) -> bool:
    """Take one entry of the index. False where it is proved to be out of range."""
    if part.kind == "new":
        walk.sizes.append(Const(1))
        walk.letters.append("?")
        return True
    if part.kind == "mask":
        return take_mask(call, array, walk, part, sizes, names)
    if "C" in names and part.kind != "all":
        walk.channels = walk.colour = None
    if part.kind == "unknown":
        walk.known = False
        return True
    if part.kind == "int":
        if not in_range(call, array, part.value, sizes[0]):
            return False
        if array.lib == "numpy" and advanced:
            # for NumPy a number next to index arrays is one of them
            walk.arrays.append(Shape(()))
            walk.spots.append(walk.plain())
        return True
    if part.kind == "array":
        return take_array(call, array, walk, part, sizes[0], names)
    size = sizes[0]
    if part.bounds is not None:
        if not steps_forward(call, array, part.bounds[2]):
            return False
        size = sliced(sizes[0], part.bounds)
        if isinstance(size, Unknown) and call.run.program.tape is not None:
            size = usually_sliced(sizes[0], part.bounds)
        if names == "C":
            reverse = all(is_none(b) for b in part.bounds[:2]) and known(part.bounds[2]) == -1
            walk.colour = FLIPPED.get(array.colour or "") if reverse else None
            walk.channels = array.channels if reverse else integer(size)
    walk.sizes.append(size)
    walk.letters.append(names)
    return True


def take_array(call: OpCall, array: Array, walk: Walk, part: Part, size: Value, names: str) -> bool:
    value = part.value
    if isinstance(value, Array):
        allowed = kind_of_dtype(value.dtype) in (0, 1)
        if array.lib == "torch" and not call.require(allowed, "dtype", value, op="[]", got=value.dtype or ""):
            return False
        walk.arrays.append(shape_of(value))
    elif isinstance(value, Seq) and value.items is not None:
        walk.listed += [(item, size) for item in value.items]
        walk.arrays.append(Shape((Const(len(value.items)),)))
        if names == "C":
            order = [integer(item) for item in value.items]
            if order == [2, 1, 0]:
                walk.colour = FLIPPED.get(array.colour or "")
            elif order == [0, 1, 2]:
                walk.colour = array.colour
            walk.channels = len(order)
    walk.spots.append(walk.plain())
    walk.letters.append("@" + names)
    walk.sizes.append(ZERO)
    return True


def take_mask(call: OpCall, array: Array, walk: Walk, part: Part, sizes: tuple[Value, ...], names: str) -> bool:
    """A mask must have the sizes of the axes it stands for; how many elements it picks depends on the data."""
    mask = part.value
    assert isinstance(mask, Array)
    assert mask.shape is not None
    if not mask.shape:
        walk.known = False
        return True
    for have, want in zip(sizes, mask.shape, strict=True):
        if not call.require(dims.same(have, want), "index", array, mask, op="[]", got=want, wanted=have):
            return False
    if "C" in names:
        walk.channels = walk.colour = None
    walk.arrays.append(Shape((Unknown(),)))
    walk.spots.append(walk.plain())
    walk.letters.append("@" + (names if len(names) == 1 else "?"))
    walk.sizes.append(ZERO)
    return True


def finish(call: OpCall, array: Array, walk: Walk) -> Walk | None:
    """Put the axes of the index arrays, broadcast together, where they belong; None where they do not fit."""
    if not walk.arrays:
        return walk
    shape = walk.arrays[0]
    for other in walk.arrays[1:]:
        both = broadcast(shape, other)
        if isinstance(both, Clash):
            call.require(False, "broadcast", array, op="[]", left=both.left, right=both.right, axis=str(both.axis))
            return None
        shape = both
    if shape.tail:
        walk.known = False
    marks = [i for i, letter in enumerate(walk.letters) if letter.startswith("@")]
    single = walk.letters[marks[0]][1:] if len(marks) == 1 and len(shape.sizes) == 1 else ""
    keep = [i for i in range(len(walk.sizes)) if i not in marks]
    # several index arrays with other axes between them put theirs in front
    before = walk.spots[0] if len(set(walk.spots)) == 1 else 0
    sizes, names = [walk.sizes[i] for i in keep], [walk.letters[i] for i in keep]
    walk.sizes = [*sizes[:before], *shape.sizes, *sizes[before:]]
    # where nothing is taken PyTorch does not look at the numbers
    if all(dims.at_least(s, Const(1)) is True for s in walk.sizes):
        if not all(in_range(call, array, item, size) for item, size in walk.listed):
            return None
    walk.letters = [*names[:before], *([single] if single else ["?"] * len(shape.sizes)), *names[before:]]
    return walk


def in_range(call: OpCall, array: Array, index: Value | None, size: Value) -> bool:
    number = integer(index)
    if number is None or index is None or (array.shape is None):
        return True
    needed = Const(number + 1 if number >= 0 else -number)
    return call.require(dims.at_least(size, needed), "index", array, op="[]", got=index, wanted=size)


def steps_forward(call: OpCall, array: Array, step: Value) -> bool:
    """PyTorch takes no negative steps."""
    number = integer(step)
    if number is None or number > 0 or (number < 0 and array.lib != "torch"):
        return True
    return call.require(False, "argument", array, op="[]", got=step, what="a step that is not positive")


def sliced(size: Value, bounds: tuple[Value, Value, Value]) -> Value:
    """The length of a slice of an axis, Unknown where it depends."""
    low, high, step = bounds
    stride = 1 if is_none(step) else integer(step)
    if stride is None or stride == 0:
        return Unknown()
    whole = integer(size)
    plain = [None if is_none(b) else integer(b) for b in (low, high)]
    if whole is not None and all(is_none(b) or integer(b) is not None for b in (low, high)):
        return Const(len(range(*slice(plain[0], plain[1], stride).indices(whole))))
    if stride < 0:
        return size if is_none(low) and is_none(high) and stride == -1 else Unknown()
    first = ZERO if is_none(low) else clamped(low, size)
    last = size if is_none(high) else clamped(high, size)
    if first is None or last is None:
        return Unknown()
    forward = dims.at_least(last, first)
    if forward is not True:
        return ZERO if forward is False else Unknown()
    length = dims.sub(last, first)
    return length if stride == 1 else dims.floordiv(dims.add(length, Const(stride - 1)), Const(stride))


def usually_sliced(size: Value, bounds: tuple[Value, Value, Value]) -> Value:
    """The length of a slice that begins somewhere and does not reach the end: `x[i:i + n]`."""
    low, high, step = bounds
    length = dims.sub(high, low) if not is_none(low) and not is_none(high) and is_none(step) else Unknown()
    if isinstance(length, Const):
        return length if dims.at_least(length, ZERO) else ZERO
    numbers = [None if is_none(bound) else dims.usual(bound) for bound in bounds]
    whole = dims.usual(size)
    if whole is None or any(n is None and not is_none(b) for n, b in zip(numbers, bounds, strict=True)):
        return Unknown()
    return Const(len(range(*slice(*numbers).indices(whole))))


def clamped(bound: Value, size: Value) -> Value | None:
    """A bound of a slice counted from the front and cut to the axis, None where that is not decided."""
    if dims.poly_of(bound) is None or dims.poly_of(size) is None:
        return None
    if dims.at_least(bound, ZERO) is False:
        moved = dims.add(size, bound)
        inside = dims.at_least(moved, ZERO)
        return moved if inside is True else ZERO if inside is False else None
    if dims.at_least(bound, ZERO) is None:
        return None
    fits = dims.at_least(size, bound)
    return bound if fits is True else size if fits is False else None


def of_unknown_rank(call: OpCall, array: Array, parts: list[Part]) -> Array:
    """`x[..., 0]` of which only the last axes are known."""
    several = len(parts) > 1
    tail = None
    if array.tail is not None and parts and parts[0].kind == "rest":
        rest = parts[1:]
        counts = [consumed(p) for p in rest]
        if all(p.kind in ("int", "slice", "all") for p in rest) and len(counts) <= len(array.tail):
            whole = array.but(shape=array.tail, layout=None)
            inner = walked(call, whole, [*[Part("all")] * (len(array.tail) - len(rest)), *rest], array.tail)
            tail = inner.shape
    return array.but(shape=None, tail=tail, layout=None, channels=None, colour=None if several else array.colour)
