"""Convolutions: shapes, channels, windows. `(N, C, L1 … Ln)` with the batch optional; the formulas are PyTorch's."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, called, op
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, is_none
from trainlint.ops.arguments import given, integer, last, shape_of, size, spread
from trainlint.ops.layers import constructed, first_array, fits_weights, here, layer, made, nothing, of_rank, use

PLAIN = tuple(f"torch.nn.Conv{n}d" for n in (1, 2, 3))
LAZY = tuple(f"torch.nn.LazyConv{n}d" for n in (1, 2, 3))
TRANSPOSED = tuple(f"torch.nn.ConvTranspose{n}d" for n in (1, 2, 3))
LAZY_TRANSPOSED = tuple(f"torch.nn.LazyConvTranspose{n}d" for n in (1, 2, 3))
ALL = (*PLAIN, *LAZY, *TRANSPOSED, *LAZY_TRANSPOSED)
MODES = ("zeros", "reflect", "replicate", "circular")
LAYOUTS = {1: (), 2: ("NCHW", "CHW"), 3: ("NCTHW", "CTHW")}
SINK = {2: "CHW", 3: "CTHW"}


@dataclass(slots=True)
class Geometry:
    """The window of a convolution over n axes; a field is None where its length is not n."""

    n: int
    kernel: list[Value] | None
    stride: list[Value] | None
    padding: list[Value] | None
    dilation: list[Value] | None
    groups: Value
    # `same` or `valid`
    word: str | None = None
    mode: str | None = "zeros"
    extra: list[Value] | None = None

    @property
    def whole(self) -> bool:
        return None not in (self.kernel, self.stride, self.padding, self.dilation)


def axes_of(name: str) -> int:
    """The number of spatial axes of `Conv2d`, `conv_transpose1d`, `MaxPool3d`."""
    return int(name[-2])


def text_of(value: Value) -> str | None:
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


def channels_of(obj: Obj) -> tuple[Value, Value]:
    """in_channels (Unknown for a lazy layer) and out_channels."""
    if ".Lazy" in obj.name:
        return obj.attrs.get("[in]", Unknown("in_channels")), size(given(obj, 0, "out_channels"))
    return size(given(obj, 0, "in_channels")), size(given(obj, 1, "out_channels"))


def geometry(obj: Obj) -> Geometry:
    """The window of a convolution layer from its constructor's arguments."""
    n, lazy = axes_of(obj.name), ".Lazy" in obj.name
    at = 1 if lazy else 2
    padding = given(obj, at + 2, "padding", 0)
    if "ConvTranspose" in obj.name:
        extra = spread(given(obj, at + 3, "output_padding", 0), n)
        # output_padding, groups, bias, dilation
        groups, dilation = given(obj, at + 4, "groups", 1), given(obj, at + 6, "dilation", 1)
        mode: Value = Const("zeros")
    else:
        extra = None
        dilation, groups = given(obj, at + 3, "dilation", 1), given(obj, at + 4, "groups", 1)
        mode = given(obj, at + 6, "padding_mode", "zeros")
    word = text_of(padding)
    return Geometry(
        n,
        spread(given(obj, at, "kernel_size"), n),
        spread(given(obj, at + 1, "stride", 1), n),
        spread(padding, n) if word is None else [Const(0)] * n,
        spread(dilation, n),
        size(groups),
        word,
        text_of(mode),
        extra,
    )


@constructed(*ALL)
def construct_convolution(call: OpCall) -> Value | None:
    obj = layer(call)
    inputs, outputs = channels_of(obj)
    window = geometry(obj)
    groups = window.groups
    if not call.require(dims.at_least(groups, Const(1)), "argument", what="groups", got=groups, wanted=Const(1)):
        return None
    for what, value in (("in_channels", inputs), ("out_channels", outputs)):
        call.require(dims.divisible(value, groups), "argument", what=what, got=value, wanted=groups)
    given_mode = text_of(given(obj, (7 if ".Lazy" in obj.name else 8), "padding_mode", "zeros"))
    if "ConvTranspose" in obj.name:
        given_mode = text_of(given(obj, (9 if ".Lazy" in obj.name else 10), "padding_mode", "zeros"))
        call.require(given_mode in (None, "zeros"), "argument", what="padding_mode", got=given_mode or "")
    else:
        call.require(given_mode is None or given_mode in MODES, "argument", what="padding_mode", got=given_mode or "")
    if window.word is not None:
        transposed = "ConvTranspose" in obj.name
        known = window.word in ("same", "valid") and not transposed
        if call.require(known, "argument", what="padding", got=window.word) and window.word == "same":
            for stride in window.stride or ():
                holds = dims.same(stride, Const(1))
                if not call.require(holds, "argument", what="stride", got=stride, wanted=Const(1)):
                    break
    return None


@called(*PLAIN, *LAZY, *TRANSPOSED, *LAZY_TRANSPOSED)
def convolution(call: OpCall) -> Value | None:
    """Channels first; feature maps come out in the same layout."""
    obj = layer(call)
    inputs, outputs = channels_of(obj)
    window = geometry(obj)
    array = first_array(call)
    if array is None:
        return made(call, None, tail=(outputs, *(Unknown() for _ in range(window.n))), range="logits", via=here(call))
    if window.n in SINK and (window.n == 2 or array.layout is not None):
        wants = {"layout": SINK[window.n]}
        if window.n == 2 and integer(inputs) is not None and ".Lazy" not in obj.name:
            wants["channels"] = str(integer(inputs))
        use(call, array, f"`{obj.name.rpartition('.')[2]}`", wants)
    if ".Lazy" in obj.name:
        remember(call, obj, last(array, -window.n - 1))
        inputs = Unknown("in_channels")
    fits = of_rank(call, array, window.n + 1, window.n + 2) and fits_weights(call, array)
    got = last(array, -window.n - 1)
    if not fits or not call.require(dims.same(got, inputs), "channels", array, got=got, wanted=inputs):
        return nothing(call)
    if "ConvTranspose" in obj.name:
        return transposed(call, array, outputs, window, given(call, 1, "output_size"))
    return convolved(call, array, outputs, window)


def remember(call: OpCall, obj: Obj, channels: Value) -> None:
    """A lazy layer takes its input channels from the first input."""
    if "[in]" not in obj.attrs:
        obj.attrs["[in]"] = channels if not call.run.conds else Unknown("in_channels")


def positive(call: OpCall, array: Array, window: Geometry) -> bool:
    """State that strides, kernel and dilation are at least 1 and the padding at least 0, and that there are n each."""
    parts = {"kernel_size": window.kernel, "stride": window.stride, "dilation": window.dilation}
    for what, values in (*parts.items(), ("padding", window.padding)):
        if not call.require(values is not None, "argument", array, what=what, wanted=Const(window.n)):
            return False
        least = Const(0 if what == "padding" else 1)
        for value in values or ():
            if not call.require(dims.at_least(value, least), "argument", array, what=what, got=value, wanted=least):
                return False
    return True


def convolved(call: OpCall, array: Array, outputs: Value, window: Geometry) -> Array:
    """The output of a convolution: `(L + 2·padding - dilation·(kernel - 1) - 1) // stride + 1` for each axis."""
    if not positive(call, array, window):
        return nothing(call)
    assert window.kernel and window.stride and window.padding is not None and window.dilation  # noqa: PT018
    out: list[Value] = []
    for at in range(window.n):
        extent = last(array, at - window.n)
        reach = dims.mul(window.dilation[at], dims.sub(window.kernel[at], Const(1)))
        before = after = window.padding[at]
        if window.word == "same":
            before = dims.floordiv(reach, Const(2))
            after = dims.sub(reach, before)
        padded = dims.add(dims.add(extent, before), after)
        if not padding_fits(call, array, window, extent, before, after):
            return nothing(call)
        kernel = dims.add(reach, Const(1))
        if not call.require(dims.at_least(padded, kernel), "kernel", array, got=padded, wanted=kernel, axis=str(at)):
            return nothing(call)
        if window.word == "same":
            out.append(extent)
        else:
            out.append(
                dims.add(dims.floordiv(dims.sub(dims.sub(padded, reach), Const(1)), window.stride[at]), Const(1))
            )
    return feature_maps(call, array, outputs, out)


def padding_fits(call: OpCall, array: Array, window: Geometry, extent: Value, before: Value, after: Value) -> bool:
    """Padding by reflection needs more input than padding, circular padding at least as much."""
    if window.mode not in ("reflect", "circular"):
        return True
    for amount in (before, after):
        least = dims.add(amount, Const(1)) if window.mode == "reflect" else amount
        if not call.require(dims.at_least(extent, least), "kernel", array, got=extent, wanted=least, what="padding"):
            return False
    return True


def transposed(call: OpCall, array: Array, outputs: Value, window: Geometry, output_size: Value) -> Array:
    """`(L - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1` for each axis."""
    if not positive(call, array, window):
        return nothing(call)
    extras = window.extra
    if not call.require(extras is not None, "argument", array, what="output_padding", wanted=Const(window.n)):
        return nothing(call)
    assert window.kernel and window.stride and window.padding is not None and window.dilation  # noqa: PT018
    assert extras is not None
    wanted = wanted_sizes(output_size, window.n)
    out: list[Value] = []
    for at in range(window.n):
        stride, dilation = window.stride[at], window.dilation[at]
        reach = dims.mul(dilation, dims.sub(window.kernel[at], Const(1)))
        grown = dims.mul(dims.sub(last(array, at - window.n), Const(1)), stride)
        extent = dims.add(dims.add(dims.sub(grown, dims.mul(Const(2), window.padding[at])), reach), Const(1))
        if wanted is not None:
            size_ = wanted[at]
            most = dims.sub(dims.add(extent, stride), Const(1))
            holds = both(dims.at_least(size_, extent), dims.at_least(most, size_))
            if not call.require(holds, "argument", array, what="output_size", got=size_, wanted=extent):
                return nothing(call)
            extent = size_
        else:
            extra = extras[at]
            below = either(dims.at_least(extra, stride), dims.at_least(extra, dilation))
            if not call.require(below, "argument", array, what="output_padding", got=extra, wanted=stride):
                return nothing(call)
            extent = dims.add(extent, extra) if is_none(output_size) else Unknown()
        # whether an empty output raises depends on the backend
        if not call.require(dims.at_least(extent, Const(0)), "kernel", array, got=extent, wanted=Const(1)):
            return nothing(call)
        out.append(extent)
    if any(dims.same(extent, Const(0)) for extent in out):
        return nothing(call)
    return feature_maps(call, array, outputs, out)


def both(a: bool | None, b: bool | None) -> bool | None:
    """Three-valued `and`."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(at_stride: bool | None, at_dilation: bool | None) -> bool | None:
    """Is output_padding smaller than the stride or the dilation, given whether it is at least each of them?"""
    if at_stride is False or at_dilation is False:
        return True
    return False if at_stride and at_dilation else None


def wanted_sizes(value: Value, n: int) -> list[Value] | None:
    """The spatial sizes of `output_size=`, None where it is not given or not known."""
    if isinstance(value, Seq) and value.items is not None and len(value.items) >= n:
        return [size(item) for item in value.items[-n:]]
    return None


def feature_maps(call: OpCall, array: Array, outputs: Value, spatial: list[Value]) -> Array:
    """The output with its channels and spatial sizes, in the layout of the input where that is channels first."""
    shape = shape_of(array)
    out = (outputs, *spatial)
    layout = array.layout if array.layout in LAYOUTS[len(spatial)] else None
    if shape is not None:
        return made(
            call,
            array,
            shape=(*shape[: len(shape) - len(out)], *out),
            layout=layout,
            channels=integer(outputs) if layout is not None else None,
            range="logits",
            via=here(call),
        )
    return made(call, array, tail=out, range="logits", via=here(call))


# the functions: the weights come as a tensor


@op(*(f"torch.nn.functional.conv{n}d" for n in (1, 2, 3)), *(f"torch.conv{n}d" for n in (1, 2, 3)))
def f_convolution(call: OpCall) -> Value | None:
    """`conv2d(input, weight, bias, stride, padding, dilation, groups)`; weight `(out, in / groups, *kernel)`."""
    array, weight, window = functional(call, 5)
    if array is None or weight is None:
        return nothing(call)
    word = text_of(given(call, 4, "padding", 0))
    window.word = word
    outputs, inner = last(weight, -window.n - 2), last(weight, -window.n - 1)
    inputs = dims.mul(inner, window.groups)
    got = last(array, -window.n - 1)
    if not (
        same_dtype(call, array, weight)
        and call.require(dims.same(got, inputs), "channels", array, weight, got=got, wanted=inputs)
        and call.require(dims.divisible(outputs, window.groups), "argument", what="groups", got=outputs)
        and bias_fits(call, given(call, 2, "bias"), outputs)
    ):
        return nothing(call)
    return convolved(call, array, outputs, window)


@op(*(f"torch.nn.functional.conv_transpose{n}d" for n in (1, 2, 3)), *(f"torch.conv_transpose{n}d" for n in (1, 2, 3)))
def f_transposed(call: OpCall) -> Value | None:
    """`conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)`."""
    array, weight, window = functional(call, 7)
    if array is None or weight is None:
        return nothing(call)
    window.groups = size(given(call, 6, "groups", 1))
    window.extra = spread(given(call, 5, "output_padding", 0), window.n)
    inputs, got = last(weight, -window.n - 2), last(array, -window.n - 1)
    outputs = dims.mul(last(weight, -window.n - 1), window.groups)
    if not (
        same_dtype(call, array, weight)
        and call.require(dims.same(got, inputs), "channels", array, weight, got=got, wanted=inputs)
        and call.require(dims.divisible(inputs, window.groups), "argument", what="groups", got=inputs)
        and bias_fits(call, given(call, 2, "bias"), outputs)
    ):
        return nothing(call)
    return transposed(call, array, outputs, window, Const(None))


def functional(call: OpCall, dilation_at: int) -> tuple[Array | None, Array | None, Geometry]:
    """Input and weight where both are tensors of a fitting rank, and the window."""
    n = axes_of(call.name)
    array, weight = first_array(call), call.arg(1, "weight")
    padding = given(call, 4, "padding", 0)
    window = Geometry(
        n,
        None,
        spread(given(call, 3, "stride", 1), n),
        spread(padding, n) if text_of(padding) is None else [Const(0)] * n,
        spread(given(call, dilation_at, "dilation", 1), n),
        size(given(call, 6, "groups", 1)),
    )
    if array is None or not isinstance(weight, Array):
        return None, None, window
    window.kernel = [last(weight, at - n) for at in range(n)]
    if not of_rank(call, array, n + 1, n + 2) or not of_rank(call, weight, n + 2):
        return None, None, window
    return array, weight, window


def same_dtype(call: OpCall, array: Array, weight: Array) -> bool:
    """State that the input and a weight that is given as a tensor have one dtype."""
    known = array.dtype is not None and weight.dtype is not None
    holds = array.dtype == weight.dtype if known else None
    return call.require(holds, "dtype", array, weight, got=array.dtype or "", wanted=weight.dtype or "")


def bias_fits(call: OpCall, bias: Value, outputs: Value) -> bool:
    """State that a bias has one number for each output."""
    if not isinstance(bias, Array):
        return True
    got = last(bias, -1)
    return of_rank(call, bias, 1) and call.require(dims.same(got, outputs), "channels", bias, got=got, wanted=outputs)
