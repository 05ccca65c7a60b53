"""Other readers and writers of images: skimage, imageio, decord, video of torchvision. All of them give RGB."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Const, Seq, Unknown, Value, known
from trainlint.ops.images import READ, height_width, new_size, pair, picture, sink, sized, unsized

kind("video", "decord.VideoReader")


@op("imageio.imread", "imageio.v2.imread", "imageio.v3.imread", "skimage.io.imread")
def imread(call: OpCall) -> Value | None:
    """RGB if the file has colours; grey and RGBA files keep their own number of channels."""
    if known(call.kwargs.get("as_gray")) is True:
        return picture(call, "numpy", "GRAY", f"read as grey by `{call.name}`", range_="unit", dtype="float64")
    return picture(call, "numpy", "RGB?", f"read by `{call.name}`")


@op("imageio.imwrite", "imageio.imsave", "imageio.v2.imwrite", "imageio.v3.imwrite", "skimage.io.imsave")
def imwrite(call: OpCall) -> Value | None:
    index, name = (1, "arr") if call.name.startswith("skimage") else (1, "im")
    sink(call, call.arg(index, name), f"`{call.name}`", {"colour": "RGB", "layout": "HWC"})
    return Const(None)


@op("skimage.io.imshow")
def imshow(call: OpCall) -> Value | None:
    sink(call, call.arg(0, "image"), "`skimage.io.imshow`", {"colour": "RGB", "layout": "HWC"})
    return Const(None)


@op("skimage.transform.resize")
def resize(call: OpCall) -> Value | None:
    """`resize(image, (height, width))`: floats of 0–1 unless the range is to be kept."""
    image, to = call.args[0] if call.args else None, pair(call.arg(1, "output_shape"))
    if not isinstance(image, Array):
        return None
    result = sized(image, *to) if to is not None else unsized(image)
    if known(call.kwargs.get("preserve_range")) is True:
        return result.but(dtype="float64")
    return result.but(dtype="float64", range="unit" if image.range in ("255", "unit") else None)


@op("skimage.img_as_float", "skimage.img_as_float32", "skimage.util.img_as_float")
def as_float(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    if not isinstance(image, Array):
        return None
    dtype = "float32" if call.name.endswith("32") else "float64"
    return image.but(dtype=dtype, range="unit" if image.dtype == "uint8" else image.range)


@op("skimage.img_as_ubyte", "skimage.util.img_as_ubyte")
def as_bytes(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    return image.but(dtype="uint8", range="255") if isinstance(image, Array) else None


@op("skimage.color.rgb2gray")
def grey(call: OpCall) -> Value | None:
    """Floats of 0–1, no axis for the channel."""
    image = call.args[0] if call.args else None
    size = height_width(image) if isinstance(image, Array) else None
    return picture(call, "numpy", "GRAY", "made grey by `rgb2gray`", range_="unit", dtype="float64", size=size)


@op("skimage.color.gray2rgb")
def three(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    size = height_width(image) if isinstance(image, Array) else None
    made = picture(call, "numpy", "RGB", "made RGB by `gray2rgb`", range_=None, dtype=None, size=size)
    return made.but(range=image.range, dtype=image.dtype) if isinstance(image, Array) else made


@op("torchvision.io.read_video")
def read_video(call: OpCall) -> Value | None:
    """(frames, audio, information): frames are THWC unless `output_format="TCHW"`."""
    layout = "TCHW" if known(call.arg(4, "output_format")) == "TCHW" else "THWC"
    sizes = {"T": new_size("T"), "H": new_size("H"), "W": new_size("W"), "C": Const(3)}
    shape = tuple(sizes[letter] for letter in layout)
    origin = call.step(f"read by `{call.name}`: {layout}", None, READ)
    frames = Array("torch", layout, 3, "RGB", "255", "uint8", shape, False, origin=origin)
    return Seq("tuple", [frames, Array(grad=False), Unknown("information")])


@method("video", "get_batch")
def frames(call: OpCall) -> Value | None:
    """Frames of decord, THWC in RGB."""
    origin = call.step("frames read by `decord`: THWC", None, READ)
    shape = (new_size("T"), new_size("H"), new_size("W"), Const(3))
    return Array("numpy", "THWC", 3, "RGB", "255", "uint8", shape, False, origin=origin)


@method("video", "__getitem__", "__iter__", "next")
def frame(call: OpCall) -> Value | None:
    return picture(call, "numpy", "RGB", "a frame read by `decord`")
