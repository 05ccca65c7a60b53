"""PIL images: `size` is (width, height), an array of one is HWC, or HW where the mode has one band."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, alias, array_method, op
from trainlint.analysis.values import Const, Seq, Unknown, Value, known
from trainlint.ops.images import (
    channels_last,
    check_order,
    height_width,
    new_size,
    pair,
    picture,
    sink,
    sized,
    unsized,
    with_channels,
)

alias("PIL.Image.", "Image.")
# mode → (colour, channels, range, dtype of an array of it)
MODES: dict[str, tuple[str, int, str | None, str]] = {
    "RGB": ("RGB", 3, "255", "uint8"),
    "L": ("GRAY", 1, "255", "uint8"),
    "RGBA": ("RGBA", 4, "255", "uint8"),
    "HSV": ("HSV", 3, "255", "uint8"),
    "LAB": ("Lab", 3, "255", "uint8"),
    "YCbCr": ("YCbCr", 3, "255", "uint8"),
    "CMYK": ("CMYK", 4, "255", "uint8"),
    "1": ("GRAY", 1, None, "bool"),
    "P": ("P", 1, None, "uint8"),
    "I": ("GRAY", 1, None, "int32"),
    "F": ("GRAY", 1, None, "float32"),
}
BANDS = {"RGB": "RGB", "RGBA": "RGBA", "GRAY": "L", "HSV": "HSV", "CMYK": "CMYK"}


@op("PIL.Image.open", "torchvision.datasets.folder.pil_loader", "PIL.ImageGrab.grab")
def open_(call: OpCall) -> Value | None:
    """An image of unknown mode; its colours, if it has any, are in the order RGB. `pil_loader` converts to RGB."""
    colour = "RGB" if call.name.endswith("pil_loader") else "RGB?"
    return picture(call, "pil", colour, "opened by PIL")


@op("PIL.Image.new")
def new(call: OpCall) -> Value | None:
    mode, size = call.const(0, "mode"), pair(call.arg(1, "size"))
    if not isinstance(mode, str) or mode not in MODES:
        return picture(call, "pil", None, "made by PIL")
    colour, _, range_, dtype = MODES[mode]
    extent = (size[1], size[0]) if size is not None else None
    return picture(call, "pil", colour, f"made by PIL with mode {mode}", range_=range_, dtype=dtype, size=extent)


@array_method("pil.convert")
def convert(call: OpCall) -> Value | None:
    image, mode = call.receiver, call.const(0, "mode")
    if not isinstance(image, Array):
        return None
    origin = call.step(f"converted to {mode}", image, "colour channels")
    if not isinstance(mode, str) or mode not in MODES:
        return image.but(colour=None, channels=None, range=None, shape=None, origin=origin)
    colour, channels, range_, dtype = MODES[mode]
    if mode in ("RGB", "RGBA") and image.colour in ("BGR", "BGRA"):
        # PIL does not know that red and blue are exchanged
        colour = "BGR" if mode == "RGB" else "BGRA"
    return with_channels(image, channels, colour).but(range=range_, dtype=dtype, origin=origin)


@array_method("pil.resize", "pil.reduce")
def resize(call: OpCall) -> Value | None:
    """`resize((width, height))`."""
    image = call.receiver
    if not isinstance(image, Array):
        return None
    size = pair(call.arg(0, "size")) if call.name == "resize" else None
    if size is None:
        return unsized(image)
    check_order(call, image, call.arg(0, "size"), "(width, height)", "size", 0)
    return sized(image, size[1], size[0])


@array_method("pil.crop")
def crop(call: OpCall) -> Value | None:
    """`crop((left, top, right, bottom))`."""
    image, box = call.receiver, call.arg(0, "box")
    if not isinstance(image, Array):
        return None
    if not isinstance(box, Seq) or box.items is None or len(box.items) != 4:
        return unsized(image)
    left, top, right, bottom = box.items
    return sized(image, dims.sub(bottom, top), dims.sub(right, left))


@array_method("pil.rotate", "pil.transpose")
def rotate(call: OpCall) -> Value | None:
    """A mirror image keeps its size; a rotation keeps it unless it is told to expand."""
    image = call.receiver
    if not isinstance(image, Array):
        return None
    if call.name == "rotate":
        return image if "expand" not in call.kwargs and len(call.args) < 3 else unsized(image)
    how = repr(call.arg(0, "method"))
    return image if how.endswith(("FLIP_LEFT_RIGHT", "FLIP_TOP_BOTTOM", "ROTATE_180")) else unsized(image)


@array_method("pil.copy", "pil.filter", "pil.point", "pil.effect_spread")
def kept(call: OpCall) -> Value | None:
    return call.receiver


@array_method("pil.thumbnail")
def thumbnail(call: OpCall) -> Value | None:
    """Changes the image itself."""
    image = call.receiver
    if isinstance(image, Array):
        image.shape = unsized(image).shape
    return Const(None)


@array_method("pil.save", "pil.show", "pil.load", "pil.paste", "pil.putpixel", "pil.close", "pil.verify")
def nothing(call: OpCall) -> Value | None:
    return Const(None)


@array_method("pil.split")
def split(call: OpCall) -> Value | None:
    """One grey image a band."""
    image = call.receiver
    if not isinstance(image, Array) or image.channels is None:
        return Unknown("bands")
    plane = with_channels(image, 1, "GRAY")
    return Seq("tuple", [plane] * image.channels)


@array_method("pil.getbands")
def getbands(call: OpCall) -> Value | None:
    image = call.receiver
    bands = BANDS.get(image.colour or "") if isinstance(image, Array) else None
    return Seq("tuple", [Const(band) for band in bands]) if bands else Unknown("bands")


@array_method("pil..size")
def size(call: OpCall) -> Value | None:
    """`(width, height)`."""
    if not isinstance(call.receiver, Array):
        return None
    height, width = height_width(call.receiver)
    return Seq("tuple", [width, height])


@array_method("pil..width", "pil..height")
def extent(call: OpCall) -> Value | None:
    if not isinstance(call.receiver, Array):
        return None
    height, width = height_width(call.receiver)
    return width if call.name.endswith("width") else height


@array_method("pil..mode")
def mode(call: OpCall) -> Value | None:
    """Known where a conversion decided it."""
    image = call.receiver
    names = [m for m in ("RGB", "L", "RGBA", "HSV", "CMYK") if isinstance(image, Array) and MODES[m][0] == image.colour]
    return Const(names[0]) if names and isinstance(image, Array) and image.range == "255" else Unknown("mode")


@op("PIL.Image.fromarray")
def fromarray(call: OpCall) -> Value | None:
    """PIL takes the array for RGB and HWC."""
    image = call.args[0] if call.args else None
    if not isinstance(image, Array):
        return picture(call, "pil", None, "made a PIL image")
    if len(call.args) == 1 and "mode" not in call.kwargs:
        sink(call, image, "`Image.fromarray`", {"colour": "RGB", "layout": "HWC"})
    origin = call.step("made a PIL image", image)
    colour = image.colour if image.colour in ("RGB", "BGR", "GRAY", "RGBA", "BGRA", "RGB?") else None
    if image.layout is None and image.shape is not None and len(call.args) == 1 and not call.kwargs:
        image = with_letters(image, image.shape)
        colour = colour or image.colour
    result = image if image.layout in ("HW", "HWC") else channels_last(image.but(layout=None, shape=None))
    if result.shape is None:
        extra: tuple[Value, ...] = () if result.layout == "HW" else (Unknown("channels"),)
        result = result.but(shape=(new_size("H"), new_size("W"), *extra))
    layout = result.layout or "HWC"
    return result.but(lib="pil", origin=origin, colour=colour, layout=layout, grad=False)


def with_letters(image: Array, shape: tuple[Value, ...]) -> Array:
    """The axes and the mode that PIL finds in an array of bytes (PIL/Image.py, `_fromarray_typemap`)."""
    if image.dtype != "uint8":
        return image
    if len(shape) == 2:
        return image.but(layout="HW", channels=1, colour="GRAY", shape=shape)
    modes = {3: "RGB", 4: "RGBA"}
    count = known(shape[2]) if len(shape) == 3 else None
    return image.but(layout="HWC", channels=count, colour=modes[count], shape=shape) if count in modes else image


@op("PIL.ImageOps.grayscale")
def grayscale(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    if not isinstance(image, Array):
        return None
    return with_channels(image, 1, "GRAY").but(origin=call.step("made grey", image, "colour channels"))


@op(
    "PIL.ImageOps.mirror", "PIL.ImageOps.flip", "PIL.ImageOps.equalize", "PIL.ImageOps.autocontrast",
    "PIL.ImageOps.invert", "PIL.ImageOps.exif_transpose", "PIL.ImageOps.posterize", "PIL.ImageOps.solarize",
)  # fmt: skip
def image_ops(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    if not isinstance(image, Array):
        return None
    return unsized(image) if call.name.endswith("exif_transpose") else image


@op("PIL.ImageOps.fit", "PIL.ImageOps.pad")
def fitted(call: OpCall) -> Value | None:
    """`fit(image, (width, height))`."""
    image, to = call.args[0] if call.args else None, pair(call.arg(1, "size"))
    if not isinstance(image, Array):
        return None
    return sized(image, to[1], to[0]) if to is not None else unsized(image)


def as_array(call: OpCall, image: Array) -> Array:
    """`numpy.array(image)`: (H, W) or (H, W, C). Where the mode is not known, channels at the end are likely."""
    origin = call.step(call.name, image)
    unknown = image.channels is None and image.layout != "HW"
    shape = None if unknown else image.shape
    return image.but(lib="numpy", grad=False, shape=shape, origin=origin, likely=image.likely or unknown)
