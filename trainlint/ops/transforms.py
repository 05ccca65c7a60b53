"""`torchvision.transforms`, v1 and v2, as classes and as functions: what they do to shape, layout, range and dtype.

A step is one function for all its spellings: it gets the image and reads the arguments through `Given`, which hides
whether they were given to a class or to a function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.facts import AxisChange
from trainlint.analysis.image_facts import Refusal
from trainlint.analysis.joins import join
from trainlint.analysis.registry import OpCall, alias, called, kind, method, op
from trainlint.analysis.values import Const, Obj, Place, Seq, Step, Unknown, Value, is_none, known, number
from trainlint.ops.images import (
    channel_count,
    channels_first,
    channels_last,
    check_order,
    dtype_name,
    height_width,
    new_size,
    pair,
    sized,
    unsized,
    with_channels,
)
from trainlint.ops.normalise import normalised
from trainlint.syntax import ir

alias("torchvision.transforms.", "torchvision.transforms.transforms.")
alias("torchvision.transforms.functional.", "torchvision.transforms.v2.functional.")
kind("transform", "torchvision.transforms.*")


class Given:
    """The arguments of a step: `get(0, "size")` is the first after the image. `old` is False for `transforms.v2`."""

    __slots__ = ("call", "maker", "name", "old")

    def __init__(self, call: OpCall, maker: Obj | None, name: str, old: bool) -> None:
        self.call = call
        self.maker = maker
        self.name = name
        self.old = old

    def get(self, index: int, name: str) -> Value | None:
        if self.maker is not None:
            return self.maker.arg(index, name)
        return self.call.arg(index + 1, name)

    def step(self, text: str, image: Array, sets: str = "") -> Step:
        """An origin step where the transform was built (for a function: called)."""
        if self.maker is not None and self.maker.node is not None and self.maker.file:
            return Step(Place(self.maker.file, self.maker.node), text, image.origin, sets)
        return self.call.step(text, image, sets)

    def refuse(self, takes: str, image: Array) -> Value:
        """Report that the step raises; nothing is known of a result."""
        if self.maker is not None and self.maker.node is not None:
            pipeline = self.maker.attrs.get("[pipeline]")
            inside = pipeline if isinstance(pipeline, Obj) else None
            self.call.run.fact(Refusal(self.name, self.maker, self.call.scope.file, takes, image, inside))
        return Array()


Transform: TypeAlias = "Callable[[Given, Array], Value | None]"
STEPS: dict[str, Transform] = {}
# function of `transforms.functional` → the step it is
FUNCTIONS = {
    "to_tensor": "ToTensor", "pil_to_tensor": "PILToTensor", "to_image": "ToImage", "to_pil_image": "ToPILImage",
    "normalize": "Normalize", "resize": "Resize", "center_crop": "CenterCrop", "pad": "Pad", "five_crop": "FiveCrop",
    "ten_crop": "TenCrop", "to_grayscale": "Grayscale", "rgb_to_grayscale": "Grayscale",
    "convert_image_dtype": "ConvertImageDtype", "to_dtype": "ToDtype", "crop": "crop", "resized_crop": "resized_crop",
    "hflip": "kept", "vflip": "kept", "adjust_brightness": "kept", "adjust_contrast": "kept", "adjust_gamma": "kept",
    "adjust_hue": "kept", "adjust_saturation": "kept", "gaussian_blur": "kept", "horizontal_flip": "kept",
    "vertical_flip": "kept", "autocontrast": "kept", "equalize": "kept", "invert": "kept", "affine": "kept",
    "perspective": "kept", "erase": "kept", "adjust_sharpness": "kept", "rotate": "rotate",
}  # fmt: skip
# steps of v1 that need pixels of 0–255 in a tensor
WHOLE_NUMBERS = frozenset(
    ("AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix", "RandomPosterize", "RandomEqualize")
)
KEPT = (
    "RandomHorizontalFlip", "RandomVerticalFlip", "ColorJitter", "RandomAffine", "RandomPerspective", "GaussianBlur",
    "RandomInvert", "RandomSolarize", "RandomAdjustSharpness", "RandomAutocontrast", "ElasticTransform",
    "RandomGrayscale", "RandomPhotometricDistort", "GaussianNoise", "RandomChannelPermutation", "ClampBoundingBoxes",
    "SanitizeBoundingBoxes", *sorted(WHOLE_NUMBERS),
)  # fmt: skip


def transform(*names: str) -> Callable[[Transform], Transform]:
    """Register a step under the names of its classes."""

    def register(function: Transform) -> Transform:
        for name in names:
            STEPS[name] = function
        return function

    return register


@called("transform")
def apply(call: OpCall) -> Value | None:
    """An object of a transform class is called with an image (v2: and whatever belongs to it)."""
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    short = obj.name.rpartition(".")[2]
    if short in COMBINED:
        return COMBINED[short](call, obj)
    if not call.args:
        return Unknown("a transformed image")
    result = run_step(call, obj, call.args[0])
    if len(call.args) > 1 and ".v2." in obj.name:
        return Seq("tuple", [result, *(Unknown("a target") for _ in call.args[1:])])
    return result


def run_step(call: OpCall, obj: Obj, value: Value) -> Value:
    """One step on one image. An unknown image may still leave as something known."""
    short = obj.name.rpartition(".")[2]
    step = STEPS.get(short)
    if step is None or not (isinstance(value, Array) or short in ("ToTensor", "PILToTensor", "ToImage", "Normalize")):
        return Array(lib=value.lib, grad=False) if isinstance(value, Array) else Unknown("a transformed image")
    image = value if isinstance(value, Array) else Array("?", grad=False)
    if image.lib == "numpy" and ".v2." in obj.name and short not in ("ToTensor", "ToImage", "ToPILImage"):
        # v2 passes on what it does not know
        return image
    result = step(Given(call, obj, short, ".v2." not in obj.name), image)
    return result if result is not None else Unknown("a transformed image")


def as_function(call: OpCall) -> Value | None:
    """`transforms.functional.resize(image, size)` and its kin."""
    short = FUNCTIONS[call.name.rpartition(".")[2]]
    image = call.args[0] if call.args else call.kwargs.get("img", call.kwargs.get("pic", call.kwargs.get("inpt")))
    if not isinstance(image, Array):
        image = Array("?", grad=False) if short in ("ToTensor", "PILToTensor", "ToImage") else None
    return STEPS[short](Given(call, None, short, True), image) if isinstance(image, Array) else None


for _name in FUNCTIONS:
    op(f"torchvision.transforms.functional.{_name}")(as_function)


def compose(call: OpCall, obj: Obj) -> Value:
    """Applies its transforms in order."""
    steps = obj.arg(0, "transforms")
    if isinstance(steps, Seq) and steps.items is not None and call.args and not obj.spilled:
        values = list(call.args)
        for step in steps.items:
            if is_none(step):
                continue
            if isinstance(step, Obj):
                step.attrs["[pipeline]"] = obj
            result = invoke(call.run, call.scope, step, values, {}, call.node)
            values = list(result.items) if len(values) > 1 and isinstance(result, Seq) and result.items else [result]
        return values[0] if len(values) == 1 else Seq("tuple", values)
    return Unknown("a transformed image")


def perhaps(call: OpCall, obj: Obj) -> Value:
    """`RandomApply`: the image, or what the transforms make of it."""
    image = call.args[0] if call.args else Unknown()
    after = compose(call, obj)
    return join(image, after) if isinstance(image, Array) and isinstance(after, Array) else Unknown("an image")


def choice(call: OpCall, obj: Obj) -> Value:
    """`RandomChoice`: what one of the transforms makes."""
    steps = obj.arg(0, "transforms")
    if not isinstance(steps, Seq) or not steps.items or not call.args:
        return Unknown("a transformed image")
    result: Value | None = None
    for step in steps.items:
        after = invoke(call.run, call.scope, step, list(call.args), {}, call.node)
        result = after if result is None else join(result, after)
    return result or Unknown("a transformed image")


def user_function(call: OpCall, obj: Obj) -> Value:
    """`Lambda(f)`."""
    function = obj.arg(0, "lambd")
    return invoke(call.run, call.scope, function, call.args[:1], {}, call.node) if function is not None else Unknown()


COMBINED: dict[str, Callable[[OpCall, Obj], Value]] = {
    "Compose": compose, "RandomOrder": compose, "RandomApply": perhaps, "RandomChoice": choice, "Lambda": user_function,
}  # fmt: skip


@method("transform", "__init__")
def built(call: OpCall) -> Value | None:
    """A pipeline is gone through once with an image of which nothing is known: some orders fail for every image."""
    obj = call.receiver
    if not isinstance(obj, Obj) or not obj.name.endswith(".Compose") or obj.spilled:
        return None
    steps = obj.arg(0, "transforms")
    image: Value = Array("?", grad=False)
    for step in steps.items if isinstance(steps, Seq) and steps.items is not None else ():
        if is_none(step):
            continue
        short = step.name.rpartition(".")[2] if isinstance(step, Obj) and step.kind == "transform" else ""
        if isinstance(step, Obj) and short in STEPS and isinstance(image, Array):
            step.attrs["[pipeline]"] = obj
            image = run_step(call, step, image)
        else:
            image = Array("?", grad=False)
    return None


# steps


@transform("ToTensor")
def to_tensor(given: Given, image: Array) -> Value | None:
    """HWC 0–255 → CHW 0–1; grey images get a channel axis; arrays of other dtypes are not scaled."""
    if image.lib == "torch" and image.origin is not None:
        return given.refuse("a PIL image or an array", image) if given.old and given.maker else image
    origin = given.step("`ToTensor`: CHW", image, "layout range")
    if image.lib == "?":
        # an image that nothing is known of
        return Array(layout="CHW", range="unit", dtype="float32", grad=False, origin=origin)
    if image.layout is not None and len(image.layout) == 3 and image.layout != "HWC" and image.lib == "numpy":
        after, node = image.layout[2] + image.layout[:2], given.call.node
        if isinstance(node, ir.Call):
            file = given.call.scope.file
            given.call.run.fact(AxisChange("ToTensor", node, file, image.layout, after, None, image))
    moved = channels_first(image)
    if image.lib == "pil" and channel_count(image) is None:
        moved = moved.but(layout="CHW")
    eight_bit = image.dtype == "uint8"
    range_ = "unit" if image.range == "255" and eight_bit else image.range
    dtype = "float32" if eight_bit or image.dtype == "bool" else image.dtype
    return moved.but(range=range_, dtype=dtype, grad=False, origin=origin)


@transform("PILToTensor", "ToImage")
def pil_to_tensor(given: Given, image: Array) -> Value | None:
    """CHW, neither scaled nor cast."""
    if given.name == "PILToTensor" and given.old and given.maker is not None and image.lib in ("torch", "numpy"):
        return given.refuse("a PIL image", image) if image.origin is not None else Array()
    if image.lib == "torch":
        return image
    origin = given.step(f"`{given.name}`: CHW", image, "layout")
    if image.lib == "?":
        return Array(layout="CHW", grad=False, origin=origin)
    moved = channels_first(image)
    if image.lib == "pil" and channel_count(image) is None:
        moved = moved.but(layout="CHW")
    return moved.but(grad=False, origin=origin)


@transform("ToPILImage")
def to_pil(given: Given, image: Array) -> Value | None:
    """An ndarray is taken for HWC, a tensor for CHW; numbers of 0–1 become 0–255."""
    if image.lib == "pil" and image.origin is not None and given.old and given.maker is not None:
        return given.refuse("a tensor or an array", image)
    origin = given.step("`ToPILImage`", image, "layout")
    result = channels_last(image) if image.lib == "torch" else image
    if result.shape is None:
        axes = () if result.layout == "HW" else (Unknown("channels"),)
        result = result.but(shape=(new_size("H"), new_size("W"), *axes))
    layout = "HW" if result.layout == "HW" else "HWC"
    range_ = "255" if image.range in ("unit", "255") else None
    return result.but(lib="pil", layout=layout, range=range_, dtype="uint8", origin=origin)


@transform("Normalize")
def normalize(given: Given, image: Array) -> Value | None:
    """A float tensor, channels first."""
    refused = image.lib == "pil" or (image.lib == "numpy" and given.old)
    if refused and given.maker is not None:
        return given.refuse("a tensor", image)
    if image.lib == "torch" and image.dtype == "uint8" and image.origin is not None and given.maker is not None:
        if image.range != "255":
            return given.refuse("a tensor of floats", image)
    return normalised(given.call, given.maker, image, given.get(0, "mean"), given.get(1, "std"), given.step)


@transform("Resize")
def resize(given: Given, image: Array) -> Value | None:
    """`(height, width)`, or the shorter side where one number is given."""
    size = given.get(0, "size")
    if given.old and image.lib == "numpy" and given.maker is not None:
        return given.refuse("a PIL image or a tensor", image)
    if isinstance(size, Seq) and size.items is not None and len(size.items) == 2:
        check_order(given.call, image, size, "(height, width)", "size", 0 if given.maker is not None else 1)
        return sized(image, size.items[0], size.items[1])
    short = pair(size)
    limit = given.get(2, "max_size")
    if short is None or not (limit is None or is_none(limit)):
        return unsized(image)
    height, width = height_width(image)
    if dims.same(height, width):
        return sized(image, short[0], short[0])
    h, w, n = number(height), number(width), number(short[0])
    if isinstance(h, int) and isinstance(w, int) and isinstance(n, int) and h > 0 and w > 0:
        if h < w:
            return sized(image, Const(n), Const(int(n * w / h)))
        return sized(image, Const(int(n * h / w)), Const(n))
    return unsized(image)


@transform("CenterCrop", "RandomCrop", "RandomResizedCrop", "RandomSizedCrop")
def crop_to(given: Given, image: Array) -> Value | None:
    """Exactly the size that is given, `(height, width)` or a square."""
    if image.lib == "numpy":
        return given.refuse("a PIL image or a tensor", image) if given.old and given.maker is not None else image
    size = pair(given.get(0, "size"))
    return sized(image, *size) if size is not None else unsized(image)


@transform("crop")
def crop(given: Given, image: Array) -> Value | None:
    """`crop(image, top, left, height, width)`."""
    height, width = given.get(2, "height"), given.get(3, "width")
    return sized(image, height, width) if height is not None and width is not None else unsized(image)


@transform("resized_crop")
def resized_crop(given: Given, image: Array) -> Value | None:
    size = pair(given.get(4, "size"))
    return sized(image, *size) if size is not None else unsized(image)


@transform("Pad")
def pad(given: Given, image: Array) -> Value | None:
    """One number for all sides, two for left/right and top/bottom, four for left, top, right, bottom."""
    padding = given.get(0, "padding")
    items = padding.items if isinstance(padding, Seq) else [padding]
    if not items or None in items:
        return unsized(image)
    left, top, right, bottom = {1: items * 4, 2: items * 2, 4: items}.get(len(items), [None] * 4)
    height, width = height_width(image)
    return sized(image, dims.add(height, dims.add(top, bottom)), dims.add(width, dims.add(left, right)))


@transform("FiveCrop", "TenCrop")
def five_crop(given: Given, image: Array) -> Value | None:
    """Five (or ten) images of the size given."""
    size = pair(given.get(0, "size"))
    part = sized(image, *size) if size is not None else unsized(image)
    return Seq("tuple", [part] * (5 if given.name == "FiveCrop" else 10))


@transform("Grayscale")
def grayscale(given: Given, image: Array) -> Value | None:
    """One channel, or three equal ones."""
    if given.old and image.lib == "numpy" and given.maker is not None:
        return given.refuse("a PIL image or a tensor", image)
    value = given.get(0, "num_output_channels")
    count = 1 if value is None else known(value)
    if count not in (1, 3):
        return image.but(channels=None, colour=None, shape=None)
    colour = "GRAY" if count == 1 else None
    origin = given.step(f"`Grayscale`: {count} channel" + ("s" if count == 3 else ""), image, "channels colour")
    if image.lib == "?":
        return Array("?", None, count, colour, grad=False, origin=origin)
    return with_channels(image, count, colour).but(origin=origin)


@transform("ConvertImageDtype", "ToDtype")
def convert_dtype(given: Given, image: Array) -> Value | None:
    """Casts; 0–255 becomes 0–1 where whole numbers become floats (`ToDtype`: where `scale=True`)."""
    if image.lib == "pil":
        if given.name == "ConvertImageDtype" and given.old and given.maker is not None:
            return given.refuse("a tensor", image)
        return image
    dtype = dtype_name(given.get(0, "dtype")) if given.get(0, "dtype") is not None else "float32"
    floating = dtype is not None and "float" in dtype
    scaled = given.name == "ConvertImageDtype" or known(given.get(1, "scale")) is True
    range_ = image.range
    if image.range in ("255", "unit") and scaled:
        was_float = image.dtype is not None and "float" in image.dtype
        if floating and image.dtype == "uint8":
            range_ = "unit"
        elif dtype == "uint8" and was_float:
            range_ = "255"
        elif image.dtype is None:
            range_ = None
    origin = given.step(f"`{given.name}`", image, "range" if range_ != image.range else "")
    return image.but(range=range_, dtype=dtype, origin=origin)


@transform("RandomErasing")
def erasing(given: Given, image: Array) -> Value | None:
    if given.old and given.maker is not None and image.lib in ("pil", "numpy"):
        return given.refuse("a tensor", image)
    return image if image.lib != "?" else Array(grad=False, origin=given.step("`RandomErasing`", image))


@transform("RandomRotation", "rotate")
def rotation(given: Given, image: Array) -> Value | None:
    expand = given.maker.arg(2, "expand") if given.maker is not None else given.call.arg(3, "expand")
    return image if expand is None or known(expand) is False else unsized(image)


@transform("Scale", "ScaleJitter", "RandomShortestSize", "RandomZoomOut", "RandomIoUCrop", "RandomResize")
def some_size(given: Given, image: Array) -> Value | None:
    return unsized(image)


@transform("kept", "Identity", "ToPureTensor", *KEPT)
def kept(given: Given, image: Array) -> Value | None:
    """Flips, jitter, blur: everything stays. Those of v1 take no arrays, some no tensors of floats."""
    if given.old and given.maker is not None and given.name in KEPT:
        if image.lib == "numpy":
            return given.refuse("a PIL image or a tensor", image)
        floats = image.lib == "torch" and image.dtype is not None and image.dtype.startswith("float")
        if given.name in WHOLE_NUMBERS and floats and image.origin is not None:
            return given.refuse("a PIL image or a tensor of whole numbers (uint8)", image)
    return image
