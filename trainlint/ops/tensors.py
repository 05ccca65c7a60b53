"""Tensors: creation, methods, autograd; tags kept by what keeps them, lost by everything else."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, alias, array_method, op
from trainlint.analysis.values import Array, Const, Ext, Seq, Sym, Unknown, Value, element
from trainlint.ops.layers import first_array, here, likely
from trainlint.ops.layout import added, axes, permuted, reshaped, swapped

alias("torch.nn.functional.", "torch.nn.functional.functional.")
alias("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader")
alias("torch.utils.data.Dataset", "torch.utils.data.dataset.Dataset")
alias("torch.utils.data.distributed.DistributedSampler", "torch.utils.data.DistributedSampler")
alias("torch.no_grad", "torch.autograd.grad_mode.no_grad")
alias("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
alias("torch.nn.Sequential", "torch.nn.modules.Sequential", "torch.nn.modules.container.Sequential")
alias("torch.nn.", "torch.nn.modules.conv.", "torch.nn.modules.linear.", "torch.nn.modules.loss.")


@op("torch.from_numpy", "torch.tensor", "torch.as_tensor", "torch.Tensor", "torch.FloatTensor", "torch.LongTensor")
def from_numpy(call: OpCall) -> Value | None:
    """A tensor with the tags of the array; `torch.tensor(x)` and its kin have no graph."""
    value = call.arg(0, "data")
    device = device_given(call)
    if isinstance(value, Array):
        return value.but(lib="torch", grad=False, device=device or value.device, origin=call.step(call.name, value))
    if isinstance(value, Seq):
        inner = element(value)
        if isinstance(inner, Array):
            return added(call, inner).but(lib="torch", grad=False, device=device)
    return Array(grad=False, device=device)


@op(
    "torch.rand",
    "torch.randn",
    "torch.zeros",
    "torch.ones",
    "torch.empty",
    "torch.full",
    "torch.randint",
    "torch.arange",
)
def created(call: OpCall) -> Value | None:
    """A new tensor with its shape where that is constant."""
    wants_grad = call.kwargs.get("requires_grad")
    grad = isinstance(wants_grad, Const) and wants_grad.value is True
    sizes = call.args
    if call.name == "torch.randint":
        size = call.arg(2, "size")
        if not isinstance(size, Seq):
            size = call.arg(1, "size")
        sizes = [size] if size is not None else []
    if len(sizes) == 1 and isinstance(sizes[0], Seq) and sizes[0].items is not None:
        sizes = sizes[0].items
    if call.name == "torch.arange":
        shape: tuple[Value, ...] | None = (sizes[0],) if len(sizes) == 1 else None
    else:
        shape = tuple(sizes) if sizes and all(isinstance(s, (Const, Sym)) for s in sizes) else None
    range_ = "unit" if call.name == "torch.rand" else None
    return Array(grad=grad, shape=shape, range=range_, device=device_given(call))


def device_given(call: OpCall) -> str | None:
    """The device a tensor is created on: its name, `given` where it is not a constant, None where none is given."""
    device = call.kwargs.get("device")
    if device is None:
        return "given" if "**" in call.kwargs else None
    return device.value.partition(":")[0] if isinstance(device, Const) and isinstance(device.value, str) else "given"


@op("torch.stack", "torch.cat", "torch.concat", "torch.vstack", "torch.hstack")
def stack(call: OpCall) -> Value | None:
    """Elements of one kind stay of that kind; `stack` adds an axis in front."""
    parts = call.arg(0, "tensors")
    inner = element(parts) if isinstance(parts, Seq) else Unknown()
    if not isinstance(inner, Array):
        return Array(grad=None)
    dim = call.const(1, "dim")
    if call.name == "torch.stack":
        return (
            added(call, inner, "N" if inner.layout and "N" not in inner.layout else "T")
            if dim in (None, 0)
            else Array(grad=inner.grad)
        )
    return inner.but(shape=None, channels=None if dim not in (None, 0) else inner.channels)


@array_method("permute")
def permute(call: OpCall) -> Value | None:
    array = call.receiver
    return permuted(call, array, axes(call, call.args)) if isinstance(array, Array) else None


@op("torch.permute")
def permute_function(call: OpCall) -> Value | None:
    array = first_array(call)
    return permuted(call, array, axes(call, call.args[1:])) if array is not None else None


@array_method("transpose", "swapaxes", "swapdims", "movedim", "moveaxis")
def transpose(call: OpCall) -> Value | None:
    """Two axes for torch; all axes (or none: reversed) for NumPy."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    numbers = axes(call, call.args)
    if array.lib == "numpy" and call.name == "transpose":
        if not call.args:
            numbers = list(range(len(array.layout)))[::-1] if array.layout else None
        return permuted(call, array, numbers)
    if call.name in ("movedim", "moveaxis"):
        return moved_axis(call, array, numbers)
    if numbers is None or len(numbers) != 2:
        return array.but(layout=None, shape=None)
    return swapped(call, array, numbers[0], numbers[1])


def moved_axis(call: OpCall, array: Array, numbers: list[int] | None) -> Array:
    if array.layout is None or numbers is None or len(numbers) != 2:
        return array.but(layout=None, shape=None)
    order = list(range(len(array.layout)))
    order.insert(numbers[1] % len(order), order.pop(numbers[0] % len(array.layout)))
    return permuted(call, array, order)


@op("torch.transpose", "torch.swapaxes", "torch.movedim", "torch.moveaxis")
def transpose_function(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is None:
        return None
    numbers = axes(call, call.args[1:])
    if call.name.endswith(("movedim", "moveaxis")):
        return moved_axis(call, array, numbers)
    return swapped(call, array, *numbers) if numbers is not None and len(numbers) == 2 else array.but(layout=None)


@array_method("view", "reshape")
def view(call: OpCall) -> Value | None:
    array = call.receiver
    if not isinstance(array, Array):
        return None
    if call.args and isinstance(call.args[0], Const) and isinstance(call.args[0].value, str):
        return array
    return reshaped(call, array, call.args)


@op("torch.reshape", "numpy.reshape")
def reshape_function(call: OpCall) -> Value | None:
    array = first_array(call)
    return reshaped(call, array, call.args[1:]) if array is not None else None


@array_method("unsqueeze")
def unsqueeze(call: OpCall) -> Value | None:
    array = call.receiver
    if not isinstance(array, Array):
        return None
    dim = call.const(0, "dim")
    if dim == 0:
        letter = "N" if array.layout is None or "N" not in array.layout else "?"
        return added(call, array, letter) if letter == "N" else array.but(layout=None, shape=None)
    return array.but(layout=None, shape=None)


@op("torch.unsqueeze")
def unsqueeze_function(call: OpCall) -> Value | None:
    array = first_array(call)
    return added(call, array) if array is not None and call.const(1, "dim") == 0 else None


@array_method("squeeze")
def squeeze(call: OpCall) -> Value | None:
    array = call.receiver
    if not isinstance(array, Array):
        return None
    if call.const(0, "dim") == 0 and array.layout and array.layout[0] == "N":
        return array.but(layout=array.layout[1:], shape=None)
    return array.but(layout=None, shape=None)


@array_method("flatten", "ravel")
def flatten(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(layout=None, shape=None, channels=None) if isinstance(array, Array) else None


@op("torch.flatten")
def flatten_function(call: OpCall) -> Value | None:
    array = first_array(call)
    return array.but(layout=None, shape=None, channels=None) if array is not None else None


@array_method(
    "to", "cuda", "cpu", "float", "half", "double", "bfloat16", "type", "type_as", "contiguous", "clone", "copy",
    "byte", "int", "long", "pin_memory", "requires_grad_", "astype", "share_memory_",
)  # fmt: skip
def kept(call: OpCall) -> Value | None:
    """Moves, casts and copies keep every tag; `cuda` and `cpu` set the device."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    if call.name in ("cuda", "cpu"):
        return array.but(device=call.name)
    if call.name == "requires_grad_":
        return array.but(grad=True)
    if call.name == "to" and call.args:
        first = call.args[0]
        if isinstance(first, Const) and isinstance(first.value, str):
            return array.but(device=first.value.partition(":")[0])
        dtype = isinstance(first, Ext) and first.name.startswith("torch.")
        return array if dtype else array.but(device="given")
    if call.name == "to" and "device" in call.kwargs:
        return array.but(device=device_given(call))
    return array


@array_method("clamp", "clip", "clamp_", "abs")
def bounded(call: OpCall) -> Value | None:
    """The axes stay, what the numbers mean may not: a clamped score may be a probability."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    return array.but(range=array.range if array.range in ("255", "unit") else None)


@array_method("expand", "repeat", "tile", "expand_as")
def repeated(call: OpCall) -> Value | None:
    """A grey image may become one of three channels."""
    array = call.receiver
    return array.but(shape=None, channels=None) if isinstance(array, Array) else None


@array_method("detach", "detach_")
def detach(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(grad=False) if isinstance(array, Array) else None


@array_method(".data")
def data(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(grad=False) if isinstance(array, Array) else None


@array_method("numpy")
def numpy_(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(lib="numpy", grad=False) if isinstance(array, Array) else None


@array_method("item", "tolist")
def item(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("item", call.node, call.scope, call.receiver)
    return Unknown("a number")


@array_method("backward")
def backward(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("backward", call.node, call.scope, call.receiver, None, (*call.args, *call.kwargs.values()))
    return Const(None)


@array_method("argmax", "argmin", "argsort")
def argmax(call: OpCall) -> Value | None:
    array = call.receiver
    return Array(grad=False, range="index", likely=array.likely if isinstance(array, Array) else False, via=call.place)


@op("torch.argmax", "torch.argmin")
def argmax_function(call: OpCall) -> Value | None:
    return Array(grad=False, range="index", likely=likely(call), via=call.place)


@array_method("max", "min", "topk", "sort")
def maximum(call: OpCall) -> Value | None:
    """With a dimension: the values and the indices."""
    array = call.receiver
    grad = array.grad if isinstance(array, Array) else None
    if call.args or call.kwargs:
        return Seq("tuple", [Array(grad=grad), Array(grad=False, range="index", via=call.place)])
    return Array(grad=grad)


@op("torch.max", "torch.min", "torch.topk", "torch.sort")
def maximum_function(call: OpCall) -> Value | None:
    array = first_array(call)
    grad = array.grad if array is not None else None
    if len(call.args) > 1 or call.kwargs:
        return Seq("tuple", [Array(grad=grad), Array(grad=False, range="index", via=call.place)])
    return Array(grad=grad)


@array_method("eq", "ne", "gt", "lt", "ge", "le", "isnan", "isinf", "bool", "any", "all", "nonzero")
def predicate(call: OpCall) -> Value | None:
    return Array(grad=False)


@array_method("softmax")
def softmax(call: OpCall) -> Value | None:
    return ranged(call, "prob")


@array_method("log_softmax", "logsigmoid")
def log_softmax(call: OpCall) -> Value | None:
    return ranged(call, "logprob")


@array_method("sigmoid", "sigmoid_")
def sigmoid(call: OpCall) -> Value | None:
    return ranged(call, "sigmoid")


def ranged(call: OpCall, range_: str) -> Array:
    array = call.receiver
    source = array if isinstance(array, Array) else Array()
    return Array(range=range_, grad=source.grad, likely=source.likely, via=here(call), origin=call.step(call.name))


@array_method("div", "div_", "mul", "mul_", "sub", "sub_", "add", "add_")
def arithmetic(call: OpCall) -> Value | None:
    from trainlint.ops.arrays import operator_on

    symbol = {"div": "/", "mul": "*", "sub": "-", "add": "+"}[call.name.rstrip("_")]
    if call.receiver is None or not call.args:
        return None
    return operator_on(call, symbol, call.receiver, call.args[0])


@array_method("size")
def size(call: OpCall) -> Value | None:
    return shape_entry(call)


def shape_entry(call: OpCall) -> Value | None:
    array = call.receiver
    index = call.const(0, "dim")
    if isinstance(array, Array) and isinstance(index, int):
        if array.shape is not None and -len(array.shape) <= index < len(array.shape):
            return array.shape[index]
        return Sym(f"size({index})")
    return Unknown("size")


@array_method("zero_")
def zero(call: OpCall) -> Value | None:
    return call.receiver


@array_method("mean", "sum")
def reduce(call: OpCall) -> Value | None:
    array = call.receiver
    return Array(grad=array.grad, likely=array.likely) if isinstance(array, Array) else None


@op("torch.*")
def other(call: OpCall) -> Value | None:
    """Any other function of torch: a tensor that hangs on the graph of its arguments where that is certain."""
    last = call.name.rpartition(".")[2]
    if last[:1].isupper() or call.name.count(".") > 3 or not call.name.startswith(("torch.nn.functional.", "torch.")):
        return None
    if call.name.startswith(("torch.nn.functional.", "torch.special.")) or call.name.count(".") == 1:
        grads = [a.grad for a in call.args if isinstance(a, Array)]
        attached = (
            True if any(g is True for g in grads) else (False if grads and all(g is False for g in grads) else None)
        )
        if last in ("device", "manual_seed", "load", "no_grad", "dtype", "cuda", "get_rng_state", "set_num_threads"):
            return None
        return Array(grad=attached, likely=likely(call))
    return None


@op(
    "torch.relu", "torch.nn.functional.relu", "torch.nn.functional.leaky_relu", "torch.nn.functional.gelu", "torch.tanh"
)
def f_activation(call: OpCall) -> Value | None:
    array = first_array(call)
    return array.but(range=None, colour=None, grad=array.grad) if array is not None else None


@op("torch.nn.functional.dropout", "torch.nn.functional.dropout2d")
def f_dropout(call: OpCall) -> Value | None:
    return call.args[0] if call.args else None


@op("torch.nn.functional.max_pool2d", "torch.nn.functional.avg_pool2d", "torch.nn.functional.interpolate")
def f_pool(call: OpCall) -> Value | None:
    array = first_array(call)
    return array.but(range=None, shape=None) if array is not None else None


@op(
    "torch.clone", "torch.squeeze_copy", "torch.autograd.Variable", "torch.autograd.variable.Variable", "torch.Variable"
)
def same(call: OpCall) -> Value | None:
    """`Variable(x)` has been the tensor itself since torch 0.4."""
    return call.args[0] if call.args else None
