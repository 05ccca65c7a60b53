"""`torch.nn` layers: what they have in common, and what calling one without an entry of its own gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.facts import ImageUse
from trainlint.analysis.parameters import BUFFERS, CAST
from trainlint.analysis.registry import Op, OpCall, alias, called, kind, method
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Place, Seq, Unknown, Value, known
from trainlint.ops.arguments import FLOATS, INTEGERS, dtype_named, given, shape_of

kind("module", "torch.nn.*", "torch.nn.modules.*", "torchvision.ops.*", "timm.layers.*", "timm.models.*")
kind("module", "segmentation_models_pytorch.*", "torch_geometric.nn.*", "torchvision.models.*", "transformers.Auto*")
kind("parameter", "torch.nn.Parameter", "torch.nn.parameter.Parameter")
kind("init", "torch.nn.init.*")
alias(
    "torch.nn.",
    *(
        f"torch.nn.modules.{part}."
        for part in (
            "activation", "batchnorm", "channelshuffle", "container", "distance", "dropout", "flatten", "fold",
            "instancenorm", "lazy", "normalization", "padding", "pixelshuffle", "pooling", "rnn", "sparse",
            "transformer", "upsampling",
        )
    ),
)  # fmt: skip

# the constructor of a layer: what it refuses
CONSTRUCTORS: dict[str, Op] = {}


def constructed(*names: str) -> Callable[[Op], Op]:
    """Register what the constructor of layers requires of its arguments; the layer is `call.receiver`."""

    def register(function: Op) -> Op:
        for name in names:
            CONSTRUCTORS[name] = function
        return function

    return register


@method("module", "__init__")
def construct(call: OpCall) -> Value | None:
    handler = CONSTRUCTORS.get(call.name)
    return handler(call) if handler is not None else None


@called("module")
def any_module(call: OpCall) -> Value | None:
    """A layer without an entry of its own: a tensor with a graph, nothing else known."""
    inner = call.receiver.attrs.get("module") if isinstance(call.receiver, Obj) else None
    if inner is not None:
        # DataParallel and its kin: the wrapped model runs
        return invoke(call.run, call.scope, inner, call.args, call.kwargs, call.node)
    if isinstance(call.receiver, Obj):
        from trainlint.ops import zoo  # which is built from layers

        result = zoo.forward(call, call.receiver)
        if result is not None:
            return result
    return nothing(call)


# what every layer does


def likely(call: OpCall) -> bool:
    return any(isinstance(a, Array) and a.likely for a in call.args)


def device_of(call: OpCall) -> str | None:
    first = call.args[0] if call.args else None
    return first.device if isinstance(first, Array) else None


def first_array(call: OpCall) -> Array | None:
    """The tensor that the layer or function is applied to: its first argument, or `input=`."""
    first = call.args[0] if call.args else call.kwargs.get("input")
    return first if isinstance(first, Array) else None


def layer(call: OpCall) -> Obj:
    """The layer that is called."""
    assert isinstance(call.receiver, Obj)
    return call.receiver


def here(call: OpCall) -> Place:
    """The place that made a value: the layer's own line for an object, else the call."""
    obj = call.receiver
    if isinstance(obj, Obj) and obj.node is not None and obj.file:
        return Place(obj.file, obj.node)
    return call.place


def use(call: OpCall, array: Value, sink: str, wants: dict[str, str]) -> None:
    """Report that an image reaches something with expectations."""
    obj = call.receiver
    maker = Place(obj.file, obj.node) if isinstance(obj, Obj) and obj.node is not None and obj.file else None
    call.run.fact(ImageUse(call.node, call.scope.file, array, sink, wants, call.run.via, maker))


def attached(call: OpCall) -> bool | None:
    """Does a graph hang on the result? A layer's weights have one; a function has what its tensors have."""
    if isinstance(call.receiver, Obj):
        return call.run.grad
    grads = [a.grad for a in (*call.args, *call.kwargs.values()) if isinstance(a, Array)]
    if any(g is True for g in grads):
        return True
    return False if grads and all(g is False for g in grads) else None


def nothing(call: OpCall) -> Array:
    """A tensor with nothing known of its axes: the result where the input does not fit, or is not known."""
    return Array(grad=attached(call), likely=likely(call), device=device_of(call))


def made(call: OpCall, array: Array | None, **fields: Any) -> Array:
    """The output of a layer: a new tensor on the device of its input and with its dtype."""
    if array is not None:
        fields.setdefault("dtype", array.dtype)
        fields.setdefault("origin", array.origin)
    return Array(grad=attached(call), likely=likely(call), device=device_of(call), **fields)


def of_rank(call: OpCall, array: Array, *ranks: int) -> bool:
    """State that the input has one of these numbers of axes; False where it certainly has not."""
    shape = shape_of(array)
    if shape is None:
        return True
    wanted = " or ".join(str(rank) for rank in ranks)
    return call.require(len(shape) in ranks, "rank", array, got=Const(len(shape)), wanted=wanted)


# dtypes of weights


def weights(obj: Obj) -> str | None:
    """The dtype of a layer's weights, None where it is not known."""
    cast = obj.attrs.get(CAST)
    if cast is not None:
        return cast.value if isinstance(cast, Const) else None
    wanted = given(obj, -1, "dtype")
    if isinstance(wanted, Const):
        return "float32" if wanted.value is None else None
    return dtype_named(wanted)


def fits_weights(call: OpCall, array: Array, mixed: frozenset[str] = frozenset()) -> bool:
    """State that the input has the dtype of the layer's weights, or one of those that it takes beside (`mixed`)."""
    mine = weights(layer(call))
    if array.dtype is None:
        return True
    holds: bool | None = None
    if array.dtype in INTEGERS or array.dtype == "bool":
        # whatever the weights were cast to, they are floating point
        holds = False
    elif mine is not None and array.dtype in FLOATS:
        holds = array.dtype == mine or array.dtype in mixed
        if not holds and "float64" not in (array.dtype, mine) and autocast(call):
            holds = None
    return call.require(holds, "dtype", array, got=array.dtype, wanted=mine or "float32")


def autocast(call: OpCall) -> bool:
    """May autocast be in force? It makes half precision and single precision fit."""
    texts = (file.document.text for file in call.run.program.files.values())
    return any(word in text for text in texts for word in ("autocast", "accelerat", "lightning", "precision"))


@method("module", "to", "float", "half", "double", "bfloat16", "type")
def cast(call: OpCall) -> Value | None:
    """Moves and casts give the module itself back; a cast is remembered for its layers."""
    dtype = cast_to(call)
    if call.receiver is not None and dtype is not None:
        mark(call.receiver, dtype, set())
    return call.receiver


NAMED = {"float": "float32", "half": "float16", "double": "float64", "bfloat16": "bfloat16"}


def cast_to(call: OpCall) -> Value | None:
    """The dtype that a call of `to` and its kin gives the weights; None where it leaves them as they are."""
    if call.name in NAMED:
        return Const(NAMED[call.name])
    for value in (*call.args, *(v for k, v in call.kwargs.items() if k not in ("device", "non_blocking"))):
        name = dtype_named(value)
        if name is not None:
            return Const(name)
        if isinstance(value, Array):
            return Const(value.dtype) if value.dtype is not None else Unknown()
        if isinstance(value, Unknown) and not any(word in value.name.lower() for word in ("dev", "gpu", "rank")):
            return Unknown()
    return None


def mark(value: Value, dtype: Value, seen: set[int]) -> None:
    """Remember the dtype on every layer inside a module."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Obj) and value.kind in ("module", "loss", "parameter"):
        value.attrs[CAST] = dtype
        parts: list[Value] = [*value.args, *value.attrs.values()]
    elif isinstance(value, Instance):
        parts = list(value.attrs.values())
    elif isinstance(value, Seq):
        parts = value.items or []
    elif isinstance(value, Mapping):
        parts = list(value.items.values())
    else:
        return
    if isinstance(value, (Obj, Instance)):
        cast_buffers(value, known(dtype))
    for part in parts:
        mark(part, dtype, seen)


def cast_buffers(holder: Obj | Instance, dtype: str | None) -> None:
    """Registered buffers of floating point are cast with the layers."""
    names = known(holder.attrs.get(BUFFERS)) or ()
    for name in names:
        now = holder.attrs.get(name)
        if isinstance(now, Array) and now.dtype in FLOATS:
            holder.attrs[name] = now.but(dtype=dtype)
