"""matplotlib shows images with the channels last, in RGB; PNG files are read as 0–1, others as 0–255."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, method, op
from trainlint.analysis.values import Const, Obj, Seq, Unknown, Value, known
from trainlint.ops.images import picture, sink

SHOWN = {"colour": "RGB", "layout": "HWC"}


@op("matplotlib.pyplot.imread", "matplotlib.image.imread")
def imread(call: OpCall) -> Value | None:
    """PNG: float 0–1; other files: 0–255; the mode of the file decides the channels."""
    name = known(call.arg(0, "fname"))
    ending = name.rpartition(".")[2].lower() if isinstance(name, str) and "." in name else None
    range_, dtype = {"png": ("unit", "float32"), None: (None, None)}.get(ending, ("255", "uint8"))
    return picture(call, "numpy", "RGB?", "read by `plt.imread`", range_=range_, dtype=dtype)


@op("matplotlib.pyplot.imshow", "matplotlib.pyplot.imsave", "matplotlib.image.imsave")
def imshow(call: OpCall) -> Value | None:
    name = call.name.rpartition(".")[2]
    index, word = (1, "arr") if name == "imsave" else (0, "X")
    show(call, call.arg(index, word), f"`plt.{name}`")
    return Unknown("axes image")


@method("axes", "imshow")
def axes_imshow(call: OpCall) -> Value | None:
    show(call, call.arg(0, "X"), "`imshow`")
    return Const(None)


def show(call: OpCall, image: Value | None, name: str) -> None:
    """A colour map is for images with one channel, so it says that colours are not meant."""
    wants = {"layout": "HWC"} if "cmap" in call.kwargs else SHOWN
    sink(call, image, name, wants)


@op("matplotlib.pyplot.subplots")
def subplots(call: OpCall) -> Value | None:
    """A figure and its axes (one, or an array of them)."""
    axes = Obj("matplotlib.axes.Axes", "axes", call.node)
    grid = Obj("matplotlib.axes.Axes", "axes", call.node)
    grid.attrs["element"] = axes
    return Seq("tuple", [Obj("matplotlib.figure.Figure", "figure", call.node), grid])


@op("matplotlib.pyplot.figure", "matplotlib.pyplot.gcf")
def figure(call: OpCall) -> Value | None:
    return Obj("matplotlib.figure.Figure", "figure", call.node)


@op("matplotlib.pyplot.subplot", "matplotlib.pyplot.gca", "matplotlib.pyplot.axes")
def subplot(call: OpCall) -> Value | None:
    return Obj("matplotlib.axes.Axes", "axes", call.node)


@method("figure", "add_subplot", "gca", "add_axes", "subplots")
def add_subplot(call: OpCall) -> Value | None:
    return Obj("matplotlib.axes.Axes", "axes", call.node)


@method("axes", "__getitem__", "__iter__", "ravel", "flatten", "reshape", ".flat")
def one_axes(call: OpCall) -> Value | None:
    return call.receiver
