"""Layers that keep the shape: activations, dropout, softmax."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, called, op
from trainlint.analysis.values import Const, Obj, Value
from trainlint.ops.arguments import INTEGERS, given, integer, shape_of, size
from trainlint.ops.layers import attached, constructed, first_array, here, layer, likely, made, nothing, of_rank

# activations that need floating point, those that turn integers into it, those that take integers as they are
REFUSING = (
    "GELU", "SiLU", "ELU", "CELU", "SELU", "Softplus", "LogSigmoid", "Hardswish", "Mish", "LeakyReLU", "RReLU",
    "Hardsigmoid", "Softshrink", "Hardshrink",
)  # fmt: skip
PROMOTING = ("Tanh", "Softsign", "Tanhshrink")
KEEPING = ("ReLU", "ReLU6", "Hardtanh", "Threshold")
DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")


def whole(array: Array) -> bool:
    """Does it certainly hold integers or truth values?"""
    return array.dtype in INTEGERS or array.dtype == "bool"


@called("torch.nn.Identity")
def identity(call: OpCall) -> Value | None:
    return call.args[0] if call.args else call.kwargs.get("input")


@constructed(*(f"torch.nn.{name}" for name in DROPOUTS))
def construct_dropout(call: OpCall) -> Value | None:
    p = given(layer(call), 0, "p", 0.5)
    if isinstance(p, Const) and isinstance(p.value, (int, float)):
        call.require(0 <= p.value <= 1, "argument", what="p", got=p, wanted="a probability between 0 and 1")
    return None


@called(*(f"torch.nn.{name}" for name in DROPOUTS))
def dropout(call: OpCall) -> Value | None:
    return first_array(call)


@called(*(f"torch.nn.{name}" for name in (*REFUSING, *PROMOTING, *KEEPING)))
def activation(call: OpCall) -> Value | None:
    """A function of each element."""
    array = first_array(call)
    if array is None:
        return made(call, None)
    name = call.name.rpartition(".")[2]
    if name in REFUSING:
        if not call.require(not whole(array), "dtype", array, got=array.dtype or "", wanted="float32"):
            return nothing(call)
    elif (name in KEEPING or name in ("Softsign", "Tanhshrink")) and array.dtype == "bool":
        call.require(False, "dtype", array, got="bool", wanted="float32")
        return nothing(call)
    dtype = "float32" if name in PROMOTING and whole(array) else array.dtype
    return array.but(range=None, grad=attached(call), colour=None, dtype=dtype)


@called("torch.nn.Sigmoid")
def sigmoid(call: OpCall) -> Value | None:
    return ranged(call, "sigmoid")


@called("torch.nn.Softmax", "torch.nn.Softmin")
def softmax(call: OpCall) -> Value | None:
    array = first_array(call)
    return ranged(call, "prob") if softmax_fits(call, array, given(layer(call), 0, "dim")) else nothing(call)


@called("torch.nn.LogSoftmax")
def log_softmax(call: OpCall) -> Value | None:
    array = first_array(call)
    return ranged(call, "logprob") if softmax_fits(call, array, given(layer(call), 0, "dim")) else nothing(call)


@called("torch.nn.Softmax2d")
def softmax_2d(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is not None and not (of_rank(call, array, 3, 4) and softmax_fits(call, array, Const(-3))):
        return nothing(call)
    return ranged(call, "prob")


def softmax_fits(call: OpCall, array: Array | None, dim: Value) -> bool:
    """State that there is such an axis and that the input is floating point."""
    if array is None:
        return True
    if not call.require(not whole(array), "dtype", array, got=array.dtype or "", wanted="float32"):
        return False
    number, shape = integer(dim), shape_of(array)
    if number is None or shape is None:
        return True
    rank = max(len(shape), 1)
    return call.require(-rank <= number < rank, "index", array, got=dim, wanted=Const(len(shape)))


def ranged(call: OpCall, range_: str) -> Array:
    """A tensor of the same shape whose values have a new meaning."""
    array = first_array(call)
    if array is None:
        return Array(range=range_, grad=attached(call), likely=likely(call), via=here(call))
    dtype = "float32" if whole(array) else array.dtype
    return made(
        call,
        array,
        dtype=dtype,
        shape=array.shape,
        tail=array.tail,
        layout=array.layout,
        channels=array.channels,
        range=range_,
        via=here(call),
        origin=call.step(call.name) if not isinstance(call.receiver, Obj) else array.origin,
    )


@called("torch.nn.GLU")
def glu(call: OpCall) -> Value | None:
    return halved(call, given(layer(call), 0, "dim", -1))


@op("torch.nn.functional.glu")
def f_glu(call: OpCall) -> Value | None:
    return halved(call, given(call, 1, "dim", -1))


def halved(call: OpCall, dim: Value) -> Array | None:
    """One axis is half as long; it must be even."""
    array, at = first_array(call), integer(dim)
    if array is None:
        return None
    if array.shape is None or at is None:
        return array.but(shape=None, range=None, layout=None)
    rank = len(array.shape)
    if not call.require(-rank <= at < rank, "index", array, got=dim, wanted=Const(rank)):
        return nothing(call)
    got = array.shape[at]
    if not call.require(dims.divisible(got, Const(2)), "features", array, got=got, wanted=Const(2), flat=got):
        return nothing(call)
    shape = list(array.shape)
    shape[at] = dims.floordiv(got, Const(2))
    letter = array.layout[at] if array.layout is not None else ""
    return array.but(
        shape=tuple(shape), range=None, channels=None if letter == "C" else array.channels, grad=attached(call)
    )


@called("torch.nn.PReLU")
def prelu(call: OpCall) -> Value | None:
    """One slope for all, or one a channel (axis 1)."""
    array = first_array(call)
    if array is None:
        return made(call, None)
    wanted = size(given(layer(call), 0, "num_parameters", 1))
    if array.shape is not None and dims.same(wanted, Const(1)) is False:
        got = array.shape[1] if len(array.shape) > 1 else Const(1)
        if not call.require(dims.same(got, wanted), "channels", array, got=got, wanted=wanted):
            return nothing(call)
    return array.but(range=None, grad=attached(call), colour=None)
