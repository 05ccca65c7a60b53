"""OpenCV: images are HWC and BGR unless a conversion says otherwise; sizes are (width, height)."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.image_facts import ColourChange
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Const, Ext, Seq, Unknown, Value, known, number
from trainlint.ops.images import (
    CHANNELS,
    channel_count,
    check_order,
    dtype_name,
    height_width,
    image_argument,
    pair,
    picture,
    sink,
    sized,
    unsized,
)

kind("capture", "cv2.VideoCapture", "imutils.video.VideoStream", "imutils.video.FileVideoStream")
kind("video writer", "cv2.VideoWriter")

# spellings of colour spaces in the names of conversions
SPACES = {"LAB": "Lab", "LUV": "Luv", "YCR": "YCrCb", "YCRCB": "YCrCb", "LBGR": "BGR", "LRGB": "RGB"}
WRITES = {"colour": "BGR", "layout": "HWC"}
# (name of the flag, its number) → colour of what is read
FLAGS = {
    "IMREAD_GRAYSCALE": "GRAY", "IMREAD_COLOR_RGB": "RGB", "IMREAD_COLOR": "BGR", "IMREAD_COLOR_BGR": "BGR",
    "0": "GRAY", "1": "BGR", "256": "RGB",
}  # fmt: skip


@op("cv2.imread", "cv2.imdecode")
def imread(call: OpCall) -> Value | None:
    """BGR, 0–255, HWC; grey with IMREAD_GRAYSCALE; channels and depth of the file with IMREAD_UNCHANGED."""
    flag = call.arg(1, "flags")
    if flag is None:
        colour: str | None = "BGR"
    elif isinstance(flag, Ext):
        colour = FLAGS.get(flag.name.rpartition(".")[2])
    else:
        value = known(flag)
        colour = FLAGS.get(str(value)) if isinstance(value, int) and not isinstance(value, bool) else None
    if colour is None:
        return Array(
            "numpy", "HWC", None, "BGR?", None, None, grad=False, origin=call.step("read by cv2", None, "image")
        )
    what = {"GRAY": "read as grey", "BGR": "read as BGR", "RGB": "read as RGB"}[colour]
    return picture(call, "numpy", colour, f"{what} by `{call.name}`")


@op("cv2.cvtColor")
def cvt_color(call: OpCall) -> Value | None:
    """`COLOR_BGR2RGB` and its kin, by their names."""
    image, code = image_argument(call, 0, "src"), call.arg(1, "code")
    name = code.name.rpartition(".")[2].removeprefix("COLOR_") if isinstance(code, Ext) else ""
    source, _, target = name.partition("2")
    target, _, rest = target.partition("_")
    source, target = (SPACES.get(c.partition("_")[0], c) for c in (source, target))
    if target not in CHANNELS or source not in CHANNELS or rest not in ("", "FULL", "CB", "CRCB"):
        return Array(
            "numpy", "HW" if target == "GRAY" else None, None, target if target in CHANNELS else None, grad=False
        )
    layout = "HW" if target == "GRAY" else "HWC"
    if image is None:
        origin = call.step(f"converted to {target}", None, "image layout colour channels")
        return Array("numpy", layout, CHANNELS[target], target, None, None, grad=False, origin=origin)
    call.run.fact(ColourChange(f"COLOR_{name}", call.node, call.scope.file, source, target, image))
    range_ = image.range if target in ("RGB", "BGR", "GRAY", "RGBA", "BGRA") else None
    height, width = height_width(image)
    shape: tuple[Value, ...] = (height, width)
    if layout == "HWC":
        shape = (*shape, Const(CHANNELS[target]))
    return Array(
        "numpy", layout, CHANNELS[target], result_colour(image.colour, source, target), range_, image.dtype, shape,
        False, likely=image.likely, origin=call.step(f"converted to {target}", image, "layout colour channels"),
    )  # fmt: skip


SWAP = {"RGB": "BGR", "BGR": "RGB", "RGBA": "BGRA", "BGRA": "RGBA"}


def result_colour(colour: str | None, source: str, target: str) -> str | None:
    """The colour after a conversion. Of an image in the other order than the conversion takes, the other order of what
    it gives; nothing known where that is no order of red and blue."""
    order = (colour or "")[:3]
    if order not in SWAP or source not in SWAP or order == source[:3]:
        return target
    return "GRAY" if target == "GRAY" else SWAP.get(target)


@op("cv2.resize")
def resize(call: OpCall) -> Value | None:
    """`resize(image, (width, height))`; a single channel loses its axis."""
    image = image_argument(call, 0, "src")
    if image is None:
        return None
    size = call.arg(1, "dsize")
    check_order(call, image, size, "(width, height)", "dsize", 1)
    to = pair(size) if isinstance(size, Seq) else None
    if image.layout == "HWC" and channel_count(image) == 1:
        height, width = height_width(image)
        image = image.but(layout="HW", shape=(height, width))
    return sized(image, to[1], to[0]) if to is not None else unsized(image)


@op("cv2.warpAffine", "cv2.warpPerspective")
def warp(call: OpCall) -> Value | None:
    """`warpAffine(image, matrix, (width, height))`."""
    image = image_argument(call, 0, "src")
    if image is None:
        return None
    check_order(call, image, call.arg(2, "dsize"), "(width, height)", "dsize", 2)
    to = pair(call.arg(2, "dsize"))
    return sized(image, to[1], to[0]) if to is not None else unsized(image)


@op("cv2.copyMakeBorder")
def border(call: OpCall) -> Value | None:
    image = image_argument(call, 0, "src")
    if image is None:
        return None
    top, bottom, left, right = (call.arg(i + 1, name) for i, name in enumerate(("top", "bottom", "left", "right")))
    height, width = height_width(image)
    return sized(image, dims.add(height, dims.add(top, bottom)), dims.add(width, dims.add(left, right)))


@op("cv2.rotate")
def rotate(call: OpCall) -> Value | None:
    image = image_argument(call, 0, "src")
    if image is None or repr(call.arg(1, "rotateCode")).endswith("180"):
        return image
    # the sizes are exchanged; what is height and what is width of the new image is not asked
    return unsized(image)


@op(
    "cv2.GaussianBlur", "cv2.blur", "cv2.bilateralFilter", "cv2.filter2D", "cv2.dilate", "cv2.erode",
    "cv2.morphologyEx", "cv2.fastNlMeansDenoisingColored", "cv2.fastNlMeansDenoising", "cv2.medianBlur",
    "cv2.bitwise_not", "cv2.convertScaleAbs", "cv2.addWeighted", "cv2.equalizeHist", "cv2.bitwise_and",
    "cv2.rectangle", "cv2.putText", "cv2.circle", "cv2.line", "cv2.polylines", "cv2.LUT", "cv2.undistort",
    "cv2.remap", "cv2.inpaint",
)  # fmt: skip
def kept(call: OpCall) -> Value | None:
    """Filters and drawings keep everything; `remap` gives another size."""
    image = call.args[0] if call.args else None
    if not isinstance(image, Array):
        return None
    return unsized(image) if call.name == "cv2.remap" else image


@op("cv2.Canny", "cv2.inRange")
def edges(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    size = height_width(image) if isinstance(image, Array) else None
    return picture(call, "numpy", "GRAY", f"made by `{call.name}`", size=size)


@op("cv2.threshold")
def threshold(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    return Seq("tuple", [Unknown("threshold"), image]) if isinstance(image, Array) else None


@op("cv2.applyColorMap")
def colour_map(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    size = height_width(image) if isinstance(image, Array) else None
    return picture(call, "numpy", "BGR", "coloured (BGR) by `cv2.applyColorMap`", size=size)


@op("cv2.split")
def split(call: OpCall) -> Value | None:
    """One plane a channel; each remembers its colour by its letter."""
    image = image_argument(call, 0, "m")
    count = channel_count(image) if image is not None else None
    if image is None or count is None or image.layout != "HWC":
        return Unknown("planes")
    letters = image.colour if image.colour in ("RGB", "BGR", "RGBA", "BGRA") else None
    height, width = height_width(image)
    return Seq(
        "tuple",
        [
            image.but(layout="HW", channels=1, colour=letters[i] if letters else None, shape=(height, width))
            for i in range(count)
        ],
    )


@op("cv2.merge")
def merge(call: OpCall) -> Value | None:
    """Planes put together in the order given."""
    planes = call.arg(0, "mv")
    if not isinstance(planes, Seq) or planes.items is None or not planes.items:
        return Unknown("an image")
    first = planes.items[0]
    if not all(isinstance(p, Array) for p in planes.items) or not isinstance(first, Array):
        return Unknown("an image")
    letters = "".join((p.colour or "?") if isinstance(p, Array) else "?" for p in planes.items)
    colour = letters if letters in ("RGB", "BGR", "RGBA", "BGRA") else None
    height, width = height_width(first)
    count = len(planes.items)
    origin = call.step(f"merged to {colour}" if colour else "merged", first, "colour channels layout")
    return first.but(layout="HWC", channels=count, colour=colour, shape=(height, width, Const(count)), origin=origin)


@op("cv2.normalize")
def normalize(call: OpCall) -> Value | None:
    """Scaled to the range from alpha to beta."""
    image = image_argument(call, 0, "src")
    if image is None:
        return None
    low, high = number(call.arg(2, "alpha")), number(call.arg(3, "beta"))
    minmax = repr(call.arg(4, "norm_type")).endswith("NORM_MINMAX")
    bounds = sorted(n for n in (low, high) if n is not None)
    range_ = None
    if minmax and bounds in ([0, 1], [0, 255]):
        range_ = "unit" if bounds[1] == 1 else "255"
    dtype = dtype_name(call.arg(5, "dtype"))
    kinds = {"CV_32F": "float32", "CV_64F": "float64", "CV_8U": "uint8", "CV_32FC3": "float32", "CV_8UC3": "uint8"}
    return image.but(range=range_, dtype=kinds.get(dtype or "", image.dtype if dtype is None else None))


@op("cv2.dnn.blobFromImage", "cv2.dnn.blobFromImages")
def blob(call: OpCall) -> Value | None:
    """NCHW of float32; `swapRB` exchanges red and blue, the scale factor is multiplied after the mean is subtracted."""
    image = image_argument(call, 0, "image")
    if image is None or call.name.endswith("s"):
        return Array("numpy", "NCHW", dtype="float32", grad=False)
    size = pair(call.arg(2, "size"))
    height, width = height_width(image) if size is None else (size[1], size[0])
    scale, mean, swap = number(call.arg(1, "scalefactor")), call.arg(3, "mean"), known(call.arg(4, "swapRB"))
    range_ = None
    if image.range == "255" and mean is None:
        factor = 1.0 if call.arg(1, "scalefactor") is None else scale
        range_ = "255" if factor == 1.0 else "unit" if factor is not None and abs(factor * 255 - 1) < 0.01 else None
    colour = image.colour if not swap else SWAP.get(image.colour or "")
    count = channel_count(image)
    shape = (Const(1), Const(count) if count else Unknown("channels"), height, width)
    text = "made a blob, channels first" + (", red and blue exchanged" if swap else "")
    origin = call.step(text, image, "layout" + (" colour" if swap else ""))
    return image.but(layout="NCHW", shape=shape, dtype="float32", range=range_, colour=colour, origin=origin)


@op("cv2.imwrite", "cv2.imshow", "cv2.imencode")
def write(call: OpCall) -> Value | None:
    """These take BGR, channels last."""
    sink(call, call.arg(1, "img"), f"`{call.name}`", WRITES)
    return Seq("tuple", [Unknown("ok"), Unknown("buffer")]) if call.name.endswith("imencode") else Const(None)


@method("capture", "read", "retrieve")
def read_frame(call: OpCall) -> Value | None:
    obj = call.receiver
    video = getattr(obj, "name", "").startswith("cv2")
    frame = picture(call, "numpy", "BGR", "a frame read as BGR by `cv2.VideoCapture`")
    return Seq("tuple", [Unknown("ok"), frame]) if video else frame


@method("video writer", "__init__")
def writer(call: OpCall) -> Value | None:
    """`VideoWriter(path, fourcc, fps, (width, height))`."""
    check_order(call, Unknown("frames"), call.arg(3, "frameSize"), "(width, height)", "frameSize", 3)
    return None


@method("video writer", "write")
def write_frame(call: OpCall) -> Value | None:
    sink(call, call.arg(0, "image"), "`cv2.VideoWriter.write`", WRITES)
    return Const(None)
