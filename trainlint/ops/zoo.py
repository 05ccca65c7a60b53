"""Models with a name: `torchvision.models.*`, `timm.create_model("…")`, `AutoModel.from_pretrained("…")`.

What they are stands in tables (`zoo_tables`): parameters, channels, classes, the path and width of the classifier. The
classifier and the first convolution are attributes of the model that a program may read (`model.fc.in_features`) and
replace; the output then is what the new head gives. The attribute `MARK` says which table entry a module comes from.
"""

from __future__ import annotations

from typing import Any

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, axis
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.modules import REST
from trainlint.analysis.registry import OpCall, method, op
from trainlint.analysis.values import Const, Ext, Func, Instance, Mapping, Obj, Unknown, Value, is_none, truth
from trainlint.ops import timm_models
from trainlint.ops.hf_datasets import collator
from trainlint.ops.hf_models import automatic
from trainlint.ops.layers import first_array, here, nothing, of_rank, use
from trainlint.ops.tokenizers import tokenizer
from trainlint.ops.torchvision import preset_of
from trainlint.ops.zoo_tables import entry, weights

__all__ = ["MARK", "entry", "entry_of", "forward", "pretrained", "weights"]

# the attribute of a model that holds (library, name), and of the parts that it was built with
MARK = "[zoo]"
# the attribute of a model with the number of its classes when it was built
CLASSES = "[classes]"
CHANNELS = "[channels]"


@op("torchvision.*")
def torchvision_model(call: OpCall) -> Value | None:
    """`torchvision.models.resnet50(…)` and `get_model("resnet50", …)`: a module."""
    parts = call.name.split(".")
    if parts[-1] == "transforms":
        return preset_of(call)
    if len(parts) < 3 or parts[1] != "models" or not parts[-1][:1].islower():
        return None
    qualified, args = call.name, call.args
    if parts[-1] == "get_model":
        name = call.const(0, "name")
        if not isinstance(name, str):
            return made(call, call.name)
        qualified, args = f"torchvision.models.{name}", call.args[1:]
        inside = call.run.program.external(qualified)
        if isinstance(inside, Func):
            kwargs = {key: value for key, value in call.kwargs.items() if key != "name"}
            return invoke(call.run, call.scope, inside, args, kwargs, call.node)
    elif parts[-1].startswith(("get_", "list_")):
        return None
    obj = made(call, qualified, args)
    found = entry("torchvision", qualified.rpartition(".")[2]) if "quantization" not in parts else None
    if found is not None:
        classes = obj.kwargs.get("num_classes")
        fill(obj, found, ("torchvision", qualified.rpartition(".")[2]), classes, None)
    return obj


@op("timm.*")
def timm_model(call: OpCall) -> Value | None:
    """`timm.create_model("resnet50", pretrained=True, num_classes=10, in_chans=1)`."""
    if call.name not in ("timm.create_model", "timm.models.create_model"):
        return None
    obj = made(call, call.name)
    name = call.const(0, "model_name")
    found = entry("timm", name) if isinstance(name, str) else None
    followed = timm_models.inside(call, str(name), found) if found is not None else None
    if followed is not None:
        return followed
    if found is not None and not obj.spilled and is_none(obj.kwargs.get("checkpoint_path", Const(None))):
        fill(obj, found, ("timm", name), obj.kwargs.get("num_classes"), obj.kwargs.get("in_chans"))
    return obj


@op("transformers.*")
def transformers_model(call: OpCall) -> Value | None:
    """`AutoModel….from_pretrained("bert-base-uncased")`: a module with a configuration."""
    inside = automatic(call) or tokenizer(call) or collator(call)
    if inside is not None:
        return inside
    cls, _, maker = call.name.rpartition(".")
    short = cls.rpartition(".")[2]
    name = call.const(0, "pretrained_model_name_or_path")
    if maker != "from_pretrained" or not isinstance(name, str):
        return None
    found = entry("transformers", name)
    if found is None or architecture(found, short) is None:
        return None
    obj = made(call, cls)
    obj.attrs[MARK] = Const(("transformers", name))
    config = Obj("transformers.PretrainedConfig", "config", call.node)
    config.attrs.update({key: Const(value) for key, value in found["config"].items()})
    obj.attrs["config"] = config
    return obj


def architecture(found: dict[str, Any], cls: str) -> str | None:
    """The class that an Auto class builds for the model (`AutoModelForCausalLM` of gpt2: `GPT2LMHeadModel`)."""
    family, classes = found["type"], found["classes"]
    if not cls.startswith("AutoModel"):
        return cls if cls in classes else None
    task = cls.removeprefix("AutoModel")
    options = {"": ("Model",), "ForCausalLM": ("ForCausalLM", "LMHeadModel"), "ForPreTraining": ("ForPreTraining",)}
    options["ForSeq2SeqLM"] = ("ForConditionalGeneration",)
    names = [family + suffix for suffix in options.get(task, (task,))]
    return next((name for name in names if name in classes), None)


def made(call: OpCall, name: str, args: list[Value] | None = None) -> Obj:
    args = call.args if args is None else args
    obj = Obj(name, "module", call.node, args, call.kwargs, call.step(name), call.scope.file.path)
    obj.born = call.run.tick()
    return obj


# --- what a model is built with


def fill(obj: Obj, found: dict[str, Any], key: object, classes: Value | None, channels: Value | None) -> None:
    """Give a new model the parts that the table knows."""
    obj.attrs[MARK] = Const(key)
    default = Const(found["classes"]) if "classes" in found else Unknown("num_classes")
    obj.attrs[CLASSES] = default if classes is None or is_none(classes) else classes
    obj.attrs[CHANNELS] = channels if channels is not None else Const(found["channels"])
    if isinstance(key, tuple) and key[0] == "timm":
        obj.attrs["num_classes"] = obj.attrs[CLASSES]
        obj.attrs["num_features"] = Const(found["num_features"])
    place_first(obj, found)
    place_head(obj, found)


def part(obj: Obj, name: str, *args: Value) -> Obj:
    """A layer that came with the model."""
    result = Obj(name, "module", obj.node, list(args), {}, obj.origin, obj.file)
    result.attrs[MARK] = Const(True)
    for attribute, value in zip(WIDTHS.get(name.rpartition(".")[2], ()), args, strict=False):
        result.attrs[attribute] = value
    return result


# the attributes that hold the first two arguments of a layer
WIDTHS = {
    "Linear": ("in_features", "out_features"),
    "Conv2d": ("in_channels", "out_channels"),
    "Conv3d": ("in_channels", "out_channels"),
}


def place(obj: Obj, path: str, leaf: Obj) -> None:
    """Put a layer at `features.0.0`; what is around it has further children that are not known."""
    *outer, last = path.split(".")
    for name in outer:
        inner = obj.attrs.get(name)
        if not isinstance(inner, Obj):
            inner = part(obj, "torch.nn.Sequential")
            inner.attrs[REST] = Unknown("layers of the model")
            obj.attrs[name] = inner
        obj = inner
    obj.attrs[last] = leaf


def place_first(obj: Obj, found: dict[str, Any]) -> None:
    if not found.get("first"):
        return
    channels = obj.attrs[CHANNELS]
    layer = found.get("first_layer")
    if layer is None:
        leaf = part(obj, "torch.nn.Conv2d", channels, Const(found["first_out"]), Unknown("kernel_size"))
    else:
        leaf = part(obj, f"torch.nn.{layer[0]}", channels, Const(layer[2]), *(sizes(v) for v in layer[3:6]))
        leaf.kwargs["bias"] = Const(layer[6])
    place(obj, found["first"], leaf)


def sizes(values: list[int]) -> Value:
    from trainlint.analysis.values import Seq

    return Seq("tuple", [Const(v) for v in values])


def place_head(obj: Obj, found: dict[str, Any]) -> None:
    """The classifier: a layer of its own, or a whole Sequential where all its layers are in the table."""
    path, classes = found.get("head"), obj.attrs[CLASSES]
    if not path:
        return
    if isinstance(classes, Const) and classes.value == 0:
        place(obj, path, part(obj, "torch.nn.Identity"))
        return
    layers = found.get("layers")
    outer, _, inner = path.partition(".")
    if not inner or layers is None:
        convolution = layers is not None and layers[""][0] != "Linear"
        name = "torch.nn.Conv2d" if convolution else "torch.nn.Linear"
        leaf = part(obj, name, Const(found["features"]), classes)
        place(obj, path, leaf)
        return
    container = part(obj, "torch.nn.Sequential")
    for name, layer in layers.items():
        container.attrs[name] = head_layer(obj, layer, classes if name == inner else None)
    obj.attrs[outer] = container


def head_layer(obj: Obj, layer: list[Any], classes: Value | None) -> Obj:
    kind, *rest = layer
    if kind == "?":
        return part(obj, "torch.nn.Module")
    if kind == "Linear":
        leaf = part(obj, "torch.nn.Linear", Const(rest[0]), classes or Const(rest[1]))
        leaf.kwargs["bias"] = Const(rest[2])
        return leaf
    if kind in ("Conv2d", "Conv3d"):
        leaf = part(obj, f"torch.nn.{kind}", Const(rest[0]), classes or Const(rest[1]), *(sizes(v) for v in rest[2:5]))
        leaf.kwargs["bias"] = Const(rest[5])
        return leaf
    if kind == "LayerNorm":
        return part(obj, "torch.nn.LayerNorm", sizes(rest[0]))
    if kind.startswith("Adaptive"):
        size = rest[0]
        return part(obj, f"torch.nn.{kind}", sizes(size) if isinstance(size, list) else Const(size))
    return part(obj, f"torch.nn.{kind}")


# --- what is asked of a model


def entry_of(value: Value) -> dict[str, Any] | None:
    """The table entry of a model that was built by its name."""
    key = value.attrs.get(MARK) if isinstance(value, Obj) else None
    if isinstance(key, Const) and isinstance(key.value, tuple):
        return entry(*key.value)
    return None


def pretrained(model: Obj) -> bool:
    """Does the model certainly come with weights?"""
    for name in ("weights", "pretrained"):
        value = model.kwargs.get(name)
        if value is None and name == "pretrained":
            value = model.arg(1 if model.name.startswith("timm.") else 0, name)
        if isinstance(value, Const) and not value.default:
            return bool(value.value)
        if value is not None:
            return isinstance(value, Ext)
    return False


def at(value: Value | None, path: str) -> Value | None:
    """The part of a model at a path, None where it is not known."""
    for name in path.split("."):
        value = value.attrs.get(name) if isinstance(value, Obj) else None
    return value


def own(value: Value | None) -> bool:
    """Is this a part that the model was built with?"""
    return isinstance(value, Obj) and MARK in value.attrs


def body_kept(model: Obj, found: dict[str, Any]) -> bool:
    """Is everything between the first convolution and the head as it was built?

    A first convolution of other channels is usual and changes nothing of the features; the head is asked of itself.
    """
    outer = str(found.get("head")).partition(".")[0]
    waiting = [(name, value) for name, value in model.attrs.items() if name != outer]
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, (Obj, Instance, Unknown)) or path == found.get("first") or path.startswith("["):
            continue
        if not isinstance(value, Obj) or not own(value):
            return False
        waiting += [(f"{path}.{name}", part) for name, part in value.attrs.items() if name != REST and name[0] != "["]
    return True


def head_kept(model: Obj, found: dict[str, Any]) -> bool:
    """Are the classifier and the Sequential around it those that the model was built with?"""
    path = found.get("head")
    if not path:
        return True
    outer, _, _ = path.partition(".")
    container = model.attrs.get(outer)
    if not own(container) or not own(at(model, path)):
        return False
    layers = found.get("layers")
    if layers is None or "" in layers or not isinstance(container, Obj):
        return True
    return REST not in container.attrs and sum(name.isdigit() for name in container.attrs) <= len(layers)


# --- calling a model


def forward(call: OpCall, model: Obj) -> Value | None:
    """What calling a named model gives; None for a module that is none."""
    if not model.name.startswith(("torchvision.models.", "timm.create_model", "timm.models.", "transformers.")):
        return None
    found = entry_of(model)
    if model.name.startswith("transformers."):
        return Unknown("a model output") if found is not None else None
    task = found.get("task", "classification") if found is not None else "classification"
    if task in ("detection", "optical_flow"):
        return Unknown("detections" if task == "detection" else "flows")
    if task != "video":
        expects(call, model, found)
    if found is None:
        return None
    array = first_array(call)
    if array is not None and not fits(call, model, found, array):
        return nothing(call).but(range="logits", via=here(call))
    if task == "segmentation":
        return segmented(call, model, found, array)
    return scores(call, model, found, array)


def expects(call: OpCall, model: Obj, found: dict[str, Any] | None) -> None:
    """Channels first, as many as the first convolution takes; with pretrained weights RGB."""
    array = first_array(call)
    if array is None:
        return
    wants = {"layout": "CHW"}
    channels = channels_of(model, found) if found is not None else None
    if isinstance(channels, Const):
        wants["channels"] = str(channels.value)
    elif found is None and model.name.startswith("torchvision.") and not REPLACED & model.attrs.keys():
        wants["channels"] = "3"
    if pretrained(model):
        wants["colour"] = "RGB"
        wants["range"] = "scaled"
    name = model.name.rpartition(".")[2]
    use(call, array, f"`{name}`" + (" with pretrained weights" if "colour" in wants else ""), wants)


# attributes that hold the first convolution of models without an entry
REPLACED = frozenset({"conv1", "features", "stem", "patch_embed", "conv_stem", "Conv2d_1a_3x3"})


def channels_of(model: Obj, found: dict[str, Any]) -> Value | None:
    """The channels that the first convolution takes now, None where it is not known."""
    path = found.get("first")
    if not path:
        return None
    first = at(model, path)
    if isinstance(first, Obj) and first.name.startswith("torch.nn.Conv"):
        return first.arg(0, "in_channels")
    return None


def fits(call: OpCall, model: Obj, found: dict[str, Any], array: Array) -> bool:
    """State what the model requires of its input."""
    rank = 5 if found.get("task") == "video" else 4
    if found.get("batched") and not of_rank(call, array, rank):
        return False
    if array.rank != rank:
        return True
    got, wanted = axis(array, 1), channels_of(model, found)
    if model.name.rpartition(".")[2] in ("googlenet", "inception_v3"):
        return True  # with weights they take the first three channels
    return call.require(
        dims.same(got, wanted), "channels", array, op=shown(model), got=got or Unknown(), wanted=wanted or Unknown()
    )


def shown(model: Obj) -> str:
    """The name of the model as a message shows it."""
    key = model.attrs.get(MARK)
    return str(key.value[1]) if isinstance(key, Const) and isinstance(key.value, tuple) else model.name


def scores(call: OpCall, model: Obj, found: dict[str, Any], array: Array | None) -> Value:
    """`(batch, classes)`; models with auxiliary heads give more in training, so that their result is not known."""
    if any(name in model.kwargs for name in ("features_only", "global_pool", "out_indices", "scriptable")):
        return nothing(call)
    if found.get("aux") and not pretrained_without_aux(model):
        return Unknown("scores and auxiliary scores")
    rank = 5 if found.get("task") == "video" else 4
    batch = (axis(array, 0) if array is not None and array.rank == rank else None) or Unknown("batch")
    if not head_kept(model, found):
        return through_head(call, model, found, batch)
    classes = outputs(model, found)
    if classes is None:
        return nothing(call).but(range="logits", via=here(call))
    result = nothing(call).but(shape=(batch, classes), range="logits", via=here(call))
    if array is not None and array.dtype in ("float32", "float16", "bfloat16") and not in_autocast(call):
        result = result.but(dtype=array.dtype)
    return result


def in_autocast(call: OpCall) -> bool:
    from trainlint.ops.layers import autocast

    return bool(autocast(call))


def pretrained_without_aux(model: Obj) -> bool:
    """GoogLeNet with weights drops its auxiliary heads unless they are asked for."""
    if truth(model.kwargs.get("aux_logits", Unknown())) is False:
        return True
    return model.name.endswith(".googlenet") and pretrained(model) and "aux_logits" not in model.kwargs


def outputs(model: Obj, found: dict[str, Any]) -> Value | None:
    """The classes a model was built with."""
    classes = model.attrs[CLASSES]
    if isinstance(classes, Const) and classes.value == 0:
        pooled = found.get("pooled")
        return Const(pooled) if found["classes"] and isinstance(pooled, int) else None
    return classes if found.get("head") else None


def through_head(call: OpCall, model: Obj, found: dict[str, Any], batch: Value) -> Value:
    """What a replaced head makes of the features: nothing is known of it where the head is not."""
    replaced = head_input(model, found)
    if replaced is None:
        return nothing(call)
    head, shape = replaced
    kept = body_kept(model, found)
    features = nothing(call).but(shape=(batch, *(Const(n) if kept else Unknown() for n in shape)))
    result = invoke(call.run, call.scope, head, [features], {}, call.node)
    return result if isinstance(result, Array) else nothing(call)


def head_input(model: Obj, found: dict[str, Any]) -> tuple[Value, list[int]] | None:
    """The replaced head and the shape of what goes into it, without the batch."""
    outer, _, inner = found["head"].partition(".")
    head = model.attrs.get(outer)
    shape = found.get("head_input")
    if shape is not None and head is not None and len(shape) == 1:
        return head, shape
    if (shape is None and found.get("layers") is None) or found.get("task") == "video":
        leaf = at(model, found["head"])
        return (leaf, [found["features"]]) if leaf is not None and (not inner or own(head)) else None
    return None


def segmented(call: OpCall, model: Obj, found: dict[str, Any], array: Array | None) -> Value:
    """`{"out": (batch, classes, height, width)}`, and `aux` where it has that head."""
    kept = head_kept(model, found)
    classes = model.attrs[CLASSES] if kept else Unknown("classes")
    size: tuple[Value, ...] = (Unknown("batch"), Unknown("height"), Unknown("width"))
    if array is not None and array.shape is not None and len(array.shape) == 4:
        size = (array.shape[0], array.shape[2], array.shape[3])
    out = nothing(call).but(shape=(size[0], classes, size[1], size[2]), layout="NCHW", range="logits", via=here(call))
    return Mapping({"out": out}, open=True)


# --- asking


@method("module", "get_classifier")
def get_classifier(call: OpCall) -> Value | None:
    """timm: the classifier itself."""
    found = entry_of(call.receiver) if call.receiver is not None else None
    return at(call.receiver, found["head"]) if found is not None and found.get("head") else None


@method("module", "reset_classifier")
def reset_classifier(call: OpCall) -> Value | None:
    """timm: a new classifier with so many classes."""
    model, classes = call.receiver, call.arg(0, "num_classes")
    found = entry_of(model) if model is not None else None
    if isinstance(model, Obj) and found is not None:
        known = classes if classes is not None and not call.run.conds else Unknown("num_classes")
        model.attrs[CLASSES] = model.attrs["num_classes"] = known
        place_head(model, found)
    return Const(None)
