"""Recurrent layers: `RNN`, `LSTM`, `GRU` and their cells. Shapes as in torch/nn/modules/rnn.py.

The input is (L, N, H_in), (N, L, H_in) with `batch_first`, or (L, H_in) without a batch; the output has
D · H_out features (D = 2 where bidirectional, H_out = proj_size or hidden_size); every hidden state is
(D · num_layers, N, H).
"""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, axis
from trainlint.analysis.registry import OpCall, called
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, is_none, known, truth

LAYERS = ("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU")
CELLS = ("torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell")


@dataclass(frozen=True, slots=True)
class Recurrent:
    """The constructor arguments of a recurrent layer. `batch_first` is None where it is not known."""

    lstm: bool
    input_size: Value
    hidden_size: Value
    layers: Value
    batch_first: bool | None
    directions: Value
    projection: Value

    @property
    def output_size(self) -> Value:
        """H_out: the projection where there is one."""
        size = known(self.projection)
        return self.hidden_size if size == 0 else self.projection if isinstance(size, int) else Unknown()


def settings(obj: Obj) -> Recurrent:
    """Read the constructor: `RNN(input_size, hidden_size, num_layers, …)` takes a nonlinearity as its fourth."""
    shift = 1 if obj.name.endswith(".RNN") else 0
    both = flag(obj, 6 + shift, "bidirectional")
    return Recurrent(
        obj.name.endswith("LSTM"),
        obj.arg(0, "input_size") or Unknown(),
        obj.arg(1, "hidden_size") or Unknown(),
        obj.arg(2, "num_layers") or Const(1),
        flag(obj, 4 + shift, "batch_first"),
        Unknown() if both is None else Const(2 if both else 1),
        obj.arg(7 + shift, "proj_size") or (Unknown() if obj.spilled else Const(0)),
    )


def flag(obj: Obj, index: int, name: str) -> bool | None:
    """A boolean constructor argument that is False by default, None where it is not known."""
    value = obj.arg(index, name)
    if value is None:
        return None if obj.spilled else False
    return truth(value)


@called(*LAYERS)
def recurrent(call: OpCall) -> Value | None:
    """`output, hidden`, the hidden of an LSTM being the pair (h, c)."""
    obj, value = call.receiver, call.arg(0, "input")
    if not isinstance(obj, Obj):
        return None
    layer = settings(obj)
    array = value if isinstance(value, Array) else Array()
    if not accepted(call, layer, array):
        return Seq("tuple", [Array(grad=call.run.grad), Unknown("hidden")])
    base = Array(dtype=array.dtype, device=array.device, grad=call.run.grad, likely=array.likely)
    output = base.but(
        shape=output_shape(layer, array),
        tail=output_tail(layer, array),
        origin=call.step(obj.name, array),
        vectors="sequence" if layer.batch_first else "token",
    )
    hidden = base.but(shape=hidden_shape(layer, array, layer.output_size))
    if not layer.lstm:
        return Seq("tuple", [output, hidden])
    cell = base.but(shape=hidden_shape(layer, array, layer.hidden_size))
    return Seq("tuple", [output, Seq("tuple", [hidden, cell])])


def accepted(call: OpCall, layer: Recurrent, array: Array) -> bool:
    """What torch checks of the input: its rank, and its last axis against `input_size`."""
    if array.rank is not None and not call.require(
        array.rank in (2, 3), "rank", array, got=Const(array.rank), wanted="2 or 3"
    ):
        return False
    features = axis(array, -1)
    return features is None or call.require(
        dims.same(features, layer.input_size), "features", array, got=features, wanted=layer.input_size
    )


def output_shape(layer: Recurrent, array: Array) -> tuple[Value, ...] | None:
    if array.shape is None:
        return None
    return (*array.shape[:-1], dims.mul(layer.directions, layer.output_size))


def output_tail(layer: Recurrent, array: Array) -> tuple[Value, ...] | None:
    return None if array.shape is not None else (dims.mul(layer.directions, layer.output_size),)


def hidden_shape(layer: Recurrent, array: Array, size: Value) -> tuple[Value, ...] | None:
    """(D · num_layers, N, H), without N for an input without a batch; None where the rank is not known."""
    first = dims.mul(layer.directions, layer.layers)
    if array.shape is None:
        return None
    if len(array.shape) == 2:
        return (first, size)
    batch = Unknown() if layer.batch_first is None else array.shape[0 if layer.batch_first else 1]
    return (first, batch, size)


@called(*CELLS)
def cell(call: OpCall) -> Value | None:
    """One step: (N, H_in) → (N, hidden_size); an LSTM cell gives the pair (h, c)."""
    obj, value = call.receiver, call.arg(0, "input")
    if not isinstance(obj, Obj):
        return None
    array = value if isinstance(value, Array) else Array()
    wanted, hidden = obj.arg(0, "input_size") or Unknown(), obj.arg(1, "hidden_size") or Unknown()
    features = axis(array, -1)
    fits = array.rank is None or call.require(
        array.rank in (1, 2), "rank", array, got=Const(array.rank), wanted="1 or 2"
    )
    if fits and features is not None:
        fits = call.require(dims.same(features, wanted), "features", array, got=features, wanted=wanted)
    shape = (*array.shape[:-1], hidden) if array.shape is not None and fits else None
    result = Array(
        dtype=array.dtype, device=array.device, grad=call.run.grad, likely=array.likely, shape=shape,
        tail=None if shape is not None else (hidden,),
    )  # fmt: skip
    return Seq("tuple", [result, result.but()]) if obj.name.endswith("LSTMCell") else result


@called("torch.nn.MultiheadAttention")
def multihead(call: OpCall) -> Value | None:
    """`output, weights`: the output is like the query; the weights (N, L, S) are averaged over the heads, or None."""
    obj = call.receiver
    query, key = call.arg(0, "query"), call.arg(1, "key")
    if not isinstance(obj, Obj):
        return None
    array = query if isinstance(query, Array) else Array()
    embed = obj.arg(0, "embed_dim") or Unknown()
    features = axis(array, -1)
    unknown = Seq("tuple", [Array(grad=call.run.grad), Unknown("attention weights")])
    if features is not None and not call.require(
        dims.same(features, embed), "features", array, got=features, wanted=embed
    ):
        return unknown
    result = Array(
        dtype=array.dtype, device=array.device, grad=call.run.grad, likely=array.likely, shape=array.shape,
        tail=None if array.shape is not None else (embed,), origin=call.step("`MultiheadAttention`", array),
    )  # fmt: skip
    return Seq("tuple", [result, attention_weights(call, obj, result, key)])


def attention_weights(call: OpCall, obj: Obj, query: Array, key: Value | None) -> Value:
    """The second result of a MultiheadAttention."""
    needed = call.arg(4, "need_weights")
    if needed is not None and truth(needed) is not True:
        return Const(None) if truth(needed) is False else Unknown("attention weights")
    batch_first = flag(obj, 8, "batch_first")
    averaged = call.arg(6, "average_attn_weights")
    heads = obj.arg(1, "num_heads") or Unknown()
    if not isinstance(key, Array) or query.shape is None or key.shape is None or batch_first is None:
        return Array(grad=call.run.grad)
    if len(query.shape) == 2 and len(key.shape) == 2:
        batch: tuple[Value, ...] = ()
        lengths = (query.shape[0], key.shape[0])
    elif len(query.shape) == 3 and len(key.shape) == 3:
        batch = (query.shape[0 if batch_first else 1],)
        lengths = (query.shape[1], key.shape[1]) if batch_first else (query.shape[0], key.shape[0])
    else:
        return Array(grad=call.run.grad)
    split = averaged is not None and truth(averaged) is False
    if averaged is not None and truth(averaged) is None:
        return Array(grad=call.run.grad)
    return query.but(shape=(*batch, *((heads,) if split else ()), *lengths))


@called("torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoderLayer")
def transformer_layer(call: OpCall) -> Value | None:
    """The output is like the input, whose last axis must be `d_model`."""
    obj = call.receiver
    return like_model(call, obj.arg(0, "d_model")) if isinstance(obj, Obj) else None


@called("torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder")
def transformer_stack(call: OpCall) -> Value | None:
    """A stack of equal layers: its first argument is the layer that it copies."""
    obj = call.receiver
    layer = (
        obj.arg(0, "encoder_layer" if call.name.endswith("Encoder") else "decoder_layer")
        if isinstance(obj, Obj)
        else None
    )
    return like_model(call, layer.arg(0, "d_model") if isinstance(layer, Obj) else None)


@called("torch.nn.Transformer")
def transformer(call: OpCall) -> Value | None:
    """(src, tgt) → like tgt."""
    obj, target = call.receiver, call.arg(1, "tgt")
    if not isinstance(obj, Obj):
        return None
    if like_model(call, obj.arg(0, "d_model") or Const(512)) is None:
        return None
    array = target if isinstance(target, Array) else Array()
    return Array(dtype=array.dtype, device=array.device, grad=call.run.grad, shape=array.shape, likely=array.likely)


def like_model(call: OpCall, width: Value | None) -> Value | None:
    """A result of the shape of the first argument, required to end in `width`."""
    value = call.args[0] if call.args else call.kwargs.get("src", call.kwargs.get("tgt"))
    array = value if isinstance(value, Array) else Array()
    features = axis(array, -1)
    if width is None or is_none(width):
        width = Unknown()
    if features is not None and not call.require(
        dims.same(features, width), "features", array, got=features, wanted=width
    ):
        return Array(grad=call.run.grad)
    if array.rank is not None and not call.require(
        array.rank in (2, 3), "rank", array, got=Const(array.rank), wanted="2 or 3"
    ):
        return Array(grad=call.run.grad)
    result = Array(dtype=array.dtype, device=array.device, grad=call.run.grad, likely=array.likely, shape=array.shape)
    result.tail = None if array.shape is not None else (width,)
    result.vectors = array.vectors or "token"
    result.origin = call.step(f"`{call.name.rpartition('.')[2]}`", array)
    return result
