"""einops: `rearrange`, `reduce`, `repeat`, their layers, `einsum`, `pack`, `unpack`, `parse_shape`."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.registry import FUNCTIONS, OpCall, called, kind, op
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Unknown, Value, known
from trainlint.ops import einops_letters, einops_tape
from trainlint.ops.arguments import shape_of
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.einops_pattern import ELLIPSIS, Malformed, Pattern, Side, check, pattern_of, plain, side, size_of
from trainlint.ops.elementwise import short
from trainlint.ops.layers import layer
from trainlint.ops.layout import size
from trainlint.ops.reductions import reduced_type

kind("module", "einops.layers.torch.*")

ONE = Const(1)
UNKNOWN = Unknown()
REDUCTIONS = ("min", "max", "sum", "mean", "prod", "any", "all")


def fails(call: OpCall, array: Value | None, pattern: object, what: str, **names: Value) -> None:
    """Report a pattern that does not fit; `what` says why in words."""
    arrays = [array] if isinstance(array, Array) else []
    call.require(False, "einops", *arrays, op=operation_of(call), pattern=str(pattern), what=what, **names)


def operation_of(call: OpCall) -> str:
    return short(call)


@op("einops.rearrange")
def rearrange(call: OpCall) -> Value | None:
    """`rearrange(x, "b c h w -> b (h w) c")`: every axis stays, in another order or merged or parted."""
    return changed(call, call.arg(0, "tensor"), call.arg(1, "pattern"), "rearrange", call.kwargs)


@op("einops.repeat")
def repeat(call: OpCall) -> Value | None:
    """`repeat(x, "h w -> h w c", c=3)`: new axes, along which everything is repeated."""
    return changed(call, call.arg(0, "tensor"), call.arg(1, "pattern"), "repeat", call.kwargs)


@op("einops.reduce")
def reduce(call: OpCall) -> Value | None:
    """`reduce(x, "b c h w -> b c", "mean")`: the axes that are left out are reduced."""
    how = call.arg(2, "reduction")
    return changed(call, call.arg(0, "tensor"), call.arg(1, "pattern"), "reduce", call.kwargs, how)


@called("einops.layers.torch.Rearrange")
def rearrange_layer(call: OpCall) -> Value | None:
    """The layer takes the pattern when it is built."""
    obj = layer(call)
    return changed(call, first(call), obj.arg(0, "pattern"), "rearrange", obj.kwargs)


@called("einops.layers.torch.Reduce")
def reduce_layer(call: OpCall) -> Value | None:
    obj = layer(call)
    return changed(call, first(call), obj.arg(0, "pattern"), "reduce", obj.kwargs, obj.arg(1, "reduction"))


def first(call: OpCall) -> Value | None:
    return call.args[0] if call.args else call.kwargs.get("input")


@dataclass(slots=True)
class Axes:
    """The sizes of the axes of a pattern by name, and those that the ellipsis stands for (None: not known)."""

    sizes: dict[str, Value] = field(default_factory=dict)
    extra: tuple[Value, ...] | None = None

    def group(self, names: list[str]) -> Value:
        """The size of an axis made of these."""
        result: Value = ONE
        for name in names:
            if name == ELLIPSIS:
                result = dims.mul(result, dims.product(self.extra) if self.extra is not None else UNKNOWN)
            else:
                result = dims.mul(result, self.sizes.get(name, UNKNOWN))
        return result


def changed(
    call: OpCall, value: Value | None, text: Value | None, operation: str, kwargs: dict[str, Value],
    how: Value | None = None,
) -> Value | None:  # fmt: skip
    """What a pattern makes of a tensor (or of a list of them, which is stacked first)."""
    if isinstance(value, Seq):
        value = stacked(call, value)
    elif isinstance(value, Obj):
        value = tensor_of(value)
    written = known(text)
    array = value if isinstance(value, Array) else None
    if not isinstance(written, str):
        return nothing(array)
    given = {k: size(v) for k, v in kwargs.items() if k not in ("tensor", "pattern", "reduction", "*", "**", "input")}
    complete = "**" not in kwargs and "*" not in kwargs
    try:
        pattern = pattern_of(written)
        check(pattern, operation, set(given), complete)
    except Malformed as problem:
        fails(call, array, written, str(problem))
        return nothing(array)
    name = known(how)
    if isinstance(name, str) and name not in REDUCTIONS:
        fails(call, array, written, f"`{name}` is no reduction")
        return nothing(array)
    axes = measured(call, array, pattern, given, written)
    if axes is None:
        return nothing(array)
    return result_of(call, array, pattern, axes, operation, name)


def stacked(call: OpCall, value: Seq) -> Value:
    """A list of tensors becomes one with a new first axis."""
    stack = FUNCTIONS["torch.stack"]
    items = value.items if value.items is not None else [value.elem or UNKNOWN]
    if value.kind != "list" or not items or not all(isinstance(v, Array) and v.lib == "torch" for v in items):
        return UNKNOWN
    return stack(OpCall(call.run, call.scope, call.node, "torch.stack", [value], {})) or UNKNOWN


def nothing(array: Array | None) -> Value:
    if array is None:
        return Unknown("a rearranged tensor")
    return array.but(shape=None, layout=None, channels=None, colour=None, range=None)


def measured(call: OpCall, array: Array | None, pattern: Pattern, given: dict[str, Value], text: str) -> Axes | None:
    """The sizes of all axes; None where the pattern does not fit the tensor (reported)."""
    axes = Axes(dict(given))
    for name in (*pattern.left.names, *pattern.right.names):
        number = size_of(name)
        if number is not None:
            axes.sizes[name] = Const(number)
    lengths = aligned(call, array, pattern.left, axes, text)
    if lengths is None:
        return None
    for group, length in zip(pattern.left.groups, lengths, strict=True):
        if ELLIPSIS not in group and not part(call, array, group, length, axes, text):
            return None
    return axes


def aligned(call: OpCall, array: Array | None, left: Side, axes: Axes, text: str) -> list[Value] | None:
    """The size of the tensor's axis for each group of the left side (the ellipsis: unknown)."""
    shape = shape_of(array) if array is not None else None
    count, where = len(left.groups), left.ellipsis
    lengths: list[Value] = [UNKNOWN] * count
    if shape is None:
        tail = array.tail or () if array is not None else ()
        least = count - (where is not None)
        if where is None and len(tail) > least:
            wrong_rank(call, array, text, least, len(tail))
            return None
        behind = count - (where + 1 if where is not None else 0)
        for n in range(1, min(len(tail), behind) + 1):
            lengths[-n] = tail[-n]
        return lengths
    if where is None:
        if len(shape) != count:
            wrong_rank(call, array, text, count, len(shape))
            return None
        return list(shape)
    if len(shape) < count - 1:
        wrong_rank(call, array, text, count - 1, len(shape))
        return None
    more = len(shape) - (count - 1)
    axes.extra = shape[where : where + more]
    return [*shape[:where], UNKNOWN, *shape[where + more :]]


def wrong_rank(call: OpCall, array: Array | None, text: str, wanted: int, got: int) -> None:
    noun = "axis" if wanted == 1 else "axes"
    fails(
        call, array, text, f"the left side names {wanted} {noun}, the tensor has {got}", got=Const(got),
        wanted=Const(wanted),
    )  # fmt: skip


def part(call: OpCall, array: Array | None, group: list[str], length: Value, axes: Axes, text: str) -> bool:
    """Give each axis of a group its size; False where those that are known do not fit the tensor (reported)."""
    unknown = [n for n in group if n not in axes.sizes]
    known_size = axes.group([n for n in group if n in axes.sizes])
    shown = " ".join(map(plain, group))
    shown = f"`({shown})`" if len(group) > 1 else f"`{shown or 1}`"
    if not unknown:
        if dims.same(length, known_size) is False:
            words = f"{shown} is {dims.text(known_size)}, the tensor has {dims.text(length)} there"
            fails(call, array, text, words, got=length, wanted=known_size)
            return False
        for name in group:
            # the tensor's own size says as much as the one that was given, or more
            if len(group) == 1 and dims.poly_of(axes.sizes[name]) is None:
                axes.sizes[name] = length
        return True
    if len(unknown) > 1:
        axes.sizes.update(dict.fromkeys(unknown, UNKNOWN))
        return True
    if dims.divisible(length, known_size) is False:
        words = f"{shown} of size {dims.text(length)} is not divisible by {dims.text(known_size)}"
        fails(call, array, text, words, got=length, wanted=known_size)
        return False
    axes.sizes[unknown[0]] = length if len(group) == 1 else dims.floordiv(length, known_size)
    return True


def result_of(
    call: OpCall, array: Array | None, pattern: Pattern, axes: Axes, operation: str, how: object
) -> Value | None:
    """The tensor after the pattern."""
    shape, tail = result_shape(pattern, axes)
    if array is None:
        return Array(lib="?", shape=shape, tail=tail)
    dtype, range_ = array.dtype, array.range
    reduces = operation == "reduce" and bool(set(pattern.left.names) - set(pattern.right.names))
    if reduces:
        kind_ = kind_of_dtype(array.dtype)
        if how == "mean" and kind_ is not None and kind_ < 2:
            call.require(False, "dtype", array, op="reduce", got=array.dtype or "", wanted="float32")
            return nothing(array)
        meaning = {"sum": "sum", "prod": "sum", "any": "truth", "all": "truth"}.get(str(how), "same")
        dtype = reduced_type(call, array, meaning) if isinstance(how, str) else None
        range_ = array.range if how in ("mean", "max", "min") and array.range in ("255", "unit") else None
    result = array.but(shape=shape, tail=tail, layout=None, dtype=dtype, range=range_)
    return einops_tape.recorded(call, array, einops_letters.follow(call, array, result, pattern), pattern, how)


def result_shape(pattern: Pattern, axes: Axes) -> tuple[tuple[Value, ...] | None, tuple[Value, ...] | None]:
    """The shape of the result, or its last axes where it is not known how many the ellipsis stands for."""
    sizes: list[Value] = []
    for n, group in enumerate(pattern.right.groups):
        if group != [ELLIPSIS] or pattern.right.inside:
            sizes.append(axes.group(group))
        elif axes.extra is not None:
            sizes += axes.extra
        else:
            return None, tuple(axes.group(later) for later in pattern.right.groups[n + 1 :]) or None
    return tuple(sizes), None


# einsum


@op("einops.einsum")
def einsum(call: OpCall) -> Value | None:
    """`einsum(a, b, "batch i, batch j -> batch i j")`: names of any length, else as `torch.einsum`."""
    pattern = known(call.args[-1]) if len(call.args) > 1 and "*" not in call.kwargs else None
    values = call.args[:-1]
    if not isinstance(pattern, str):
        return None
    try:
        equation = compact(pattern)
    except Malformed as problem:
        fails(call, values[0], pattern, str(problem))
        return nothing(None)
    plain_call = OpCall(call.run, call.scope, call.node, "einops.einsum", [Const(equation), *values], {})
    return FUNCTIONS["torch.einsum"](plain_call)


def compact(pattern: str) -> str:
    """The pattern with one letter for each name, as `torch.einsum` wants it."""
    parts = pattern.split("->")
    if len(parts) != 2:
        raise Malformed("a pattern has one arrow `->`")
    letters: dict[str, str] = {}
    texts = []
    for n, text in enumerate((*parts[0].split(","), parts[1])):
        names = []
        for name in spaced(text, n == parts[0].count(",") + 1):
            if name != ELLIPSIS and name not in letters:
                if n > parts[0].count(","):
                    raise Malformed(f"`{name}` stands only on the right side")
                letters[name] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[len(letters) % 52]
            names.append(letters.get(name, name))
        texts.append("".join(names))
    return f"{','.join(texts[:-1])}->{texts[-1]}"


def spaced(text: str, right: bool) -> list[str]:
    """The names of one operand; they may stand twice on the left side."""
    names: list[str] = []
    for word in text.split():
        parsed = side(word, "l", "_")
        if any(len(group) != 1 or size_of(group[0]) is not None for group in parsed.groups) or "(" in word:
            raise Malformed(f"`{word}`: an axis of `einsum` is one name")
        names += parsed.names
    twice = next((n for n in names if right and names.count(n) > 1 and n != "_"), None)
    if twice is not None:
        raise Malformed(f"`{twice}` stands twice on one side")
    return names


# shapes and packing


@op("einops.parse_shape")
def parse_shape(call: OpCall) -> Value | None:
    """`parse_shape(x, "b _ h w")`: a dict of the sizes by name."""
    array, text = call.arg(0, "x"), known(call.arg(1, "pattern"))
    if not isinstance(text, str):
        return None
    try:
        parsed = side(text, "l", "_")
    except Malformed as problem:
        fails(call, array, text, str(problem))
        return None
    axes = Axes()
    lengths = aligned(call, array if isinstance(array, Array) else None, parsed, axes, text)
    if lengths is None:
        return None
    found: dict[object, Value] = {}
    for group, length in zip(parsed.groups, lengths, strict=True):
        if len(group) == 1 and group[0] not in ("_", ELLIPSIS) and size_of(group[0]) is None:
            found[group[0]] = length
    return Mapping(found)


def packing(call: OpCall, text: object) -> tuple[int, int] | None:
    """How many axes a pattern of `pack` names before and after its `*`."""
    if not isinstance(text, str):
        return None
    names = text.split()
    if names.count("*") != 1:
        fails(call, None, text, "the pattern has one `*`")
        return None
    return names.index("*"), len(names) - names.index("*") - 1


@op("einops.pack")
def pack(call: OpCall) -> Value | None:
    """`pack([a, b], "b * c")`: the axes at the `*` become one, along which the tensors are joined; and their sizes."""
    given, text = call.arg(0, "tensors"), known(call.arg(1, "pattern"))
    ends = packing(call, text)
    values = given.items if isinstance(given, Seq) else None
    if ends is None or not values:
        return None
    before, after = ends
    flat: list[Value] = []
    shapes: list[Value] = []
    for value in values:
        shape = shape_of(value) if isinstance(value, Array) else None
        if not isinstance(value, Array) or shape is None:
            flat.append(value.but(shape=None, layout=None) if isinstance(value, Array) else UNKNOWN)
            shapes.append(UNKNOWN)
            continue
        if len(shape) < before + after:
            wrong_rank(call, value, str(text), before + after, len(shape))
            return Seq("tuple", [Unknown(), Unknown()])
        middle = shape[before : len(shape) - after]
        shapes.append(Seq("tuple", list(middle)))
        packed = (*shape[:before], dims.product(middle), *shape[len(shape) - after :])
        flat.append(value.but(shape=packed, layout=None, channels=None, colour=None))
    joined = OpCall(call.run, call.scope, call.node, "einops.pack", [Seq("list", flat), Const(before)], {})
    return Seq("tuple", [FUNCTIONS["torch.cat"](joined) or Unknown(), Seq("list", shapes)])


@op("einops.unpack")
def unpack(call: OpCall) -> Value | None:
    """The tensors that `pack` joined, by the sizes that it gave."""
    array, sizes, text = call.arg(0, "tensor"), call.arg(1, "packed_shapes"), known(call.arg(2, "pattern"))
    ends = packing(call, text)
    if ends is None or not isinstance(sizes, Seq) or sizes.items is None:
        return None
    before, after = ends
    shape = shape_of(array) if isinstance(array, Array) else None
    if shape is not None and len(shape) != before + after + 1:
        wrong_rank(call, array if isinstance(array, Array) else None, str(text), before + after + 1, len(shape))
        return Seq("list", [Unknown() for _ in sizes.items])
    parts: list[Value] = []
    for item in sizes.items:
        middle = [size(v) for v in item.items] if isinstance(item, Seq) and item.items is not None else None
        if not isinstance(array, Array) or shape is None or middle is None or any(known(s) == -1 for s in middle):
            parts.append(nothing(array if isinstance(array, Array) else None))
            continue
        whole = (*shape[:before], *middle, *shape[before + 1 :])
        parts.append(array.but(shape=whole, layout=None, channels=None, colour=None))
    return Seq("list", parts)
