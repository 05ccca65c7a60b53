"""`torch.nn` layers and containers: what calling them does to the tags of a tensor."""

from __future__ import annotations

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.facts import ImageUse
from trainlint.analysis.registry import OpCall, called, kind, method, op
from trainlint.analysis.values import Array, Const, Mapping, Obj, Place, Seq, Unknown, Value

kind("module", "torch.nn.*", "torch.nn.modules.*", "torchvision.ops.*", "timm.layers.*", "timm.models.*")
kind("module", "segmentation_models_pytorch.*", "torch_geometric.nn.*", "torchvision.models.*", "transformers.Auto*")
kind("parameter", "torch.nn.Parameter", "torch.nn.parameter.Parameter")
kind("init", "torch.nn.init.*")

CONVOLUTIONS = ("torch.nn.Conv2d", "torch.nn.LazyConv2d", "torch.nn.ConvTranspose2d")


@called("module")
def any_module(call: OpCall) -> Value | None:
    """A layer without an entry of its own: a tensor with a graph, nothing else known."""
    inner = call.receiver.attrs.get("module") if isinstance(call.receiver, Obj) else None
    if inner is not None:
        # DataParallel and its kin: the wrapped model runs
        with_inner = invoke(call.run, call.scope, inner, call.args, call.kwargs, call.node)
        return with_inner
    if isinstance(call.receiver, Obj):
        image_model(call, call.receiver)
    return Array(grad=call.run.grad, likely=likely(call), device=device_of(call))


def image_model(call: OpCall, model: Obj) -> None:
    """A torchvision or timm model takes three channels first; with pretrained weights it means RGB."""
    array = first_array(call)
    if array is None or not model.name.startswith(("torchvision.models.", "timm.create_model", "timm.models.")):
        return
    short = model.name.rpartition(".")[2]
    wants = {"layout": "CHW"}
    first = {"conv1", "features", "stem", "patch_embed", "conv_stem", "Conv2d_1a_3x3"}
    if not first & model.attrs.keys() and "in_chans" not in model.kwargs and not short.startswith("create"):
        wants["channels"] = "3"
    if pretrained(model):
        wants["colour"] = "RGB"
    sink = f"`{short}`" + (" with pretrained weights" if "colour" in wants else "")
    use(call, array, sink, wants)


def pretrained(model: Obj) -> bool:
    """Does the model certainly come with weights?"""
    for name in ("weights", "pretrained"):
        value = model.kwargs.get(name)
        if isinstance(value, Const) and not value.default:
            return bool(value.value)
        if value is not None:
            return type(value).__name__ == "Ext"
    return False


def likely(call: OpCall) -> bool:
    return any(isinstance(a, Array) and a.likely for a in call.args)


def device_of(call: OpCall) -> str | None:
    first = call.args[0] if call.args else None
    return first.device if isinstance(first, Array) else None


def first_array(call: OpCall) -> Array | None:
    first = call.args[0] if call.args else None
    return first if isinstance(first, Array) else None


@called(*CONVOLUTIONS)
def convolution(call: OpCall) -> Value | None:
    """A 2-D convolution means channels first; it gives feature maps in the same layout."""
    array = first_array(call)
    channels = call.receiver.arg(0, "in_channels") if isinstance(call.receiver, Obj) else None
    if array is not None:
        wants = {"layout": "CHW"}
        if isinstance(channels, Const) and call.receiver is not None and not call.name.endswith("LazyConv2d"):
            wants["channels"] = str(channels.value)
        use(call, array, f"`{call.name.rpartition('.')[2]}`", wants)
        out = call.receiver.arg(1, "out_channels") if isinstance(call.receiver, Obj) else None
        count = out.value if isinstance(out, Const) and isinstance(out.value, int) else None
        layout = array.layout if array.layout in ("NCHW", "CHW") else None
        return Array(
            layout=layout, channels=count, range="logits", grad=call.run.grad, likely=array.likely, via=here(call)
        )
    return Array(range="logits", grad=call.run.grad, via=here(call))


@called("torch.nn.Conv3d")
def convolution_3d(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is not None and array.layout is not None:
        use(call, array, "`Conv3d`", {"layout": "CTHW"})
    return Array(range="logits", grad=call.run.grad, likely=likely(call), via=here(call))


@called("torch.nn.BatchNorm2d", "torch.nn.InstanceNorm2d", "torch.nn.SyncBatchNorm")
def norm(call: OpCall) -> Value | None:
    array = first_array(call)
    if array is not None:
        use(call, array, f"`{call.name.rpartition('.')[2]}`", {"layout": "CHW"})
        return array.but(grad=call.run.grad, range=None, colour=None)
    return Array(grad=call.run.grad)


@called("torch.nn.Linear", "torch.nn.LazyLinear", "torch.nn.Bilinear")
def linear(call: OpCall) -> Value | None:
    """An affine layer gives scores of any sign."""
    return Array(range="logits", grad=call.run.grad, likely=likely(call), via=here(call), device=device_of(call))


@called(
    "torch.nn.Identity",
    "torch.nn.Dropout",
    "torch.nn.Dropout2d",
    "torch.nn.Flatten",
    "torch.nn.Unflatten",
    "torch.nn.AlphaDropout",
)
def passing(call: OpCall) -> Value | None:
    """Layers that keep what the values mean."""
    array = first_array(call)
    if array is None:
        return None
    if call.name in ("torch.nn.Flatten", "torch.nn.Unflatten"):
        return array.but(layout=None, shape=None, channels=None)
    return array


@called("torch.nn.Softmax", "torch.nn.Softmax2d")
def softmax(call: OpCall) -> Value | None:
    return Array(range="prob", grad=call.run.grad, likely=likely(call), via=here(call))


@called("torch.nn.LogSoftmax")
def log_softmax(call: OpCall) -> Value | None:
    return Array(range="logprob", grad=call.run.grad, likely=likely(call), via=here(call))


@called("torch.nn.Sigmoid")
def sigmoid(call: OpCall) -> Value | None:
    return Array(range="sigmoid", grad=call.run.grad, likely=likely(call), via=here(call))


@called("torch.nn.ReLU", "torch.nn.LeakyReLU", "torch.nn.GELU", "torch.nn.SiLU", "torch.nn.ELU", "torch.nn.Tanh")
def activation(call: OpCall) -> Value | None:
    array = first_array(call)
    base = array if array is not None else Array()
    return base.but(range=None, grad=call.run.grad, colour=None)


@called("torch.nn.MaxPool2d", "torch.nn.AvgPool2d", "torch.nn.AdaptiveAvgPool2d", "torch.nn.AdaptiveMaxPool2d")
def pooling(call: OpCall) -> Value | None:
    array = first_array(call)
    return array.but(range=None, grad=call.run.grad, shape=None) if array is not None else None


@called("torch.nn.Sequential")
def sequential(call: OpCall) -> Value | None:
    """Runs its children in order; the result of the last is the result."""
    obj = call.receiver
    children = sequential_children(obj) if isinstance(obj, Obj) else None
    if children is None or not call.args:
        return Array(grad=call.run.grad)
    value: Value = call.args[0]
    for child in children:
        node = call.node
        with_child = invoke(call.run, call.scope, child, [value], {}, node)
        value = with_child
    return value


def sequential_children(obj: Obj) -> list[Value] | None:
    """The children of a Sequential, None where they are not all known."""
    if obj.spilled or any(isinstance(v, Unknown) for v in obj.args):
        return None
    if len(obj.args) == 1 and isinstance(obj.args[0], Mapping):
        mapping = obj.args[0]
        return None if mapping.open else list(mapping.items.values())
    if len(obj.args) == 1 and isinstance(obj.args[0], Seq):
        return obj.args[0].items
    extra = [v for k, v in obj.attrs.items() if k.isdigit() or k.startswith("added:")]
    return [*obj.args, *extra] if not extra else None


@method("module", "append", "insert", "extend")
def append_module(call: OpCall) -> Value | None:
    if isinstance(call.receiver, Obj):
        call.receiver.kwargs["*"] = Unknown()
    return call.receiver


@method("module", "__getitem__", "__iter__")
def child(call: OpCall) -> Value | None:
    """An element of a ModuleList or Sequential."""
    obj = call.receiver
    if not isinstance(obj, Obj) or obj.name not in ("torch.nn.ModuleList", "torch.nn.Sequential"):
        return None
    items = obj.args
    if obj.name == "torch.nn.ModuleList":
        first = obj.arg(0, "modules")
        items = first.items if isinstance(first, Seq) and first.items is not None else []
    key = call.args[0] if call.args else None
    if items and isinstance(key, Const) and isinstance(key.value, int) and -len(items) <= key.value < len(items):
        return items[key.value]
    return Unknown("a layer")


@op("torch.nn.functional.softmax", "torch.softmax", "torch.nn.functional.gumbel_softmax")
def f_softmax(call: OpCall) -> Value | None:
    return tagged(call, "prob")


@op("torch.nn.functional.log_softmax", "torch.log_softmax", "torch.nn.functional.logsigmoid")
def f_log_softmax(call: OpCall) -> Value | None:
    return tagged(call, "logprob")


@op("torch.nn.functional.sigmoid", "torch.sigmoid", "torch.special.expit")
def f_sigmoid(call: OpCall) -> Value | None:
    return tagged(call, "sigmoid")


def tagged(call: OpCall, range_: str) -> Array:
    array = first_array(call)
    grad = array.grad if array is not None else None
    return Array(range=range_, grad=grad, likely=likely(call), via=here(call), origin=call.step(call.name))


def here(call: OpCall) -> Place:
    """The place that made a value: the layer's own line for an object, else the call."""
    obj = call.receiver
    if isinstance(obj, Obj) and obj.node is not None and obj.file:
        return Place(obj.file, obj.node)
    return call.place


def use(call: OpCall, array: Value, sink: str, wants: dict[str, str]) -> None:
    """Report that an image reaches something with expectations."""
    call.run.fact(ImageUse(call.node, call.scope.file, array, sink, wants))
