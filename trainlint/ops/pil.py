"""PIL images: size is (width, height), an array of one is HWC; matplotlib shows HWC and RGB."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, alias, array_method, method, op
from trainlint.analysis.values import Array, Const, Unknown, Value
from trainlint.ops.layers import first_array, use

alias("PIL.Image.", "Image.")
MODES = {
    "RGB": ("RGB", 3),
    "L": ("GRAY", 1),
    "RGBA": ("RGBA", 4),
    "HSV": ("HSV", 3),
    "CMYK": ("CMYK", 4),
    "1": ("GRAY", 1),
}


@op("PIL.Image.open")
def open_(call: OpCall) -> Value | None:
    """An image of unknown mode."""
    return Array("pil", "HWC", None, None, "255", "uint8", grad=False, origin=call.step("opened by PIL"))


@array_method("convert")
def convert(call: OpCall) -> Value | None:
    image, mode = call.receiver, call.const(0, "mode")
    if not isinstance(image, Array) or image.lib != "pil":
        return None
    colour, channels = MODES.get(mode if isinstance(mode, str) else "", (None, None))
    layout = "HW" if channels == 1 else "HWC"
    return image.but(colour=colour, channels=channels, layout=layout, origin=call.step(f"converted to {mode}", image))


@array_method("resize", "crop", "rotate", "filter", "thumbnail", "transpose_")
def geometry(call: OpCall) -> Value | None:
    image = call.receiver
    return image.but(shape=None) if isinstance(image, Array) and image.lib == "pil" else None


@op("PIL.Image.fromarray")
def fromarray(call: OpCall) -> Value | None:
    """PIL takes the array for RGB and HWC."""
    image = first_array(call)
    if image is None:
        return Array("pil", "HWC", None, None, "255", grad=False)
    if len(call.args) == 1 and "mode" not in call.kwargs:
        use(call, image, "`Image.fromarray`", {"colour": "RGB", "layout": "HWC"})
    origin = call.step("made a PIL image", image)
    colour = image.colour if image.colour != "HSV" else None
    return image.but(lib="pil", origin=origin, colour=colour)


@op("matplotlib.pyplot.imshow", "matplotlib.pyplot.imsave")
def imshow(call: OpCall) -> Value | None:
    index = 1 if call.name.endswith("imsave") else 0
    image = call.args[index] if len(call.args) > index else None
    if isinstance(image, Array) and "cmap" not in call.kwargs:
        use(call, image, f"`plt.{call.name.rpartition('.')[2]}`", {"colour": "RGB", "layout": "HWC"})
    return Unknown("axes image")


@method("axes", "imshow")
def axes_imshow(call: OpCall) -> Value | None:
    image = call.args[0] if call.args else None
    if isinstance(image, Array) and "cmap" not in call.kwargs:
        use(call, image, "`imshow`", {"colour": "RGB", "layout": "HWC"})
    return Const(None)


@op("matplotlib.pyplot.subplots")
def subplots(call: OpCall) -> Value | None:
    """A figure and its axes (one, or an array of them)."""
    from trainlint.analysis.values import Obj, Seq

    axes = Obj("matplotlib.axes.Axes", "axes", call.node)
    grid = Obj("matplotlib.axes.Axes", "axes", call.node)
    grid.attrs["element"] = axes
    return Seq("tuple", [Unknown("figure"), grid])


@op("matplotlib.pyplot.subplot", "matplotlib.pyplot.gca", "matplotlib.pyplot.axes")
def subplot(call: OpCall) -> Value | None:
    from trainlint.analysis.values import Obj

    return Obj("matplotlib.axes.Axes", "axes", call.node)


@method("axes", "__getitem__", "__iter__", "ravel", "flatten", "reshape")
def one_axes(call: OpCall) -> Value | None:
    return call.receiver
