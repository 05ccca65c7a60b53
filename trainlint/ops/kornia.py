"""kornia: images to tensors, colours of tensors with the channels first."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.image_facts import ColourChange
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Value, known
from trainlint.ops.images import channels_first, pair, sized, unsized, with_channels
from trainlint.ops.layout import batched
from trainlint.ops.normalise import normalised

# function → (order that it takes, order that it gives)
COLOURS = {
    "bgr_to_rgb": ("BGR", "RGB"), "rgb_to_bgr": ("RGB", "BGR"), "rgb_to_hsv": ("RGB", "HSV"),
    "rgb_to_lab": ("RGB", "Lab"), "rgb_to_ycbcr": ("RGB", "YCbCr"), "rgb_to_grayscale": ("RGB", "GRAY"),
    "bgr_to_grayscale": ("BGR", "GRAY"),
}  # fmt: skip
SWAP = {"RGB": "BGR", "BGR": "RGB"}


@op("kornia.image_to_tensor", "kornia.utils.image_to_tensor", "kornia.utils.image.image_to_tensor")
def image_to_tensor(call: OpCall) -> Value | None:
    """HWC array → CHW tensor (`keepdim=False`: with a batch axis); neither scaled nor cast."""
    image = call.arg(0, "image")
    if not isinstance(image, Array) or image.layout not in ("HWC", "HW"):
        return None
    moved = channels_first(image).but(grad=False, origin=call.step("`image_to_tensor`: CHW", image, "layout"))
    if known(call.arg(1, "keepdim")) is not False:
        return moved
    shape = None
    if moved.shape is not None:
        shape = (Const(1), *moved.shape)
    return moved.but(layout=batched(moved.layout), shape=shape)


def colour(call: OpCall) -> Value | None:
    """A conversion of colours of a tensor."""
    short = call.name.rpartition(".")[2]
    image = call.arg(0, "image")
    if not isinstance(image, Array):
        return None
    source, target = COLOURS[short]
    call.run.fact(ColourChange(short, call.node, call.scope.file, source, target, image))
    order = (image.colour or "").rstrip("?")
    gives: str | None = target
    if order in SWAP and order != source:
        gives = SWAP.get(target)
    origin = call.step(f"converted to {target}", image, "colour channels" if target == "GRAY" else "colour")
    if target == "GRAY":
        return with_channels(image, 1, "GRAY").but(origin=origin)
    return image.but(colour=gives, origin=origin, range=image.range if target in SWAP else None)


for _name in COLOURS:
    op(f"kornia.color.{_name}")(colour)


@op("kornia.enhance.normalize")
def normalize(call: OpCall) -> Value | None:
    image = call.arg(0, "data")
    if not isinstance(image, Array):
        return None
    return normalised(call, None, image, call.arg(1, "mean"), call.arg(2, "std"), call.step)


@op("kornia.geometry.transform.resize", "kornia.geometry.resize")
def resize(call: OpCall) -> Value | None:
    """`resize(input, (height, width))`."""
    image, to = call.arg(0, "input"), pair(call.arg(1, "size"))
    if not isinstance(image, Array):
        return None
    exact = to is not None and to[0] is not to[1]
    return sized(image, to[0], to[1]) if to is not None and exact else unsized(image)
