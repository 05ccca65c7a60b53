"""Small modules of torchvision and timm that other models are built from: they are made of layers, and run them."""

from __future__ import annotations

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.modules import children
from trainlint.analysis.parameters import Own, Slot, holds
from trainlint.analysis.registry import OpCall, alias, called
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, is_none
from trainlint.ops.arguments import flag, given, integer
from trainlint.ops.containers import sequential
from trainlint.ops.layers import constructed, first_array, layer, made, nothing

alias("torchvision.ops.", "torchvision.ops.misc.", "torchvision.ops.stochastic_depth.")
alias("timm.layers.", "timm.models.layers.", "timm.layers.drop.", "timm.layers.mlp.", "timm.layers.norm.")

BLOCKS = tuple(f"torchvision.ops.Conv{axes}NormActivation" for axes in ("", "2d", "3d"))
MLPS = ("torchvision.ops.MLP", "timm.layers.Mlp")
EXCITE = "torchvision.ops.SqueezeExcitation"
SAME = (
    *("torchvision.ops.StochasticDepth", "torchvision.ops.FrozenBatchNorm2d"),
    *("timm.layers.DropPath", "timm.layers.LayerNorm2d"),
)

called(*BLOCKS, *MLPS)(sequential)


def make(call: OpCall, what: str | Value, *args: Value, **named: Value) -> Value:
    """A layer of torch.nn by its name, or what calling a given class or function makes."""
    maker = call.run.program.external(f"torch.nn.{what}") if isinstance(what, str) else what
    return invoke(call.run, call.scope, maker, list(args), named, call.node)


def fill(call: OpCall, parts: list[Value] | dict[str, Value]) -> None:
    """Give the module that is made its children."""
    named = {str(i): part for i, part in enumerate(parts)} if isinstance(parts, list) else parts
    layer(call).attrs.update(named)


@constructed(*BLOCKS)
def conv_norm_activation(call: OpCall) -> Value | None:
    """A convolution that keeps the size where its stride is 1, then a normalisation and an activation, or none."""
    obj = layer(call)
    kernel, dilation = given(obj, 2, "kernel_size", 3), given(obj, 8, "dilation", 1)
    padding, bias = given(obj, 4, "padding"), given(obj, 10, "bias")
    norm, activation = given(obj, 6, "norm_layer", ...), given(obj, 7, "activation_layer", ...)
    if is_none(padding):
        size, spread = integer(kernel), integer(dilation)
        padding = Const((size - 1) // 2 * spread) if size is not None and spread is not None else Unknown("padding")
    if is_none(bias):
        bias = Const(is_none(norm))
    axes = "3d" if "3d" in call.name else "2d"
    conv = given(obj, 11, "conv_layer") if call.name == BLOCKS[0] else Const(None)
    outputs = given(obj, 1, "out_channels")
    options = {"dilation": dilation, "groups": given(obj, 5, "groups", 1), "bias": bias}
    first = [given(obj, 0, "in_channels"), outputs, kernel, given(obj, 3, "stride", 1), padding]
    parts = [make(call, f"Conv{axes}" if is_none(conv) else conv, *first, **options)]
    if not is_none(norm):
        parts.append(make(call, f"BatchNorm{axes}" if default(norm) else norm, outputs))
    if not is_none(activation):
        inplace = given(obj, 9, "inplace", True)
        named = {} if is_none(inplace) else {"inplace": inplace}
        parts.append(make(call, "ReLU" if default(activation) else activation, **named))
    fill(call, parts)
    return None


def default(value: Value) -> bool:
    """Was the argument left out?"""
    return isinstance(value, Const) and value.value is ...


@constructed("torchvision.ops.MLP")
def mlp(call: OpCall) -> Value | None:
    """Linear layers with activations and dropout between them."""
    obj = layer(call)
    hidden, norm = given(obj, 1, "hidden_channels"), given(obj, 2, "norm_layer")
    activation, inplace = given(obj, 3, "activation_layer", ...), given(obj, 4, "inplace")
    if not isinstance(hidden, Seq) or not hidden.items:
        fill(call, {"*": Unknown("a list of unknown length")})
        return None
    named = {} if is_none(inplace) else {"inplace": inplace}
    bias, dropout = given(obj, 5, "bias", True), given(obj, 6, "dropout", 0.0)
    parts, before = [], given(obj, 0, "in_channels")
    for index, width in enumerate(hidden.items):
        parts.append(make(call, "Linear", before, width, bias=bias))
        if index < len(hidden.items) - 1:
            parts += [] if is_none(norm) else [make(call, norm, width)]
            parts.append(make(call, "ReLU" if default(activation) else activation, **named))
        parts.append(make(call, "Dropout", dropout, **named))
        before = width
    fill(call, parts)
    return None


@constructed("timm.layers.Mlp")
def timm_mlp(call: OpCall) -> Value | None:
    """Two linear layers, of `in_features`, `hidden_features` and `out_features`."""
    obj = layer(call)
    inputs = given(obj, 0, "in_features")
    hidden, outputs = (
        inputs if is_none(value) else value
        for value in (given(obj, 1, "hidden_features"), given(obj, 2, "out_features"))
    )
    activation, norm, drop = given(obj, 3, "act_layer", ...), given(obj, 4, "norm_layer"), given(obj, 6, "drop", 0.0)
    plain = flag(given(obj, 7, "use_conv", False)) is False
    kind, extra = ("Linear", []) if plain else ("Conv2d", [Const(1)])
    fill(
        call,
        {
            "fc1": make(call, kind, inputs, hidden, *extra),
            "act": make(call, "GELU" if default(activation) else activation),
            "drop1": make(call, "Dropout", drop),
            "norm": make(call, "Identity") if is_none(norm) else make(call, norm, hidden),
            "fc2": make(call, kind, hidden, outputs, *extra),
            "drop2": make(call, "Dropout", drop),
        },
    )
    return None


@constructed(EXCITE)
def squeeze_excitation(call: OpCall) -> Value | None:
    obj = layer(call)
    inputs, squeezed = given(obj, 0, "input_channels"), given(obj, 1, "squeeze_channels")
    activation, scale = given(obj, 2, "activation", ...), given(obj, 3, "scale_activation", ...)
    fill(
        call,
        {
            "avgpool": make(call, "AdaptiveAvgPool2d", Const(1)),
            "fc1": make(call, "Conv2d", inputs, squeezed, Const(1)),
            "fc2": make(call, "Conv2d", squeezed, inputs, Const(1)),
            "activation": make(call, "ReLU" if default(activation) else activation),
            "scale_activation": make(call, "Sigmoid" if default(scale) else scale),
        },
    )
    return None


@called(EXCITE)
def excite(call: OpCall) -> Value | None:
    """Weights for the channels, times the input: its shape stays."""
    array, parts = first_array(call), children(layer(call))
    value: Value | None = array
    for name in ("avgpool", "fc1", "activation", "fc2", "scale_activation"):
        if value is not None and parts is not None and name in parts:
            value = invoke(call.run, call.scope, parts[name], [value], {}, call.node)
    return same(call)


@called(*SAME)
def same(call: OpCall) -> Value | None:
    """The shape of the input stays."""
    array = first_array(call)
    if array is None:
        return nothing(call)
    return made(call, array, shape=array.shape, tail=array.tail, layout=array.layout, channels=array.channels)


@holds(*BLOCKS, *MLPS, EXCITE)
def nothing_itself(obj: Obj) -> Own | list[Slot] | str:
    """Only their children have parameters."""
    return []


@holds("torchvision.ops.FrozenBatchNorm2d")
def frozen(obj: Obj) -> Own | list[Slot] | str:
    width = given(obj, 0, "num_features")
    return [Slot(name, (width,), buffer=True) for name in ("weight", "bias", "running_mean", "running_var")]


@holds("timm.layers.LayerNorm2d")
def norm_2d(obj: Obj) -> Own | list[Slot] | str:
    width, affine = given(obj, 0, "num_channels"), flag(given(obj, 2, "affine", True))
    if affine is None:
        return "`affine` is not known"
    return [Slot(name, (width,)) for name in ("weight", "bias")] if affine else []
