"""OpenCV: images are HWC and BGR unless a conversion says otherwise."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Array, Const, Ext, Seq, Unknown, Value
from trainlint.ops.layers import first_array, use

kind("capture", "cv2.VideoCapture", "imutils.video.VideoStream")

CHANNELS = {"RGB": 3, "BGR": 3, "GRAY": 1, "RGBA": 4, "BGRA": 4, "HSV": 3, "HLS": 3, "LAB": 3, "Lab": 3, "YCrCb": 3}


@op("cv2.imread", "cv2.imdecode")
def imread(call: OpCall) -> Value | None:
    """BGR, 0–255, HWC; grey with IMREAD_GRAYSCALE; unknown channels with IMREAD_UNCHANGED."""
    flag = call.arg(1, "flags")
    name = flag.name.rpartition(".")[2] if isinstance(flag, Ext) else ""
    value = flag.value if isinstance(flag, Const) else None
    if name == "IMREAD_GRAYSCALE" or (value == 0 and not isinstance(value, bool)):
        return Array("numpy", "HW", 1, "GRAY", "255", "uint8", grad=False, origin=call.step("grey, read by cv2"))
    if name == "IMREAD_COLOR_RGB":
        return Array("numpy", "HWC", 3, "RGB", "255", "uint8", grad=False, origin=call.step("RGB, read by cv2"))
    if flag is None or name in ("IMREAD_COLOR", "IMREAD_COLOR_BGR") or value == 1:
        origin = call.step(f"read as BGR by `{call.name}`")
        return Array("numpy", "HWC", 3, "BGR", "255", "uint8", grad=False, origin=origin)
    return Array("numpy", "HWC", None, None, None, grad=False, origin=call.step("read by cv2"))


@op("cv2.cvtColor")
def cvt_color(call: OpCall) -> Value | None:
    """`COLOR_BGR2RGB` and its kin, by their names."""
    image, code = first_array(call), call.arg(1, "code")
    name = code.name.rpartition(".")[2].removeprefix("COLOR_") if isinstance(code, Ext) else ""
    if "2" not in name:
        return Array("numpy", image.layout if image is not None else None, grad=False)
    target = name.partition("2")[2].partition("_")[0]
    layout = "HW" if target == "GRAY" else "HWC"
    range_ = image.range if image is not None and target in ("RGB", "BGR", "GRAY", "RGBA", "BGRA") else None
    origin = call.step(f"converted to {target}", image)
    return Array("numpy", layout, CHANNELS.get(target), target, range_, grad=False, origin=origin)


@op("cv2.resize", "cv2.GaussianBlur", "cv2.medianBlur", "cv2.warpAffine", "cv2.warpPerspective", "cv2.copyMakeBorder")
def resized(call: OpCall) -> Value | None:
    """Keeps everything but the size."""
    image = first_array(call)
    return image.but(shape=None) if image is not None else None


@op("cv2.imwrite", "cv2.imshow")
def write(call: OpCall) -> Value | None:
    image = call.arg(1, "img")
    if isinstance(image, Array):
        use(call, image, f"`{call.name}`", {"colour": "BGR", "layout": "HWC"})
    return Const(None)


@method("capture", "read")
def read_frame(call: OpCall) -> Value | None:
    origin = call.step("a frame read as BGR by `cv2.VideoCapture`")
    frame = Array("numpy", "HWC", 3, "BGR", "255", "uint8", grad=False, origin=origin)
    return Seq("tuple", [Unknown("ok"), frame])


@op("cv2.split", "cv2.merge", "cv2.dnn.blobFromImage", "cv2.applyColorMap", "cv2.addWeighted")
def other(call: OpCall) -> Value | None:
    return Unknown(call.name)


@op("imageio.imread", "imageio.v2.imread", "imageio.v3.imread", "skimage.io.imread", "matplotlib.pyplot.imread")
def rgb_reader(call: OpCall) -> Value | None:
    """These read RGB (grey and RGBA files keep their own number of channels)."""
    range_ = None if call.name.startswith("matplotlib") else "255"
    origin = call.step(f"read by `{call.name}`")
    return Array("numpy", "HWC", None, None, range_, grad=False, origin=origin)
