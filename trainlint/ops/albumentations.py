"""albumentations: pipelines on dicts of NumPy arrays, channels last; `ToTensorV2` moves the channels, no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import ImageUse
from trainlint.analysis.image_facts import Normalisation, Refusal
from trainlint.analysis.joins import join
from trainlint.analysis.registry import OpCall, called, kind
from trainlint.analysis.values import Const, Mapping, Obj, Place, Seq, Step, Unknown, Value, is_none, number
from trainlint.ops.images import channels_first, sized, unsized, with_channels
from trainlint.ops.normalise import IMAGENET_MEAN, IMAGENET_STD, is_imagenet, statistics

kind("augmentation", "albumentations.*")

Augmentation: TypeAlias = "Callable[[OpCall, Obj, Array], Array]"
# targets of a pipeline that are images of the same size
MASKS = ("mask", "image0", "image1", "image2")
TENSORS = ("ToTensorV2", "ToTensor")
# these give another size than they get, one that is not followed
RESIZING = (
    "SmallestMaxSize", "LongestMaxSize", "PadIfNeeded", "RandomScale", "Transpose", "RandomRotate90", "D4",
    "RandomGridShuffle",
)  # fmt: skip
SIZES = {
    "Resize": 0, "RandomCrop": 0, "CenterCrop": 0, "RandomSizedCrop": 1, "RandomResizedCrop": 0,
    "CropNonEmptyMaskIfExists": 0,
}  # fmt: skip
GROUPS = ("Compose", "OneOf", "SomeOf", "Sequential", "RandomOrder", "OneOrOther")


@called("augmentation")
def pipeline(call: OpCall) -> Value | None:
    """`transform(image=image, mask=mask)["image"]`."""
    image, obj = call.kwargs.get("image"), call.receiver
    if not isinstance(obj, Obj) or not isinstance(image, Array):
        return Mapping({}, True)
    result: dict[str, Value] = {**call.kwargs, "image": through(call, obj, image, None)}
    for name in MASKS:
        mask = call.kwargs.get(name)
        if isinstance(mask, Array):
            # a mask keeps its classes: no normalisation, and its axes where it becomes a tensor
            result[name] = Array("?", grad=False)
    return Mapping(dict(result), True)


def through(call: OpCall, obj: Obj, image: Array, outer: Obj | None) -> Value:
    """What a step or a group of steps makes of an image."""
    short = obj.name.rpartition(".")[2]
    if short not in GROUPS:
        return step(call, obj, short, image, outer)
    steps = obj.arg(0, "transforms")
    if not isinstance(steps, Seq) or steps.items is None:
        return Unknown("an augmented image")
    current: Value = image
    results: list[Value] = []
    for part in steps.items:
        if is_none(part):
            continue
        if not isinstance(part, Obj) or part.kind != "augmentation" or not isinstance(current, Array):
            return Unknown("an augmented image")
        after = through(call, part, current, obj)
        if short in ("Compose", "Sequential"):
            current = after
        results.append(after)
    if short in ("Compose", "Sequential"):
        return current
    joined: Value = image
    for result in results:
        joined = join(joined, result)
    return joined


def step(call: OpCall, obj: Obj, short: str, image: Array, outer: Obj | None) -> Value:
    """One augmentation. All of them take arrays; only `ToTensorV2` passes tensors on."""
    if image.lib in ("torch", "pil") and short not in TENSORS:
        if obj.node is not None:
            call.run.fact(Refusal(short, obj, call.scope.file, "an array", image, outer))
        return Array()
    if short in TENSORS:
        return to_tensor(obj, image)
    if short == "Normalize":
        return normalize(call, obj, image)
    if short == "ToFloat":
        range_ = "unit" if image.range == "255" else None
        return image.but(range=range_, dtype="float32", origin=made(obj, "`ToFloat`", image, "range"))
    if short == "ToGray":
        count = number(obj.arg(0, "num_output_channels"))
        return with_channels(image, 1, "GRAY") if count == 1 else image.but(colour=None)
    if short in SIZES:
        return to_size(obj, short, image)
    maybe = obj.kwargs.get("p")
    return unsized(image) if short in RESIZING else image if maybe is not None else kept(short, image)


def kept(short: str, image: Array) -> Array:
    """Names that say that they crop, pad or resize change the size; the rest keeps it."""
    return unsized(image) if any(word in short for word in ("Crop", "Pad", "Resize", "Size")) else image


def to_size(obj: Obj, short: str, image: Array) -> Array:
    """`Resize(height, width)`; newer crops take `size=(height, width)`."""
    size = obj.kwargs.get("size")
    if isinstance(size, Seq) and size.items is not None and len(size.items) == 2:
        return sized(image, size.items[0], size.items[1])
    first = SIZES[short]
    height, width = obj.arg(first, "height"), obj.arg(first + 1, "width")
    if isinstance(height, Seq) and height.items is not None and len(height.items) == 2:
        return sized(image, height.items[0], height.items[1])
    if height is None or width is None or not all(isinstance(v, Const) or dims.poly_of(v) for v in (height, width)):
        return unsized(image)
    return sized(image, height, width)


def to_tensor(obj: Obj, image: Array) -> Array:
    """HWC → CHW; a grey image without an axis for its channel gets one. dtype and range stay."""
    origin = made(obj, "`ToTensorV2`: CHW", image, "layout")
    if image.lib == "torch":
        return image
    moved = channels_first(image) if image.layout in ("HWC", "HW") else image.but(lib="torch", layout=None, shape=None)
    return moved.but(grad=False, origin=origin)


def normalize(call: OpCall, obj: Obj, image: Array) -> Array:
    """`(image / max_pixel_value - mean) / std`, ImageNet's by default, for pixels of 0–255."""
    given = obj.arg(0, "mean"), obj.arg(1, "std"), obj.kwargs.get("max_pixel_value", Const(255.0))
    mean = IMAGENET_MEAN if given[0] is None else statistics(given[0])
    std = IMAGENET_STD if given[1] is None else statistics(given[1])
    top = number(given[2])
    place = Place(obj.file, obj.node) if obj.node is not None and obj.file else None
    plain = "normalization" not in obj.kwargs
    if mean is not None and std is not None and top and plain and image.layout in ("HWC", "HW"):
        # in the terms of a normalisation of what the image is now
        scaled = tuple(m * top for m in mean), tuple(s * top for s in std)
        shown = scaled if top > 1 else (mean, std)
        where = image.but(layout="CHW", shape=None)
        call.run.fact(Normalisation("Normalize", call.node, call.scope.file, *shown, where, place))
    if plain and is_imagenet(mean):
        wants = {"colour": "RGB"}
        sink = "`Normalize` with ImageNet statistics"
        call.run.fact(ImageUse(call.node, call.scope.file, image, sink, wants, call.run.via, place, True))
    stats = (mean, std) if mean is not None and std is not None and plain else None
    return image.but(range="norm", dtype="float32", stats=stats, origin=made(obj, "`Normalize`", image, "range"))


def made(obj: Obj, text: str, image: Array, sets: str = "") -> Step | None:
    """An origin step where the augmentation was built."""
    if obj.node is None or not obj.file:
        return image.origin
    return Step(Place(obj.file, obj.node), text, image.origin, sets)
