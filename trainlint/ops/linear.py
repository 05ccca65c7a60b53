"""Layers that act on the last axis (Linear, Bilinear) and tables of vectors (Embedding, EmbeddingBag)."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.registry import OpCall, called, op
from trainlint.analysis.values import Const, Unknown, Value, is_none
from trainlint.ops.arguments import flag, given, last, shape_of, size
from trainlint.ops.convolution import same_dtype
from trainlint.ops.layers import constructed, first_array, fits_weights, here, layer, made, nothing, weights


@called("torch.nn.Linear", "torch.nn.LazyLinear")
def linear(call: OpCall) -> Value | None:
    """`(*, in_features)` gives `(*, out_features)`: scores of any sign."""
    obj, array = layer(call), first_array(call)
    lazy = obj.name.endswith("LazyLinear")
    inputs = Unknown() if lazy else size(given(obj, 0, "in_features"))
    outputs = size(given(obj, 0 if lazy else 1, "out_features"))
    if array is None:
        return made(call, None, tail=(outputs,), range="logits", via=here(call))
    if lazy and "[in]" not in obj.attrs:
        obj.attrs["[in]"] = last(array, -1) if not call.run.conds else Unknown()
    if not fits_weights(call, array):
        return nothing(call).but(range="logits", via=here(call))
    return on_last(call, array, inputs, outputs)


def on_last(call: OpCall, array: Array, inputs: Value, outputs: Value | None) -> Array:
    """The last axis, `inputs` long, is replaced by one of `outputs` (None: it goes)."""
    shape = shape_of(array)
    result = {"range": "logits", "via": here(call), "vectors": array.vectors if outputs is not None else None}
    if shape is not None and not call.require(bool(shape), "rank", array, got=Const(0), wanted="at least 1"):
        return nothing(call).but(**result)
    got = last(array, -1)
    flat = dims.product(shape[1:]) if shape is not None and len(shape) > 1 else got
    if not call.require(dims.same(got, inputs), "features", array, got=got, wanted=inputs, flat=flat):
        return nothing(call).but(**result)
    new = () if outputs is None else (outputs,)
    if shape is not None:
        return made(call, array, shape=(*shape[:-1], *new), **result)
    return made(call, array, tail=(*(array.tail or ())[:-1], *new) or None, **result)


@op("torch.nn.functional.linear")
def f_linear(call: OpCall) -> Value | None:
    """`linear(input, weight, bias)`; weight `(out, in)` or `(in,)`."""
    array, weight = first_array(call), call.arg(1, "weight")
    if array is None or not isinstance(weight, Array):
        return nothing(call).but(range="logits", via=here(call))
    shape = weight.shape
    if shape is None or len(shape) not in (1, 2):
        holds = None if shape is None else False
        call.require(holds, "rank", weight, got=Const(len(shape or ())), wanted="1 or 2")
        return nothing(call)
    if not same_dtype(call, array, weight):
        return nothing(call)
    outputs = shape[0] if len(shape) == 2 else None
    result = on_last(call, array, shape[-1], outputs)
    bias = given(call, 2, "bias")
    if isinstance(bias, Array) and bias.shape and outputs is not None and result.shape is not None:
        got = bias.shape[-1]
        holds = True if dims.same(got, Const(1)) else dims.same(got, outputs)
        if not call.require(holds, "features", array, bias, got=got, wanted=outputs):
            return nothing(call)
    return result


@called("torch.nn.Bilinear")
def bilinear(call: OpCall) -> Value | None:
    """`(*, in1)` and `(*, in2)` give `(*, out)`; the leading axes are equal."""
    obj, first, second = layer(call), first_array(call), call.arg(1, "input2")
    outputs = size(given(obj, 2, "out_features"))
    if first is None or not isinstance(second, Array):
        return made(call, None, tail=(outputs,), range="logits", via=here(call))
    for array, at, name in ((first, 0, "in1_features"), (second, 1, "in2_features")):
        got, wanted = last(array, -1), size(given(obj, at, name))
        if not fits_weights(call, array) or not call.require(
            dims.same(got, wanted), "features", array, got=got, wanted=wanted, flat=got
        ):
            return nothing(call)
    if first.shape is not None and second.shape is not None:
        ranks = Const(len(first.shape)), Const(len(second.shape))
        if not call.require(
            len(first.shape) == len(second.shape) > 0, "rank", first, second, got=ranks[1], wanted=ranks[0]
        ):
            return nothing(call)
        for a, b in zip(first.shape[:-1], second.shape[:-1], strict=True):
            if not call.require(dims.same(a, b), "broadcast", first, second, got=b, wanted=a):
                return nothing(call)
    return on_last(call, first, Unknown(), outputs)


# tables


@constructed("torch.nn.Embedding", "torch.nn.EmbeddingBag")
def construct_embedding(call: OpCall) -> Value | None:
    obj = layer(call)
    padding, rows = (
        given(obj, 2 if obj.name.endswith("Embedding") else -1, "padding_idx"),
        size(given(obj, 0, "num_embeddings")),
    )
    if isinstance(padding, Const) and isinstance(padding.value, int):
        holds = dims.at_least(rows, Const(padding.value + 1 if padding.value >= 0 else -padding.value))
        call.require(holds, "argument", what="padding_idx", got=padding, wanted=rows)
    return None


@op("torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained")
def from_table(call: OpCall) -> Value | None:
    """A table with the rows and columns of the tensor that it is made of."""
    table = call.arg(0, "embeddings")
    shape = shape_of(table) if isinstance(table, Array) else None
    rows, columns = shape if shape is not None and len(shape) == 2 else (Unknown(), Unknown())
    maker = call.run.program.external(call.name.removesuffix(".from_pretrained"))
    return invoke(call.run, call.scope, maker, [rows, columns], {}, call.node)


@called("torch.nn.Embedding")
def embedding(call: OpCall) -> Value | None:
    """Indices of any shape give that shape with the vectors as a last axis."""
    obj, array = layer(call), first_array(call)
    width = size(given(obj, 1, "embedding_dim"))
    rows = size(given(obj, 0, "num_embeddings"))
    return looked_up(call, array, rows, width, weights(obj))


def looked_up(call: OpCall, array: Array | None, rows: Value, width: Value, dtype: str | None) -> Array:
    if array is None:
        return made(call, None, tail=(width,), dtype=dtype, vectors="token")
    if not indices(call, array, rows):
        return nothing(call)
    shape = array.shape
    if shape is not None:
        return made(call, array, shape=(*shape, width), dtype=dtype, vectors="token")
    return made(call, array, tail=(*(array.tail or ()), width), dtype=dtype, vectors="token")


def indices(call: OpCall, array: Array, rows: Value) -> bool:
    """State that the indices are 32- or 64-bit integers below the number of rows."""
    holds = None if array.dtype is None else array.dtype in ("int64", "int32")
    if not call.require(holds, "dtype", array, got=array.dtype or "", wanted="int64"):
        return False
    bounds = array.bounds
    some = array.shape is not None and dims.at_least(dims.product(array.shape), Const(1)) is True
    if bounds is None or not some:
        return True
    # what a random draw may give it gives sooner or later
    proof = array if bounds.certain else array.but(likely=True)
    fits = dims.at_least(dims.sub(rows, Const(1)), bounds.high)
    if not call.require(fits, "embedding", proof, got=bounds.high, wanted=rows):
        return False
    return call.require(dims.at_least(bounds.low, Const(0)), "embedding", proof, got=bounds.low, wanted=rows)


@op("torch.nn.functional.embedding")
def f_embedding(call: OpCall) -> Value | None:
    """`embedding(input, weight)`; weight `(rows, width)`."""
    weight = call.arg(1, "weight")
    if not isinstance(weight, Array):
        return nothing(call)
    return looked_up(call, first_array(call), last(weight, -2), last(weight, -1), weight.dtype)


@called("torch.nn.EmbeddingBag")
def embedding_bag(call: OpCall) -> Value | None:
    """`(B, L)` gives `(B, width)`; a flat input comes with the offsets of its bags."""
    obj, array = layer(call), first_array(call)
    width, rows = size(given(obj, 1, "embedding_dim")), size(given(obj, 0, "num_embeddings"))
    dtype = weights(obj)
    if array is None:
        return made(call, None, shape=(Unknown(), width), dtype=dtype)
    if not indices(call, array, rows):
        return nothing(call)
    offsets = given(call, 1, "offsets")
    shape = array.shape
    if shape is None:
        return made(call, array, shape=(Unknown(), width), dtype=dtype)
    if not call.require(len(shape) in (1, 2), "rank", array, got=Const(len(shape)), wanted="1 or 2"):
        return nothing(call)
    if len(shape) == 2:
        holds = True if is_none(offsets) else False if isinstance(offsets, Array) else None
        if not call.require(holds, "argument", array, what="offsets", got="offsets with an input of two axes"):
            return nothing(call)
        return made(call, array, shape=(shape[0], width), dtype=dtype)
    if not call.require(not is_none(offsets), "argument", array, what="offsets", got="no offsets"):
        return nothing(call)
    bags = last(offsets, -1) if isinstance(offsets, Array) else Unknown()
    closing = flag(given(obj, -1, "include_last_offset", False))
    bags = dims.sub(bags, Const(1)) if closing else bags if closing is False else Unknown()
    return made(call, array, shape=(bags, width), dtype=dtype)


@called("torch.nn.CosineSimilarity", "torch.nn.PairwiseDistance")
def distance(call: OpCall) -> Value | None:
    """One number for each pair of vectors: an axis goes (`dim`, the last for distances)."""
    first, second = first_array(call), call.arg(1, "x2")
    if first is None or not isinstance(second, Array) or first.shape is None or second.shape is None:
        return nothing(call)
    obj = layer(call)
    at = given(obj, 0, "dim", 1) if obj.name.endswith("CosineSimilarity") else Const(-1)
    keep = flag(given(obj, 2, "keepdim", False)) if obj.name.endswith("PairwiseDistance") else False
    same = len(first.shape) == len(second.shape) and all(
        dims.same(a, b) is True for a, b in zip(first.shape, second.shape, strict=True)
    )
    number = at.value if isinstance(at, Const) else None
    if not same or not isinstance(number, int) or keep is None or not -len(first.shape) <= number < len(first.shape):
        return nothing(call)
    shape = list(first.shape)
    shape[number : (number + 1) or None] = [Const(1)] if keep else []
    return made(call, first, shape=tuple(shape))
