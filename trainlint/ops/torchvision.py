"""torchvision and timm beyond transforms and data sets: models, presets of weights, reading and writing of images."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, alias, called, kind, op
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, known
from trainlint.ops.images import READ, new_size, sink
from trainlint.ops.normalise import IMAGENET_MEAN, IMAGENET_STD

alias("torchvision.models.", "torchvision.models.resnet.", "torchvision.models.vgg.", "torchvision.models.densenet.")
kind("preset", "timm.data.transforms_factory.*")

# weights → size of the crop that their transforms end with, where it is not 224 (torchvision 0.24 documentation)
CROPS = {
    "Inception_V3": 299, "ViT_H_14": 518, "EfficientNet_B1": 240, "EfficientNet_B2": 288, "EfficientNet_B3": 300,
    "EfficientNet_B4": 380, "EfficientNet_B5": 456, "EfficientNet_B6": 528, "EfficientNet_B7": 600,
    "EfficientNet_V2_S": 384, "EfficientNet_V2_M": 480, "EfficientNet_V2_L": 480, "Swin_V2_T": 256,
    "Swin_V2_S": 256, "Swin_V2_B": 256,
}  # fmt: skip


def preset_of(call: OpCall) -> Value | None:
    """`ResNet50_Weights.DEFAULT.transforms()`, None for other calls."""
    parts = call.name.split(".")
    weights = next((part for part in parts if part.endswith("_Weights")), None)
    if weights is None or parts[-1] != "transforms":
        return None
    return preset(call, weights.removesuffix("_Weights"), f"`{weights}.transforms()`")


def preset(call: OpCall, model: str, name: str) -> Value:
    """The transforms that belong to weights: for classification they end in a square crop."""
    obj = Obj("torchvision.preset", "preset", call.node, call.args, call.kwargs, None, call.scope.file.path)
    obj.attrs["[name]"] = Const(name)
    segmentation = model.startswith(("FCN", "DeepLab", "LRASPP", "MaskRCNN", "FasterRCNN", "RetinaNet", "SSD", "FCOS"))
    varies = call.args or call.kwargs or segmentation or model.startswith(("RegNet", "Keypoint", "Raft", "MaxVit"))
    if not varies and not model.endswith(("3D_18", "MViT", "S3D")):
        obj.attrs["[size]"] = Const(CROPS.get(model, 224))
    return obj


@op("timm.data.create_transform", "timm.data.transforms_factory.create_transform")
def timm_transform(call: OpCall) -> Value | None:
    """Resizes, crops, makes a tensor and normalises; `input_size` is a number or (channels, height, width)."""
    obj = Obj("timm.data.transform", "preset", call.node, call.args, call.kwargs, None, call.scope.file.path)
    obj.attrs["[name]"] = Const("`timm.data.create_transform`")
    size = call.arg(0, "input_size")
    if isinstance(size, Seq) and size.items is not None and len(size.items) == 3:
        size = size.items[1] if known(size.items[1]) == known(size.items[2]) else None
    if isinstance(known(size), int):
        obj.attrs["[size]"] = size  # type: ignore[assignment]
    return obj


@called("preset")
def apply_preset(call: OpCall) -> Value | None:
    """An RGB image becomes CHW, normalised with the statistics of the weights."""
    obj, image = call.receiver, call.args[0] if call.args else None
    if not isinstance(obj, Obj):
        return None
    sink(call, image, str(known(obj.attrs.get("[name]"))), {"colour": "RGB"})
    size = obj.attrs.get("[size]")
    extent = (size, size) if size is not None else (new_size("H"), new_size("W"))
    known_image = image if isinstance(image, Array) else None
    origin = call.step(f"{known(obj.attrs.get('[name]'))}: CHW, normalised", known_image, "layout range")
    channels = known_image.channels if known_image is not None else None
    shape = (Const(channels) if channels else Unknown("channels"), *extent)
    colour = known_image.colour if known_image is not None else None
    batched = known_image is not None and known_image.layout == "NCHW"
    return Array(
        "torch", None if batched else "CHW", channels, colour, "norm", "float32", None if batched else shape, False,
        origin=origin, stats=(IMAGENET_MEAN, IMAGENET_STD),
    )  # fmt: skip


@op("torchvision.io.read_image", "torchvision.io.decode_image", "torchvision.io.image.read_image")
def read_image(call: OpCall) -> Value | None:
    """CHW, uint8, RGB where `mode` says so; else the channels of the file."""
    mode = call.arg(1, "mode")
    name = mode.value if isinstance(mode, Const) else repr(mode).rpartition(".")[2] if mode is not None else ""
    colour, count = {"RGB": ("RGB", 3), "GRAY": ("GRAY", 1), "RGB_ALPHA": ("RGBA", 4)}.get(str(name), ("RGB?", None))
    shape = (Const(count) if count else Unknown("channels"), new_size("H"), new_size("W"))
    origin = call.step(f"read by `{call.name}`: CHW", None, READ)
    return Array("torch", "CHW", count, colour, "255", "uint8", shape, False, origin=origin)


@op("torchvision.utils.make_grid")
def make_grid(call: OpCall) -> Value | None:
    """One picture of three channels, channels first; grey images are repeated to three."""
    images = call.arg(0, "tensor")
    image = images if isinstance(images, Array) else None
    normalised = known(call.kwargs.get("normalize")) is True
    range_ = "unit" if normalised else image.range if image is not None else None
    count = 3 if image is None or image.channels in (None, 1, 3) else image.channels
    colour = image.colour if image is not None and image.colour in ("RGB", "BGR") else None
    origin = call.step("`make_grid`: CHW", image, "layout channels")
    shape = (
        Const(count) if image is not None and image.channels in (1, 3) else Unknown(),
        new_size("H"),
        new_size("W"),
    )
    dtype = image.dtype if image is not None else None
    return Array("torch", "CHW", count, colour, range_, dtype, shape, False, origin=origin)


@op("torchvision.utils.save_image")
def save_image(call: OpCall) -> Value | None:
    sink(call, call.arg(0, "tensor"), "`save_image`", {"layout": "CHW", "colour": "RGB"})
    return Const(None)
