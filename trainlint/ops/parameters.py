"""What the layers of `torch.nn` hold: parameters and buffers with the names and shapes of PyTorch's constructors."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from typing import Any

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.parameters import Own, Slot, holdings, holds
from trainlint.analysis.registry import OpCall, method, op
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Unknown, Value, is_none
from trainlint.ops.arguments import flag, given, integer, size, sizes
from trainlint.ops.convolution import LAZY, LAZY_TRANSPOSED, PLAIN, TRANSPOSED, axes_of, channels_of, geometry
from trainlint.ops.layers import weights
from trainlint.ops.norms import BATCH, INSTANCE
from trainlint.ops.zoo import MARK

# layers without parameters and buffers of their own
EMPTY = (
    *("Sequential", "ModuleList", "ModuleDict", "Module", "Container", "Identity", "DataParallel"),
    *("Flatten", "Unflatten", "Fold", "Unfold", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"),
    *("PixelShuffle", "PixelUnshuffle", "ChannelShuffle", "CosineSimilarity", "PairwiseDistance"),
    *("LocalResponseNorm", "CrossMapLRN2d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"),
    *("FractionalMaxPool2d", "FractionalMaxPool3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d"),
    *(f"{kind}Pool{n}d" for kind in ("Max", "Avg", "LP", "AdaptiveMax", "AdaptiveAvg") for n in (1, 2, 3)),
    *(f"{kind}Pad{n}d" for kind in ("Reflection", "Replication", "Constant", "Circular") for n in (1, 2, 3)),
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
    *("ReLU", "ReLU6", "LeakyReLU", "RReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Hardtanh", "Hardswish"),
    *("Hardsigmoid", "Hardshrink", "Softshrink", "Tanhshrink", "Tanh", "Sigmoid", "LogSigmoid", "Softplus", "Softsign"),
    *("Softmax", "Softmin", "Softmax2d", "LogSoftmax", "GLU", "Threshold"),
    *("L1Loss", "MSELoss", "CTCLoss", "PoissonNLLLoss", "GaussianNLLLoss", "KLDivLoss", "HingeEmbeddingLoss"),
    *("MultiLabelMarginLoss", "HuberLoss", "SmoothL1Loss", "SoftMarginLoss", "CosineEmbeddingLoss"),
    *("MarginRankingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"),
)  # fmt: skip
# losses → the positions of the tensors they keep as buffers
WEIGHTED = {
    "CrossEntropyLoss": {"weight": 0},
    "NLLLoss": {"weight": 0},
    "NLLLoss2d": {"weight": 0},
    "BCELoss": {"weight": 0},
    "BCEWithLogitsLoss": {"weight": 0, "pos_weight": 4},
    "MultiLabelSoftMarginLoss": {"weight": 0},
    "MultiMarginLoss": {"weight": 2},
}
REPARAMETRIZED = "[reparametrized]"


def tensors(obj: Obj, shapes: abc.Mapping[str, tuple[Value, ...] | None]) -> list[Slot]:
    dtype = weights(obj)
    return [Slot(name, shape, dtype) for name, shape in shapes.items()]


def wanted(value: Value, what: str) -> bool | str:
    """A flag, or why it is not known."""
    found = flag(value)
    return f"`{what}` is not known" if found is None else found


@holds(*(f"torch.nn.{name}" for name in EMPTY))
def nothing(obj: Obj) -> list[Slot] | str:
    # a part of a named model whose class is not in the tables is made as a bare `Module`
    unknown = obj.name == "torch.nn.Module" and MARK in obj.attrs
    return "its class is not in the tables" if unknown else kept(obj) or []


@holds(
    "timm.layers.DropPath",
    "timm.models.layers.DropPath",
    "timm.layers.drop.DropPath",
    "torchvision.ops.StochasticDepth",
    "torchvision.ops.DropBlock2d",
    "torchvision.ops.Permute",
    "einops.layers.torch.Rearrange",
    "einops.layers.torch.Reduce",
)
def bare(obj: Obj) -> Own:
    """Layers of other libraries without parameters, known to the last part."""
    return Own([], whole=True)


@holds(
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.parallel.DataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
    "torch.distributed.fsdp.FullyShardedDataParallel",
    "apex.parallel.DistributedDataParallel",
)
def wrapper(obj: Obj) -> list[Slot] | str:
    return [] if "module" in obj.attrs else "the wrapped module is not known"


def kept(obj: Obj) -> str:
    """Why a layer does not hold what its constructor made: `weight_norm` and its kin."""
    changed = obj.attrs.get(REPARAMETRIZED)
    return f"`{changed.value}` changes its parameters" if isinstance(changed, Const) else ""


@holds(*PLAIN, *LAZY, *TRANSPOSED, *LAZY_TRANSPOSED)
def convolution(obj: Obj) -> list[Slot] | str:
    """`weight` (out, in / groups, *kernel), transposed (in, out / groups, *kernel); `bias` (out)."""
    if kept(obj):
        return kept(obj)
    lazy, turned = ".Lazy" in obj.name, "ConvTranspose" in obj.name
    bias = wanted(given(obj, (4 if lazy else 5) + (2 if turned else 1), "bias", True), "bias")
    if isinstance(bias, str):
        return bias
    window, (inputs, outputs) = geometry(obj), channels_of(obj)
    kernel = window.kernel if window.kernel is not None else [Unknown()] * axes_of(obj.name)
    first, second = (inputs, outputs) if turned else (outputs, inputs)
    weight = (first, dims.floordiv(second, window.groups), *kernel)
    return tensors(obj, {"weight": weight} | ({"bias": (outputs,)} if bias else {}))


@holds("torch.nn.Linear", "torch.nn.LazyLinear", "torch.nn.modules.linear.NonDynamicallyQuantizableLinear")
def linear(obj: Obj) -> list[Slot] | str:
    """`weight` (out, in), `bias` (out)."""
    if kept(obj):
        return kept(obj)
    lazy = obj.name.endswith("LazyLinear")
    inputs = obj.attrs.get("[in]", Unknown()) if lazy else size(given(obj, 0, "in_features"))
    outputs = size(given(obj, 0 if lazy else 1, "out_features"))
    bias = wanted(given(obj, 1 if lazy else 2, "bias", True), "bias")
    if isinstance(bias, str):
        return bias
    return tensors(obj, {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {}))


@holds("torch.nn.Bilinear")
def bilinear(obj: Obj) -> list[Slot] | str:
    first, second, outputs = (
        size(given(obj, i, n)) for i, n in enumerate(("in1_features", "in2_features", "out_features"))
    )
    bias = wanted(given(obj, 3, "bias", True), "bias")
    if isinstance(bias, str):
        return bias
    return tensors(obj, {"weight": (outputs, first, second)} | ({"bias": (outputs,)} if bias else {}))


@holds("torch.nn.Embedding", "torch.nn.EmbeddingBag")
def embedding(obj: Obj) -> list[Slot] | str:
    """`weight` (rows, width)."""
    if kept(obj):
        return kept(obj)
    return tensors(obj, {"weight": (size(given(obj, 0, "num_embeddings")), size(given(obj, 1, "embedding_dim")))})


@holds("torch.nn.PReLU")
def prelu(obj: Obj) -> list[Slot] | str:
    return tensors(obj, {"weight": (size(given(obj, 0, "num_parameters", 1)),)})


@holds(*BATCH, *INSTANCE)
def running(obj: Obj) -> list[Slot] | str:
    """`weight` and `bias` where affine; the running statistics, which are buffers, where they are tracked."""
    lazy, default = ".Lazy" in obj.name, obj.name in BATCH
    shift = 1 if lazy else 0
    features = obj.attrs.get("[in]", Unknown()) if lazy else size(given(obj, 0, "num_features"))
    affine = wanted(given(obj, 3 - shift, "affine", default), "affine")
    tracked = wanted(given(obj, 4 - shift, "track_running_stats", default), "track_running_stats")
    bias = wanted(given(obj, -1, "bias", True), "bias")
    for answer in (affine, tracked, bias):
        if isinstance(answer, str):
            return answer
    dtype, slots = weights(obj), []
    if affine:
        slots += [Slot("weight", (features,), dtype)] + ([Slot("bias", (features,), dtype)] if bias else [])
    if tracked:
        slots += [Slot(name, (features,), dtype, buffer=True) for name in ("running_mean", "running_var")]
        slots.append(Slot("num_batches_tracked", (), "int64", buffer=True))
    return slots


@holds("torch.nn.GroupNorm")
def group_norm(obj: Obj) -> list[Slot] | str:
    return affine(
        obj, (size(given(obj, 1, "num_channels")),), given(obj, 3, "affine", True), given(obj, -1, "bias", True)
    )


@holds("torch.nn.LayerNorm")
def layer_norm(obj: Obj) -> list[Slot] | str:
    shape = sizes(given(obj, 0, "normalized_shape"))
    whole = tuple(shape) if shape is not None else None
    return affine(obj, whole, given(obj, 2, "elementwise_affine", True), given(obj, 3, "bias", True))


@holds("torch.nn.RMSNorm")
def rms_norm(obj: Obj) -> list[Slot] | str:
    shape = sizes(given(obj, 0, "normalized_shape"))
    whole = tuple(shape) if shape is not None else None
    return affine(obj, whole, given(obj, 2, "elementwise_affine", True), Const(False))


def affine(obj: Obj, shape: tuple[Value, ...] | None, scaled: Value, shifted: Value) -> list[Slot] | str:
    scale, bias = wanted(scaled, "affine"), wanted(shifted, "bias")
    if isinstance(scale, str) or isinstance(bias, str):
        return scale if isinstance(scale, str) else str(bias)
    return tensors(obj, {name: shape for name in ("weight", "bias") if scale and (bias or name == "weight")})


# recurrent layers


@holds("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU")
def recurrent(obj: Obj) -> list[Slot] | str:
    """`weight_ih_l0` (gates · hidden, in), `weight_hh_l0` (gates · hidden, projection or hidden), … a layer and way."""
    at = 4 if obj.name.endswith(".RNN") and len(obj.args) > 3 else 3
    layers = integer(given(obj, 2, "num_layers", 1))
    bias, both = (
        wanted(given(obj, at, "bias", True), "bias"),
        wanted(given(obj, at + 3, "bidirectional", False), "bidirectional"),
    )
    if layers is None or isinstance(bias, str) or isinstance(both, str):
        return (
            "the number of its layers is not known" if layers is None else bias if isinstance(bias, str) else str(both)
        )
    inputs, hidden = size(given(obj, 0, "input_size")), size(given(obj, 1, "hidden_size"))
    projection = given(obj, at + 4, "proj_size", 0)
    projected = integer(projection) != 0
    output = size(projection) if projected else hidden
    gates = dims.mul(Const({"RNN": 1, "GRU": 3, "LSTM": 4}[obj.name.rpartition(".")[2]]), hidden)
    shapes: dict[str, tuple[Value, ...] | None] = {}
    for number in range(min(layers, 256)):
        below = inputs if number == 0 else dims.mul(output, Const(2 if both else 1))
        for way in ("", "_reverse") if both else ("",):
            end = f"l{number}{way}"
            shapes |= {f"weight_ih_{end}": (gates, below), f"weight_hh_{end}": (gates, output)}
            shapes |= {f"bias_ih_{end}": (gates,), f"bias_hh_{end}": (gates,)} if bias else {}
            shapes |= {f"weight_hr_{end}": (output, hidden)} if projected else {}
    return tensors(obj, shapes)


@holds("torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell")
def cell(obj: Obj) -> list[Slot] | str:
    inputs, hidden = size(given(obj, 0, "input_size")), size(given(obj, 1, "hidden_size"))
    bias = wanted(given(obj, 2, "bias", True), "bias")
    if isinstance(bias, str):
        return bias
    gates = dims.mul(Const({"RNNCell": 1, "GRUCell": 3, "LSTMCell": 4}[obj.name.rpartition(".")[2]]), hidden)
    shapes: dict[str, tuple[Value, ...] | None] = {"weight_ih": (gates, inputs), "weight_hh": (gates, hidden)}
    return tensors(obj, shapes | ({"bias_ih": (gates,), "bias_hh": (gates,)} if bias else {}))


# attention


@holds("torch.nn.MultiheadAttention")
def attention(obj: Obj) -> list[Slot] | str:
    """One projection for query, key and value where they are equally wide, else three."""
    width = size(given(obj, 0, "embed_dim"))
    others = [given(obj, at, name) for at, name in ((6, "kdim"), (7, "vdim"))]
    bias, extra = (
        wanted(given(obj, 3, "bias", True), "bias"),
        wanted(given(obj, 4, "add_bias_kv", False), "add_bias_kv"),
    )
    if isinstance(bias, str) or isinstance(extra, str):
        return bias if isinstance(bias, str) else str(extra)
    keys, values = (width if is_none(v) else size(v) for v in others)
    equal = [dims.same(v, width) for v in (keys, values)]
    if None in equal and False not in equal:
        return "`kdim` or `vdim` is not known"
    triple = dims.mul(Const(3), width)
    shapes: dict[str, tuple[Value, ...] | None]
    if all(equal):
        shapes = {"in_proj_weight": (triple, width)}
    else:
        shapes = {"q_proj_weight": (width, width), "k_proj_weight": (width, keys), "v_proj_weight": (width, values)}
    shapes |= {"in_proj_bias": (triple,)} if bias else {}
    shapes |= {"bias_k": (Const(1), Const(1), width), "bias_v": (Const(1), Const(1), width)} if extra else {}
    shapes |= {"out_proj.weight": (width, width)} | ({"out_proj.bias": (width,)} if bias else {})
    return tensors(obj, shapes)


def self_attention(name: str, width: Value, bias: bool) -> Iterator[tuple[str, tuple[Value, ...]]]:
    triple = dims.mul(Const(3), width)
    yield f"{name}.in_proj_weight", (triple, width)
    if bias:
        yield f"{name}.in_proj_bias", (triple,)
    yield f"{name}.out_proj.weight", (width, width)
    if bias:
        yield f"{name}.out_proj.bias", (width,)


def transformer_shapes(width: Value, inner: Value, bias: bool, decoder: bool) -> dict[str, tuple[Value, ...] | None]:
    """The tensors of one encoder or decoder layer."""
    shapes = dict(self_attention("self_attn", width, bias))
    if decoder:
        shapes |= dict(self_attention("multihead_attn", width, bias))
    shapes |= {"linear1.weight": (inner, width), "linear2.weight": (width, inner)}
    norms = ("norm1", "norm2", "norm3") if decoder else ("norm1", "norm2")
    shapes |= {f"{norm}.weight": (width,) for norm in norms}
    if bias:
        shapes |= {"linear1.bias": (inner,), "linear2.bias": (width,)} | {f"{norm}.bias": (width,) for norm in norms}
    return dict(shapes)


@holds("torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoderLayer")
def transformer_layer(obj: Obj) -> list[Slot] | str:
    width, inner = size(given(obj, 0, "d_model")), size(given(obj, 2, "dim_feedforward", 2048))
    bias = wanted(given(obj, 8, "bias", True), "bias")
    if isinstance(bias, str):
        return bias
    return tensors(obj, transformer_shapes(width, inner, bias, "Decoder" in obj.name))


@holds("torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder")
def transformer_stack(obj: Obj) -> list[Slot] | str:
    """So many copies of the layer that it is given, and the norm behind them."""
    layer = given(obj, 0, "encoder_layer" if "Encoder" in obj.name else "decoder_layer")
    number, norm = integer(given(obj, 1, "num_layers")), given(obj, 2, "norm")
    if number is None:
        return "the number of its layers is not known"
    one = holdings(layer)
    if one.unknown or not one.tensors:
        return next(iter(one.unknown.values()), "its layer is not known")
    slots = [
        Slot(f"layers.{index}.{held.name}", held.shape, held.dtype, held.buffer, count=held.count)
        for index in range(min(number, 256))
        for held in one.tensors
    ]
    if is_none(norm):
        return slots
    last = holdings(norm)
    if last.unknown or isinstance(norm, Unknown):
        return next(iter(last.unknown.values()), "its `norm` is not known")
    # the norm is no copy: a name of its own may lead to it
    return slots + [
        Slot(f"norm.{h.name}", h.shape, h.dtype, h.buffer, count=h.count, key=(id(norm), h.name)) for h in last.tensors
    ]


@holds("torch.nn.Transformer")
def transformer(obj: Obj) -> list[Slot] | str:
    width, inner = size(given(obj, 0, "d_model", 512)), size(given(obj, 4, "dim_feedforward", 2048))
    numbers = [integer(given(obj, at, name, 6)) for at, name in ((2, "num_encoder_layers"), (3, "num_decoder_layers"))]
    bias = wanted(given(obj, 12, "bias", True), "bias")
    if None in numbers or isinstance(bias, str):
        return bias if isinstance(bias, str) else "the number of its layers is not known"
    if not is_none(given(obj, 7, "custom_encoder")) or not is_none(given(obj, 8, "custom_decoder")):
        return "it is built from other parts"
    shapes: dict[str, tuple[Value, ...] | None] = {}
    for part, number in zip(("encoder", "decoder"), numbers, strict=True):
        one = transformer_shapes(width, inner, bias, part == "decoder")
        shapes |= {
            f"{part}.layers.{i}.{name}": shape for i in range(min(number or 0, 256)) for name, shape in one.items()
        }
        shapes |= {f"{part}.norm.weight": (width,)} | ({f"{part}.norm.bias": (width,)} if bias else {})
    return tensors(obj, shapes)


# lists of parameters, and losses


@holds("torch.nn.ParameterList")
def parameter_list(obj: Obj) -> list[Slot] | str:
    found = obj.attrs.get("[items]")
    if found is None:
        found = given(obj, 0, "values")
    if is_none(found):
        return []
    if not isinstance(found, Seq) or found.items is None:
        return "its parameters are not all known"
    return list(parts(enumerate(found.items)))


@holds("torch.nn.ParameterDict")
def parameter_dict(obj: Obj) -> list[Slot] | str:
    found = given(obj, 0, "parameters")
    if not isinstance(found, Mapping) or found.open or not found.items:
        return "its parameters are not all known"
    return list(parts(found.items.items()))


def parts(named: Any) -> Iterator[Slot]:
    for name, value in named:
        data = value.arg(0, "data") if isinstance(value, Obj) and value.kind == "parameter" else None
        shape, dtype = (data.shape, data.dtype) if isinstance(data, Array) else (None, None)
        yield Slot(str(name), shape, dtype)


@method("torch.nn.ParameterList", "append", "extend")
def append_parameter(call: OpCall) -> Value | None:
    """The list grows; in a branch or a loop of unknown length it is not known by how much."""
    obj, added = call.receiver, call.args[0] if call.args else None
    if not isinstance(obj, Obj) or added is None:
        return None
    before = obj.attrs.get("[items]", given(obj, 0, "values"))
    known = [] if is_none(before) else before.items if isinstance(before, Seq) else None
    more = [added] if call.name == "append" else added.items if isinstance(added, Seq) else None
    call.run.touch(obj, "[items]")
    if known is None or more is None or obj.born < call.run.floor:
        obj.attrs["[items]"] = Unknown("parameters")
    else:
        obj.attrs["[items]"] = Seq("list", [*known, *more])
    return obj


@holds(*(f"torch.nn.{name}" for name in WEIGHTED))
def weighted_loss(obj: Obj) -> list[Slot] | str:
    """The class weights are a buffer where they are given."""
    slots = []
    for name, at in WEIGHTED[obj.name.rpartition(".")[2]].items():
        value = given(obj, at, name)
        if isinstance(value, Array):
            slots.append(Slot(name, value.shape, value.dtype, buffer=True))
        elif not is_none(value):
            slots.append(Slot(name, None, None, buffer=True))
    return slots


@op(
    "torch.nn.utils.weight_norm",
    "torch.nn.utils.spectral_norm",
    "torch.nn.utils.parametrizations.spectral_norm",
    "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.orthogonal",
)
def reparametrized(call: OpCall) -> Value | None:
    """The same layer; other tensors stand for its weight."""
    layer = call.arg(0, "module")
    if isinstance(layer, Obj):
        call.run.touch(layer, REPARAMETRIZED)
        layer.attrs[REPARAMETRIZED] = Const(call.name.rpartition(".")[2])
    return layer
