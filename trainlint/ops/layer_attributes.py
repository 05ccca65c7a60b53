"""What the layers of `torch.nn` keep of their constructor's arguments: `fc.in_features`, `conv.kernel_size`."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, method
from trainlint.analysis.values import Const, Obj, Seq, Value, is_none
from trainlint.ops.arguments import given

# the names of the arguments in order; those with a default carry it
_RECURRENT: tuple[tuple[str, object], ...] = (
    ("input_size", None), ("hidden_size", None), ("num_layers", 1), ("bias", True), ("batch_first", False),
    ("dropout", 0.0), ("bidirectional", False),
)  # fmt: skip
_NORM: tuple[tuple[str, object], ...] = (("num_features", None), ("eps", 1e-5), ("momentum", 0.1), ("affine", True))
_POOL: tuple[tuple[str, object], ...] = (("kernel_size", None), ("stride", None), ("padding", 0))
KEPT: dict[str, tuple[tuple[str, object], ...]] = {
    "Linear": (("in_features", None), ("out_features", None)),
    "Bilinear": (("in1_features", None), ("in2_features", None), ("out_features", None)),
    "Embedding": (("num_embeddings", None), ("embedding_dim", None), ("padding_idx", None)),
    "EmbeddingBag": (("num_embeddings", None), ("embedding_dim", None)),
    "GroupNorm": (("num_groups", None), ("num_channels", None), ("eps", 1e-5)),
    "LayerNorm": (("normalized_shape", None), ("eps", 1e-5), ("elementwise_affine", True)),
    "MultiheadAttention": (("embed_dim", None), ("num_heads", None)),
    "Dropout": (("p", 0.5),),
    "Dropout2d": (("p", 0.5),),
    **dict.fromkeys(("RNN", "LSTM", "GRU"), _RECURRENT),
    **dict.fromkeys(("RNNCell", "LSTMCell", "GRUCell"), _RECURRENT[:2]),
    **{f"{kind}{n}d": _NORM for kind in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)},
    "SyncBatchNorm": _NORM,
    **{f"MaxPool{n}d": (*_POOL, ("dilation", 1), ("return_indices", False), ("ceil_mode", False)) for n in (1, 2, 3)},
    **{f"AvgPool{n}d": (*_POOL, ("ceil_mode", False), ("count_include_pad", True)) for n in (1, 2, 3)},
}
_WINDOW: tuple[tuple[str, object], ...] = (
    ("in_channels", None), ("out_channels", None), ("kernel_size", None), ("stride", 1), ("padding", 0),
)  # fmt: skip
# arguments that a convolution keeps as one number for each axis
_TUPLES = frozenset({"kernel_size", "stride", "padding", "dilation"})


def argument(call: OpCall) -> Value | None:
    """The argument of that name, or its default."""
    layer, name = call.receiver, call.name.removeprefix(".")
    assert isinstance(layer, Obj)
    names = [known for known, _ in KEPT[layer.name.removeprefix("torch.nn.")]]
    at = names.index(name)
    value = given(layer, at, name, KEPT[layer.name.removeprefix("torch.nn.")][at][1])
    # a window of pooling moves by its own size
    return given(layer, 0, "kernel_size", None) if name == "stride" and (value is None or is_none(value)) else value


def window(call: OpCall) -> Value | None:
    """An argument of a convolution; sizes as tuples, as the layer keeps them."""
    layer, name = call.receiver, call.name.removeprefix(".")
    assert isinstance(layer, Obj)
    transposed = "Transpose" in layer.name
    places = {known: at for at, (known, _) in enumerate(_WINDOW)}
    places |= {"output_padding": 5, "groups": 6, "dilation": 8} if transposed else {"dilation": 5, "groups": 6}
    default = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}.get(name)
    value = given(layer, places[name], name, default)
    if name in _TUPLES and isinstance(value, Const) and isinstance(value.value, int):
        return Seq("tuple", [value] * int(layer.name[-2]))
    return value


for _layer, _names in KEPT.items():
    # what may be assigned later is an attribute then, and found before this
    method(f"torch.nn.{_layer}", *(f".{name}" for name, _ in _names))(argument)
for _n in (1, 2, 3):
    for _layer in (f"Conv{_n}d", f"ConvTranspose{_n}d"):
        _all = (*(name for name, _ in _WINDOW), "dilation", "groups")
        method(f"torch.nn.{_layer}", *(f".{name}" for name in _all))(window)
