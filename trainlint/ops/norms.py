"""Normalisation layers: they keep the shape, and require the channels or the last axes they were built for."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, called, op
from trainlint.analysis.values import Const, Obj, Unknown, Value, is_none
from trainlint.ops.arguments import FLOATS, flag, given, integer, last, shape_of, size, sizes
from trainlint.ops.convolution import same_dtype
from trainlint.ops.layers import attached, constructed, first_array, fits_weights, layer, made, nothing, of_rank, use

BATCH = {
    "torch.nn.BatchNorm1d": (2, 3),
    "torch.nn.BatchNorm2d": (4,),
    "torch.nn.BatchNorm3d": (5,),
    "torch.nn.SyncBatchNorm": tuple(range(2, 12)),
    "torch.nn.LazyBatchNorm1d": (2, 3),
    "torch.nn.LazyBatchNorm2d": (4,),
    "torch.nn.LazyBatchNorm3d": (5,),
}
INSTANCE = {f"torch.nn.{lazy}InstanceNorm{n}d": n for n in (1, 2, 3) for lazy in ("", "Lazy")}
IMAGES = ("torch.nn.BatchNorm2d", "torch.nn.InstanceNorm2d", "torch.nn.SyncBatchNorm")
# statistics are kept in single precision, half precision is taken beside it
HALF = frozenset({"float16", "bfloat16"})


def normed(call: OpCall, array: Array) -> Array:
    return array.but(grad=attached(call), range=None, colour=None)


def image(call: OpCall, array: Array) -> None:
    if call.name in IMAGES:
        use(call, array, f"`{call.name.rpartition('.')[2]}`", {"layout": "CHW"})


def with_rank(array: Array, rank: int, at: int, channels: Value) -> Array:
    """An input of unknown rank after a layer that takes only one: `rank` axes, the one at `at` of size `channels`."""
    if shape_of(array) is not None:
        return array
    tail = array.tail or ()
    known: list[Value] = [Unknown() for _ in range(rank)]
    known[rank - len(tail) :] = tail[-rank:]
    if integer(known[at]) is None:
        known[at] = channels
    return array.but(shape=tuple(known))


def floating(call: OpCall, array: Array) -> bool:
    """State that the input is floating point."""
    integral = array.dtype is not None and (array.dtype.startswith(("int", "uint")) or array.dtype == "bool")
    return call.require(not integral, "dtype", array, got=array.dtype or "", wanted="float32")


@called(*BATCH)
def batch_norm(call: OpCall) -> Value | None:
    """Axis 1 has `num_features` channels, unless there are neither weights nor running statistics."""
    obj, array = layer(call), first_array(call)
    lazy = ".Lazy" in obj.name
    features = Unknown() if lazy else size(given(obj, 0, "num_features"))
    ranks = BATCH[obj.name]
    if array is None:
        if len(ranks) > 1:
            return made(call, None)
        return with_rank(made(call, None), ranks[0], 1, features)
    image(call, array)
    if len(ranks) == 1:
        if array.tail is not None and len(array.tail) > ranks[0]:
            return nothing(call)
        array = with_rank(array, ranks[0], 1, Unknown())
    if not of_rank(call, array, *ranks):
        return nothing(call)
    shift = 1 if lazy else 0
    affine = flag(given(obj, 3 - shift, "affine", True))
    tracks = flag(given(obj, 4 - shift, "track_running_stats", True))
    got = channels_of(array, ranks)
    if lazy and "[in]" not in obj.attrs:
        obj.attrs["[in]"] = got if not call.run.conds else Unknown()
    if affine or tracks:
        fits = fits_weights(call, array, HALF)
        if not fits or not call.require(dims.same(got, features), "channels", array, got=got, wanted=features):
            return nothing(call)
        if integer(got) is None and array.shape is not None and affine is not None:
            array = array.but(shape=(array.shape[0], features if not lazy else got, *array.shape[2:]))
    elif not floating(call, array):
        return nothing(call)
    if not trains(call) or more_than_one(call, obj, array):
        return normed(call, array)
    return nothing(call)


def trains(call: OpCall) -> bool:
    """Is the layer in train mode for certain, in a loop that learns?

    The last `train()` or `eval()` counts, whichever model it was called on.
    """
    if not call.run.loops or not call.run.grad or call.run.frames[-1].function == "":
        return False
    modes = [event for event in call.run.trace.events if event.kind in ("train_mode", "eval_mode")]
    if not modes:
        return True
    value = modes[-1].value
    return modes[-1].kind == "train_mode" and (value is None or (isinstance(value, Const) and value.value is True))


def more_than_one(call: OpCall, obj: Obj, array: Array) -> bool:
    """State that each channel has more than one value, as `_verify_batch_size` of torch.nn.functional does."""
    if array.shape is None:
        return True
    sizes = [dims.usual(axis) for axis in (array.shape[0], *array.shape[2:])]
    # the batch of a loader is a symbol: with a batch size of one it is never anything else
    holds = False if sizes == [1] * len(sizes) else None
    batch = array.shape[0]
    return call.require(holds, "single", array, got=batch, op=obj.name.rpartition(".")[2])


def channels_of(array: Array, ranks: tuple[int, ...]) -> Value:
    """Axis 1 where it can be found."""
    shape = shape_of(array)
    if shape is not None and len(shape) > 1:
        return shape[1]
    if shape is None and len(ranks) == 1:
        return last(array, 1 - ranks[0])
    return Unknown()


@called(*INSTANCE)
def instance_norm(call: OpCall) -> Value | None:
    """Channels are compared only where there are weights or running statistics; a single value has no variance."""
    obj, array = layer(call), first_array(call)
    n, lazy = INSTANCE[obj.name], ".Lazy" in obj.name
    if array is None:
        return made(call, None)
    image(call, array)
    features = Unknown() if lazy else size(given(obj, 0, "num_features"))
    shift = 1 if lazy else 0
    affine = flag(given(obj, 3 - shift, "affine", False))
    tracks = flag(given(obj, 4 - shift, "track_running_stats", False))
    if not of_rank(call, array, n + 1, n + 2):
        return nothing(call)
    got = last(array, -n - 1)
    if affine is not None:
        fits = fits_weights(call, array, HALF) if affine else floating(call, array)
        if not fits:
            return nothing(call)
    if (affine or tracks) and not call.require(dims.same(got, features), "channels", array, got=got, wanted=features):
        return nothing(call)
    count = dims.product([last(array, at) for at in range(-n, 0)])
    if tracks is False and not several(call, array, count):
        return nothing(call)
    return normed(call, array)


def several(call: OpCall, array: Array, count: Value) -> bool:
    """State that there is more than one value to normalise over."""
    holds = None if integer(count) is None else integer(count) != 1
    return call.require(holds, "kernel", array, got=count, wanted=Const(2), what="values to normalise over")


@constructed("torch.nn.GroupNorm")
def construct_group_norm(call: OpCall) -> Value | None:
    obj = layer(call)
    groups, channels = size(given(obj, 0, "num_groups")), size(given(obj, 1, "num_channels"))
    call.require(dims.divisible(channels, groups), "argument", what="num_channels", got=channels, wanted=groups)
    return None


@called("torch.nn.GroupNorm")
def group_norm(call: OpCall) -> Value | None:
    obj, array = layer(call), first_array(call)
    if array is None:
        return made(call, None)
    groups, channels = size(given(obj, 0, "num_groups")), size(given(obj, 1, "num_channels"))
    affine = flag(given(obj, 3, "affine", True))
    return grouped(call, array, groups, channels if affine else None, affine is not None)


def grouped(call: OpCall, array: Array, groups: Value, channels: Value | None, weighted: bool = True) -> Array:
    """`channels` is what the weights have, None where there are none."""
    shape = shape_of(array)
    if shape is None:
        return normed(call, array)
    if not call.require(len(shape) >= 2, "rank", array, got=Const(len(shape)), wanted="at least 2"):
        return nothing(call)
    got = shape[1]
    if channels is not None:
        holds = dims.same(got, channels)
        if not fits_own_weights(call, array) or not call.require(holds, "channels", array, got=got, wanted=channels):
            return nothing(call)
    elif weighted and not floating(call, array):
        return nothing(call)
    if not call.require(dims.divisible(got, groups), "channels", array, got=got, wanted=groups, what="groups"):
        return nothing(call)
    count = dims.product([shape[0], dims.floordiv(got, groups), *shape[2:]])
    return normed(call, array) if several(call, array, count) else nothing(call)


def fits_own_weights(call: OpCall, array: Array) -> bool:
    return not isinstance(call.receiver, Obj) or fits_weights(call, array, HALF)


@op("torch.nn.functional.group_norm", "torch.group_norm")
def f_group_norm(call: OpCall) -> Value | None:
    """`group_norm(input, num_groups, weight, bias)`."""
    array = first_array(call)
    if array is None:
        return None
    weight = given(call, 2, "weight")
    channels = last(weight, -1) if isinstance(weight, Array) else None
    return grouped(call, array, size(given(call, 1, "num_groups")), channels, False)


@called("torch.nn.LayerNorm", "torch.nn.RMSNorm")
def layer_norm(call: OpCall) -> Value | None:
    """The last axes are `normalized_shape`."""
    obj, array = layer(call), first_array(call)
    wanted = sizes(given(obj, 0, "normalized_shape"))
    if array is None:
        return made(call, None, tail=tuple(wanted)) if wanted else made(call, None)
    affine = flag(given(obj, 2, "elementwise_affine", True))
    plain = obj.name.endswith("RMSNorm") or not affine
    fits = floating(call, array) if plain else fits_weights(call, array, HALF)
    return last_axes(call, array, wanted).but(vectors=array.vectors) if fits else nothing(call)


def last_axes(call: OpCall, array: Array, wanted: list[Value] | None) -> Array:
    """State that the last axes of the input are those wanted; where they are not known, they are from here on."""
    if wanted is None:
        return normed(call, array)
    shape = shape_of(array)
    holds = bool(wanted) and (shape is None or len(shape) >= len(wanted))
    if not call.require(holds, "rank", array, got=Const(len(shape or ())), wanted=f"at least {len(wanted)}"):
        return nothing(call)
    for at in range(-len(wanted), 0):
        got = last(array, at)
        flat = dims.product(shape[1:]) if shape is not None else Unknown()
        if not call.require(dims.same(got, wanted[at]), "features", array, got=got, wanted=wanted[at], flat=flat):
            return nothing(call)
    if shape is not None:
        fixed = tuple(w if integer(s) is None else s for s, w in zip(shape[-len(wanted) :], wanted, strict=True))
        return normed(call, array.but(shape=(*shape[: len(shape) - len(wanted)], *fixed)))
    tail = array.tail or ()
    return normed(call, array.but(shape=None, tail=(*tail[: -len(wanted)], *wanted)))


@op("torch.nn.functional.layer_norm", "torch.layer_norm", "torch.nn.functional.rms_norm", "torch.rms_norm")
def f_layer_norm(call: OpCall) -> Value | None:
    """`layer_norm(input, normalized_shape, weight, bias)`."""
    array = first_array(call)
    if array is None:
        return None
    wanted = sizes(given(call, 1, "normalized_shape"))
    weight = given(call, 2, "weight")
    if is_none(weight) and not floating(call, array):
        return nothing(call)
    return last_axes(call, array, wanted)


@op("torch.nn.functional.batch_norm", "torch.batch_norm")
def f_batch_norm(call: OpCall) -> Value | None:
    """`batch_norm(input, running_mean, running_var, weight, bias, …)`: one number a channel each."""
    array = first_array(call)
    if array is None:
        return None
    shape = shape_of(array)
    if shape is not None and not call.require(
        len(shape) >= 2, "rank", array, got=Const(len(shape)), wanted="at least 2"
    ):
        return nothing(call)
    for at, name in ((1, "running_mean"), (2, "running_var"), (3, "weight"), (4, "bias")):
        tensor = given(call, at, name)
        if isinstance(tensor, Array) and shape is not None:
            got, wanted = shape[1], last(tensor, -1)
            if not call.require(dims.same(got, wanted), "channels", array, tensor, got=got, wanted=wanted):
                return nothing(call)
            if array.dtype in FLOATS and array.dtype not in HALF and not same_dtype(call, array, tensor):
                return nothing(call)
    return normed(call, array)


@op("torch.nn.functional.instance_norm", "torch.instance_norm")
def f_instance_norm(call: OpCall) -> Value | None:
    array = first_array(call)
    return normed(call, array) if array is not None else None


@called("torch.nn.LocalResponseNorm", "torch.nn.CrossMapLRN2d")
def response_norm(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is None:
        return None
    shape = shape_of(array)
    if shape is not None and not call.require(
        len(shape) >= 3, "rank", array, got=Const(len(shape)), wanted="at least 3"
    ):
        return nothing(call)
    return normed(call, array)


@op("torch.nn.functional.local_response_norm")
def f_response_norm(call: OpCall) -> Value | None:
    return response_norm(call)
