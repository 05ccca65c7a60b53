"""Pooling: windows over the last n axes of `(N, C, L1 … Ln)`, batch and (for most) channels optional."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, called, op
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, is_none
from trainlint.ops.arguments import flag, given, integer, last, shape_of, size, spread
from trainlint.ops.convolution import axes_of
from trainlint.ops.layers import attached, first_array, layer, nothing, of_rank

SIZES = (1, 2, 3)
AXES = {1: ("NCL", "CL"), 2: ("NCHW", "CHW"), 3: ("NCTHW", "CTHW")}


@dataclass(slots=True)
class Pool:
    """A pooling window; a field is None where its length is not that of the axes."""

    n: int
    kernel: list[Value] | None
    stride: list[Value] | None
    padding: list[Value] | None
    dilation: list[Value] | None
    ceil: bool | None

    def fields(self) -> dict[str, list[Value] | None]:
        return {
            "kernel_size": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }


def pool(source: Obj | OpCall, n: int, start: int, family: str) -> Pool:
    """The window from arguments that begin at `start`: kernel, stride, then what each family has."""
    kernel = given(source, start, "kernel_size")
    stride = given(source, start + 1, "stride")
    if is_none(stride) or (isinstance(stride, Seq) and stride.items == []):
        stride = kernel
    padding: Value = Const(0)
    dilation: Value = Const(1)
    if family == "max":
        padding, dilation = given(source, start + 2, "padding", 0), given(source, start + 3, "dilation", 1)
        ceil = given(source, ceil_at(source, start), "ceil_mode", False)
    elif family == "avg":
        padding, ceil = given(source, start + 2, "padding", 0), given(source, start + 3, "ceil_mode", False)
    else:
        ceil = given(source, start + 2, "ceil_mode", False)
    return Pool(n, spread(kernel, n), spread(stride, n), spread(padding, n), spread(dilation, n), flag(ceil))


def ceil_at(source: Obj | OpCall, start: int) -> int:
    """Where `ceil_mode` stands: behind `return_indices` in the layers, before it in the functions."""
    return start + 5 if isinstance(source, Obj) else start + 4


@called(*(f"torch.nn.MaxPool{n}d" for n in SIZES))
def max_pool(call: OpCall) -> Value | None:
    obj = layer(call)
    result = pooled(call, pool(obj, axes_of(obj.name), 0, "max"))
    return with_indices(result, given(obj, 4, "return_indices", False))


@called(*(f"torch.nn.AvgPool{n}d" for n in SIZES))
def avg_pool(call: OpCall) -> Value | None:
    obj = layer(call)
    return pooled(call, pool(obj, axes_of(obj.name), 0, "avg"), average=True)


@called(*(f"torch.nn.LPPool{n}d" for n in SIZES))
def lp_pool(call: OpCall) -> Value | None:
    obj = layer(call)
    return pooled(call, pool(obj, axes_of(obj.name), 1, "lp"), average=True)


@op(
    *(f"torch.nn.functional.max_pool{n}d" for n in SIZES),
    *(f"torch.max_pool{n}d" for n in SIZES),
)
def f_max_pool(call: OpCall) -> Value | None:
    result = pooled(call, pool(call, axes_of(call.name), 1, "max"))
    return with_indices(result, given(call, 6, "return_indices", False))


@op(*(f"torch.nn.functional.max_pool{n}d_with_indices" for n in SIZES))
def f_max_pool_with_indices(call: OpCall) -> Value | None:
    n = int(call.name.removesuffix("d_with_indices")[-1])
    return with_indices(pooled(call, pool(call, n, 1, "max")), Const(True))


@op(*(f"torch.nn.functional.avg_pool{n}d" for n in SIZES), "torch.avg_pool1d")
def f_avg_pool(call: OpCall) -> Value | None:
    return pooled(call, pool(call, axes_of(call.name), 1, "avg"), average=True)


@op(*(f"torch.nn.functional.lp_pool{n}d" for n in SIZES))
def f_lp_pool(call: OpCall) -> Value | None:
    return pooled(call, pool(call, axes_of(call.name), 2, "lp"), average=True)


def with_indices(result: Array | None, wanted: Value) -> Value | None:
    """The pair of values and indices where `return_indices` says so."""
    if result is None or flag(wanted) is False:
        return result
    if flag(wanted) is None:
        return Unknown()
    indices = result.but(dtype="int64", grad=False, range="index", layout=None, channels=None)
    return Seq("tuple", [result, indices])


def pooled(call: OpCall, window: Pool, average: bool = False) -> Array | None:
    """`(L + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`, rounded down, or up with `ceil_mode`."""
    array = first_array(call)
    if array is None:
        return None
    n = window.n
    if not of_rank(call, array, n + 1, n + 2) or not fits(call, array, window):
        return nothing(call)
    out: list[Value] = []
    assert window.kernel and window.stride and window.padding is not None and window.dilation  # noqa: PT018
    for at in range(n):
        extent = last(array, at - n)
        reach = dims.mul(window.dilation[at], dims.sub(window.kernel[at], Const(1)))
        padding, stride = window.padding[at], window.stride[at]
        padded = dims.add(extent, dims.mul(Const(2), padding))
        room = dims.sub(dims.sub(padded, reach), Const(1))
        least: Value = dims.add(reach, Const(1))
        got = padded
        if window.ceil is not False:
            # rounding up lets the last window begin inside the input and end outside it
            got, least = dims.add(padded, dims.sub(stride, Const(1))), least
        if not call.require(dims.at_least(got, least), "kernel", array, got=padded, wanted=least, axis=str(at)):
            return nothing(call)
        if (
            average
            and n == 3
            and not call.require(
                dims.at_least(extent, window.kernel[at]),
                "kernel",
                array,
                got=extent,
                wanted=window.kernel[at],
                axis=str(at),
            )
        ):
            # of the three average pools only this one looks at the input without its padding
            return nothing(call)
        out.append(windows(extent, padding, stride, room, window.ceil))
    return smaller(call, array, out, None if average else array.dtype)


def windows(extent: Value, padding: Value, stride: Value, room: Value, ceil: bool | None) -> Value:
    """How many windows there are in `room` steps."""
    down = dims.add(dims.floordiv(room, stride), Const(1))
    if ceil is False:
        return down
    up = dims.add(dims.floordiv(dims.sub(dims.add(room, stride), Const(1)), stride), Const(1))
    # a window that would begin in the padding on the right is left out
    begins = dims.at_least(dims.mul(dims.sub(up, Const(1)), stride), dims.add(extent, padding))
    if begins is None:
        up = Unknown()
    elif begins:
        up = dims.sub(up, Const(1))
    if ceil is None:
        return up if dims.same(up, down) else Unknown()
    return up


def fits(call: OpCall, array: Array, window: Pool) -> bool:
    """State the requirements on the window's own numbers."""
    for what, values in window.fields().items():
        if not call.require(values is not None, "argument", array, what=what, wanted=Const(window.n)):
            return False
        least = Const(0 if what == "padding" else 1)
        for value in values or ():
            if not call.require(dims.at_least(value, least), "argument", array, what=what, got=value, wanted=least):
                return False
    for padding, kernel in zip(window.padding or (), window.kernel or (), strict=True):
        holds = dims.at_least(kernel, dims.mul(Const(2), padding))
        if not call.require(holds, "argument", array, what="padding", got=padding, wanted=kernel):
            return False
    return True


def smaller(call: OpCall, array: Array, spatial: list[Value], dtype: str | None) -> Array:
    """The input with other sizes of its last axes, in the same layout."""
    n = len(spatial)
    shape = shape_of(array)
    layout = array.layout if array.layout in AXES[n] else None
    dtype = dtype or array.dtype
    if shape is not None:
        shape = (*shape[: len(shape) - n], *spatial)
        return array.but(shape=shape, layout=layout, range=None, dtype=dtype, grad=attached(call))
    tail = (*(array.tail or ())[:-n], *spatial) if array.tail is not None and len(array.tail) > n else tuple(spatial)
    return array.but(shape=None, tail=tail, layout=layout, range=None, dtype=dtype, grad=attached(call))


ADAPTIVE = tuple(f"Adaptive{kind}Pool{n}d" for kind in ("Avg", "Max") for n in SIZES)


@called(*(f"torch.nn.{name}" for name in ADAPTIVE))
def adaptive(call: OpCall) -> Value | None:
    obj = layer(call)
    result = adapted(call, axes_of(obj.name), given(obj, 0, "output_size"))
    return with_indices(result, given(obj, 1, "return_indices", False)) if "Max" in obj.name else result


@op(*(f"torch.nn.functional.adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in SIZES))
def f_adaptive(call: OpCall) -> Value | None:
    result = adapted(call, axes_of(call.name), given(call, 1, "output_size"))
    return with_indices(result, given(call, 2, "return_indices", False)) if "max" in call.name else result


def adapted(call: OpCall, n: int, wanted: Value) -> Array | None:
    """The sizes that were asked for; None keeps the size of the input."""
    array = first_array(call)
    if array is None:
        return None
    if isinstance(wanted, Seq) and wanted.items is not None:
        asked: list[Value] | None = wanted.items if len(wanted.items) == n else None
        if asked is None and n == 1 and wanted.items:
            asked = None
    else:
        asked = [wanted] * n
    if not call.require(asked is not None, "argument", array, what="output_size", wanted=Const(n)):
        return nothing(call)
    assert asked is not None
    average = "Avg" in call.name or "avg" in call.name
    shape = shape_of(array)
    if average and n > 1 and shape is not None and all(integer(value) == 1 for value in asked):
        # the mean over all positions, whatever the number of axes
        least = n + 1 if isinstance(wanted, Seq) else n
        if not call.require(len(shape) >= least, "rank", array, got=Const(len(shape)), wanted=f"at least {least}"):
            return nothing(call)
    elif not of_rank(call, array, n + 1, n + 2):
        return nothing(call)
    if average:
        integral = array.dtype is not None and (array.dtype.startswith(("int", "uint")) or array.dtype == "bool")
        if not call.require(not integral, "dtype", array, got=array.dtype or "", wanted="float32"):
            return nothing(call)
    out = [last(array, at - n) if is_none(value) else size(value) for at, value in enumerate(asked)]
    return smaller(call, array, out, array.dtype)


@called("torch.nn.MaxUnpool1d", "torch.nn.MaxUnpool2d", "torch.nn.MaxUnpool3d")
def unpool(call: OpCall) -> Value | None:
    """`(L - 1)·stride - 2·padding + kernel` for each axis, or what `output_size` says."""
    obj, array = layer(call), first_array(call)
    if array is None:
        return None
    n = axes_of(obj.name)
    kernel = given(obj, 0, "kernel_size")
    stride = given(obj, 1, "stride")
    parts = [spread(value, n) for value in (kernel, kernel if is_none(stride) else stride, given(obj, 2, "padding", 0))]
    wanted = given(call, 2, "output_size")
    out: list[Value] = []
    for at in range(n):
        k, s, p = (part[at] if part is not None else Unknown() for part in parts)
        grown = dims.mul(dims.sub(last(array, at - n), Const(1)), s)
        out.append(dims.add(dims.sub(grown, dims.mul(Const(2), p)), k) if is_none(wanted) else Unknown())
    return smaller(call, array, out, array.dtype)


@called("torch.nn.FractionalMaxPool2d", "torch.nn.FractionalMaxPool3d")
def fractional(call: OpCall) -> Value | None:
    obj, array = layer(call), first_array(call)
    if array is None:
        return None
    n = axes_of(obj.name)
    wanted = given(obj, 1, "output_size")
    out = spread(wanted, n) if not is_none(wanted) else None
    result = smaller(call, array, out or [Unknown()] * n, array.dtype)
    return with_indices(result, given(obj, 3, "return_indices", False))
