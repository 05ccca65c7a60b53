"""Layers and functions that change sizes by a rule: flattening, padding, upsampling, shuffling pixels, unfolding."""

from __future__ import annotations

import math

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import FUNCTIONS, OpCall, called, op
from trainlint.analysis.values import Const, Range, Seq, Unknown, Value, is_none, number
from trainlint.ops.arguments import given, integer, last, shape_of, size, spread
from trainlint.ops.convolution import axes_of, text_of
from trainlint.ops.layers import attached, first_array, layer, nothing, of_rank
from trainlint.ops.pooling import smaller

PADS = tuple(
    f"torch.nn.{kind}Pad{n}d"
    for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    for n in (1, 2, 3)
)


@called("torch.nn.Flatten")
def flatten(call: OpCall) -> Value | None:
    """All axes but the first become one, or those from `start_dim` to `end_dim`."""
    start, end = given(layer(call), 0, "start_dim", 1), given(layer(call), 1, "end_dim", -1)
    return as_function(call, "torch.flatten", [start, end])


@called("torch.nn.Unflatten")
def unflatten(call: OpCall) -> Value | None:
    sizes = given(layer(call), 1, "unflattened_size")
    return as_function(call, "torch.unflatten", [given(layer(call), 0, "dim"), sizes])


def as_function(call: OpCall, name: str, more: list[Value]) -> Value | None:
    """What the function of the same meaning makes of the layer's input and arguments."""
    array = first_array(call)
    if array is None:
        return None
    plain = OpCall(call.run, call.scope, call.node, call.name, [array, *more], {}, call.receiver)
    return FUNCTIONS[name](plain)


# padding


@called(*PADS)
def padding(call: OpCall) -> Value | None:
    obj, array = layer(call), first_array(call)
    if array is None:
        return None
    n = axes_of(obj.name)
    amounts = spread(given(obj, 0, "padding"), 2 * n)
    if isinstance(given(obj, 0, "padding"), Seq) and amounts is not None and len(set(map(id, amounts))) == 1:
        amounts = None
    kind = obj.name.removeprefix("torch.nn.").partition("Pad")[0].lower()
    mode = {"zero": "constant", "constant": "constant", "reflection": "reflect", "replication": "replicate"}
    return padded(call, array, amounts, mode.get(kind, "circular"))


@op("torch.nn.functional.pad")
def f_pad(call: OpCall) -> Value | None:
    """`pad(input, (left, right, top, bottom, …), mode)`: pairs from the last axis on."""
    array = first_array(call)
    if array is None:
        return None
    pad = given(call, 1, "pad")
    amounts = [size(item) for item in pad.items] if isinstance(pad, Seq) and pad.items is not None else None
    if amounts is None:
        shape = array.shape
        return array.but(shape=None if shape is None else tuple(Unknown() for _ in shape), range=array.range)
    mode = text_of(given(call, 2, "mode", "constant"))
    if not call.require(len(amounts) % 2 == 0, "argument", array, what="pad", got=Const(len(amounts))):
        return nothing(call)
    return padded(call, array, amounts, mode)


def padded(call: OpCall, array: Array, amounts: list[Value] | None, mode: str | None) -> Array:
    """The input with its last axes longer (or shorter, for negative amounts)."""
    if amounts is None:
        return array.but(shape=None)
    n = len(amounts) // 2
    shape = shape_of(array)
    if mode is not None and mode != "constant":
        if not of_rank(call, array, n + 1, n + 2):
            return nothing(call)
    elif shape is not None and not call.require(
        len(shape) >= n, "rank", array, got=Const(len(shape)), wanted=f"at least {n}"
    ):
        return nothing(call)
    out: list[Value] = []
    for at in range(n):
        before, after = amounts[2 * (n - 1 - at)], amounts[2 * (n - 1 - at) + 1]
        extent = last(array, at - n)
        for amount in (before, after):
            if mode in ("reflect", "circular"):
                least = dims.add(amount, Const(1)) if mode == "reflect" else amount
                holds = dims.at_least(extent, least)
                if not call.require(holds, "kernel", array, got=extent, wanted=least, what="padding"):
                    return nothing(call)
        for amount in (before, after):
            # a negative amount cuts, and cannot cut more than there is
            cut = dims.add(extent, amount) if (integer(amount) or 0) < 0 else Const(0)
            if not call.require(
                dims.at_least(cut, Const(0)), "kernel", array, got=extent, wanted=amount, what="padding"
            ):
                return nothing(call)
        grown = dims.add(dims.add(extent, before), after)
        least = Const(0 if mode == "constant" else 1)
        if not call.require(dims.at_least(grown, least), "kernel", array, got=grown, wanted=least, what="padding"):
            return nothing(call)
        out.append(grown)
    if not out:
        return array
    return resized(call, array, out)


def resized(call: OpCall, array: Array, out: list[Value]) -> Array:
    """The input with other sizes of its last axes; the meaning of its values stays."""
    result = smaller(call, array, out, array.dtype)
    return result.but(range=array.range, stats=array.stats, layout=array.layout, channels=array.channels)


# upsampling

RANKS = {"linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,), "area": (3, 4, 5)}
SMOOTH = ("linear", "bilinear", "bicubic", "trilinear")


@called("torch.nn.Upsample", "torch.nn.UpsamplingNearest2d", "torch.nn.UpsamplingBilinear2d")
def upsample(call: OpCall) -> Value | None:
    obj, array = layer(call), first_array(call)
    if array is None:
        return None
    if obj.name == "torch.nn.Upsample":
        mode = text_of(given(obj, 2, "mode", "nearest"))
    else:
        mode = "bilinear" if "Bilinear" in obj.name else "nearest"
    return interpolated(call, array, given(obj, 0, "size"), given(obj, 1, "scale_factor"), mode)


@op("torch.nn.functional.interpolate", "torch.nn.functional.upsample")
def f_interpolate(call: OpCall) -> Value | None:
    """`interpolate(input, size, scale_factor, mode)`."""
    array = first_array(call)
    if array is None:
        return None
    mode = text_of(given(call, 3, "mode", "nearest"))
    return interpolated(call, array, given(call, 1, "size"), given(call, 2, "scale_factor"), mode)


@op("torch.nn.functional.upsample_nearest")
def f_upsample_nearest(call: OpCall) -> Value | None:
    array = first_array(call)
    return (
        interpolated(call, array, given(call, 1, "size"), given(call, 2, "scale_factor"), "nearest") if array else None
    )


@op("torch.nn.functional.upsample_bilinear")
def f_upsample_bilinear(call: OpCall) -> Value | None:
    array = first_array(call)
    return (
        interpolated(call, array, given(call, 1, "size"), given(call, 2, "scale_factor"), "bilinear") if array else None
    )


def interpolated(call: OpCall, array: Array, wanted: Value, factor: Value, mode: str | None) -> Array:
    """Every axis after the second gets the size asked for, or `floor(L · scale_factor)`."""
    shape = shape_of(array)
    if shape is None:
        return array.but(shape=None, grad=attached(call))
    ranks = RANKS.get(mode or "", (3, 4, 5))
    if not of_rank(call, array, *ranks):
        return nothing(call)
    n = len(shape) - 2
    missing, both = is_none(wanted) and is_none(factor), not is_none(wanted) and not is_none(factor)
    unknown = isinstance(wanted, Unknown) or isinstance(factor, Unknown)
    if not call.require(unknown or not (missing or both), "argument", array, what="size or scale_factor"):
        return nothing(call)
    given_ = wanted if not is_none(wanted) else factor
    if isinstance(given_, Seq) and given_.items is not None:
        fits = len(given_.items) == n
        if not call.require(fits, "argument", array, what="size", got=Const(len(given_.items)), wanted=Const(n)):
            return nothing(call)
        parts = given_.items
    else:
        parts = [given_] * n
    if unknown:
        parts = [Unknown()] * n
    if is_none(wanted):
        out = [scaled(last(array, at - n), part) for at, part in enumerate(parts)]
    else:
        out = [size(part) for part in parts]
    # `area` is an adaptive pool, which may give nothing
    least = Const(0 if mode == "area" else 1)
    for extent in out:
        if not call.require(dims.at_least(extent, least), "kernel", array, got=extent, wanted=least):
            return nothing(call)
    return resized(call, array, out)


def scaled(extent: Value, factor: Value) -> Value:
    """`floor(L · factor)` as PyTorch computes it."""
    times = number(factor)
    if times is None or isinstance(factor, Range):
        return dims.mul(extent, factor) if isinstance(size(factor), Const) else Unknown()
    if float(times).is_integer():
        return dims.mul(extent, Const(int(times)))
    constant = integer(extent)
    if constant is not None:
        return Const(math.floor(constant * times))
    if times > 0 and (1 / times).is_integer():
        return dims.floordiv(extent, Const(round(1 / times)))
    return Unknown()


# shuffling


@called("torch.nn.PixelShuffle")
def pixel_shuffle(call: OpCall) -> Value | None:
    return shuffled(call, given(layer(call), 0, "upscale_factor"))


@op("torch.nn.functional.pixel_shuffle", "torch.pixel_shuffle")
def f_pixel_shuffle(call: OpCall) -> Value | None:
    return shuffled(call, given(call, 1, "upscale_factor"))


@called("torch.nn.PixelUnshuffle")
def pixel_unshuffle(call: OpCall) -> Value | None:
    return unshuffled(call, given(layer(call), 0, "downscale_factor"))


@op("torch.nn.functional.pixel_unshuffle", "torch.pixel_unshuffle")
def f_pixel_unshuffle(call: OpCall) -> Value | None:
    return unshuffled(call, given(call, 1, "downscale_factor"))


def shuffled(call: OpCall, factor: Value) -> Array | None:
    """`(*, C·r², H, W)` gives `(*, C, H·r, W·r)`."""
    array = first_array(call)
    if array is None or not three_axes(call, array):
        return nothing(call) if array is not None else None
    r = size(factor)
    square = dims.mul(r, r)
    channels = last(array, -3)
    if not call.require(dims.divisible(channels, square), "channels", array, got=channels, wanted=square):
        return nothing(call)
    parts = [dims.floordiv(channels, square), dims.mul(last(array, -2), r), dims.mul(last(array, -1), r)]
    return image_of(call, array, parts)


def unshuffled(call: OpCall, factor: Value) -> Array | None:
    """`(*, C, H·r, W·r)` gives `(*, C·r², H, W)`."""
    array = first_array(call)
    if array is None or not three_axes(call, array):
        return nothing(call) if array is not None else None
    r = size(factor)
    for at in (-2, -1):
        got = last(array, at)
        if not call.require(dims.divisible(got, r), "reshape", array, got=got, wanted=r):
            return nothing(call)
    channels = dims.mul(last(array, -3), dims.mul(r, r))
    return image_of(call, array, [channels, dims.floordiv(last(array, -2), r), dims.floordiv(last(array, -1), r)])


def three_axes(call: OpCall, array: Array) -> bool:
    shape = shape_of(array)
    holds = None if shape is None else len(shape) >= 3
    return call.require(holds, "rank", array, got=Const(len(shape or ())), wanted="at least 3")


def image_of(call: OpCall, array: Array, parts: list[Value]) -> Array:
    """The input with its last three axes replaced."""
    shape = shape_of(array)
    channels = integer(parts[0]) if array.layout in ("NCHW", "CHW") else None
    layout = array.layout if array.layout in ("NCHW", "CHW") else None
    fields = {"range": None, "layout": layout, "channels": channels, "grad": attached(call)}
    if shape is not None:
        return array.but(shape=(*shape[:-3], *parts), **fields)
    return array.but(shape=None, tail=tuple(parts), **fields)


@called("torch.nn.ChannelShuffle")
def channel_shuffle(call: OpCall) -> Value | None:
    return same_shape(call, given(layer(call), 0, "groups"))


@op("torch.nn.functional.channel_shuffle", "torch.channel_shuffle")
def f_channel_shuffle(call: OpCall) -> Value | None:
    return same_shape(call, given(call, 1, "groups"))


def same_shape(call: OpCall, groups: Value) -> Array | None:
    array = first_array(call)
    if array is None or not three_axes(call, array):
        return nothing(call) if array is not None else None
    shape = shape_of(array)
    got = shape[1] if shape is not None else Unknown()
    holds = dims.divisible(got, size(groups))
    return array if call.require(holds, "channels", array, got=got, wanted=groups) else nothing(call)


# blocks of images


@called("torch.nn.Unfold")
def unfold(call: OpCall) -> Value | None:
    obj = layer(call)
    arguments = [given(obj, at, name, 0 if name == "padding" else 1) for at, name in enumerate(WINDOW)]
    return unfolded(call, arguments)


@op("torch.nn.functional.unfold")
def f_unfold(call: OpCall) -> Value | None:
    arguments = [given(call, at + 1, name, 0 if name == "padding" else 1) for at, name in enumerate(WINDOW)]
    return unfolded(call, arguments)


WINDOW = ("kernel_size", "dilation", "padding", "stride")


def unfolded(call: OpCall, arguments: list[Value]) -> Array | None:
    """`(N, C, H, W)` gives `(N, C·kernel, blocks)`."""
    array = first_array(call)
    if array is None:
        return None
    if not of_rank(call, array, 3, 4):
        return nothing(call)
    shape = shape_of(array)
    columns, blocks = blocks_of(call, array, arguments, [last(array, -2), last(array, -1)])
    if columns is None or blocks is None:
        return nothing(call)
    out = (dims.mul(last(array, -3), columns), blocks)
    if shape is None:
        return array.but(shape=None, tail=out, layout=None, channels=None, range=None)
    return array.but(shape=(*shape[:-3], *out), layout=None, channels=None, range=None, grad=attached(call))


def blocks_of(
    call: OpCall, array: Array, arguments: list[Value], extents: list[Value]
) -> tuple[Value | None, Value | None]:
    """The elements of a window and how many windows there are; None where they do not fit."""
    parts = [spread(value, 2) for value in arguments]
    if any(part is None for part in parts):
        return Unknown(), Unknown()
    kernel, dilation, padding, stride = (part or [] for part in parts)
    blocks: Value = Const(1)
    for at, extent in enumerate(extents):
        reach = dims.mul(dilation[at], dims.sub(kernel[at], Const(1)))
        room = dims.sub(dims.add(extent, dims.mul(Const(2), padding[at])), dims.add(reach, Const(1)))
        if not call.require(dims.at_least(room, Const(0)), "kernel", array, got=extent, wanted=kernel[at]):
            return None, None
        blocks = dims.mul(blocks, dims.add(dims.floordiv(room, stride[at]), Const(1)))
    return dims.mul(kernel[0], kernel[1]), blocks


@called("torch.nn.Fold")
def fold(call: OpCall) -> Value | None:
    """`(N, C·kernel, blocks)` gives `(N, C, *output_size)`."""
    obj, array = layer(call), first_array(call)
    if array is None:
        return None
    arguments = [given(obj, at + 1, name, 0 if name == "padding" else 1) for at, name in enumerate(WINDOW)]
    return folded(call, array, given(obj, 0, "output_size"), arguments)


@op("torch.nn.functional.fold")
def f_fold(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is None:
        return None
    arguments = [given(call, at + 2, name, 0 if name == "padding" else 1) for at, name in enumerate(WINDOW)]
    return folded(call, array, given(call, 1, "output_size"), arguments)


def folded(call: OpCall, array: Array, wanted: Value, arguments: list[Value]) -> Array:
    if not of_rank(call, array, 2, 3):
        return nothing(call)
    out = spread(wanted, 2)
    if out is None:
        return nothing(call)
    columns, blocks = blocks_of(call, array, arguments, out)
    if columns is None or blocks is None:
        return nothing(call)
    got = last(array, -2)
    if not call.require(dims.divisible(got, columns), "channels", array, got=got, wanted=columns):
        return nothing(call)
    if not call.require(dims.same(last(array, -1), blocks), "reshape", array, got=last(array, -1), wanted=blocks):
        return nothing(call)
    channels = dims.floordiv(got, columns)
    shape = shape_of(array)
    if shape is None:
        return array.but(shape=None, tail=(channels, *out), layout=None, range=None)
    return array.but(shape=(*shape[:-2], channels, *out), layout=None, range=None, grad=attached(call))
