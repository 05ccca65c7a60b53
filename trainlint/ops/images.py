"""What all image libraries share: new images, their height and width, the channels in front or at the end."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import ImageUse
from trainlint.analysis.image_facts import SizeOrder
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Atom, Const, Ext, Seq, Sym, Unknown, Value, alternatives, known, number
from trainlint.syntax import ir

# colour → channels; `RGB?` (RGB if it has colours) is not among them
CHANNELS = {
    "RGB": 3, "BGR": 3, "GRAY": 1, "RGBA": 4, "BGRA": 4, "HSV": 3, "HLS": 3, "Lab": 3, "Luv": 3, "YCrCb": 3,
    "YUV": 3, "XYZ": 3, "CMYK": 4, "YCbCr": 3,
}  # fmt: skip
READ = "image layout colour channels range"
# NumPy's and torch's dtypes, by the last part of their names
DTYPES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16"}


def new_size(name: str) -> Value:
    """The height (`H`) or width (`W`) of an image that nothing is known of: a symbol of its own."""
    return dims.symbol(name, key=("height" if name == "H" else "width", object()))


def picture(
    call: OpCall,
    lib: str,
    colour: str | None,
    text: str,
    *,
    range_: str | None = "255",
    dtype: str | None = "uint8",
    size: tuple[Value, Value] | None = None,
    sets: str = READ,
) -> Array:
    """A new image, channels last, as a library reads it: (H, W) where it is grey, else (H, W, C).

    Where the colour is not known the number of axes is not either, except for PIL, where an image counts as (H, W, ?).
    """
    height, width = size if size is not None else (new_size("H"), new_size("W"))
    count = CHANNELS.get(colour or "")
    origin = call.step(text, None, sets)
    if count == 1:
        return Array(
            "numpy" if lib == "numpy" else lib, "HW", 1, colour, range_, dtype, (height, width), False, origin=origin
        )
    axes: tuple[Value, ...] | None = (height, width, Const(count) if count is not None else Unknown("channels"))
    if count is None and lib != "pil":
        axes = None
    return Array(lib, "HWC", count, colour, range_, dtype, axes, False, origin=origin)


def place_of(image: Array) -> tuple[int, int] | None:
    """The axes of height and width: by the layout, for tensors without one the last two."""
    if image.layout is not None and "H" in image.layout and "W" in image.layout:
        return image.layout.index("H"), image.layout.index("W")
    if image.layout is None and image.lib == "torch" and image.shape is not None and len(image.shape) >= 2:
        return len(image.shape) - 2, len(image.shape) - 1
    return None


def height_width(image: Array) -> tuple[Value, Value]:
    """Height and width, Unknown where they are not known."""
    at = place_of(image)
    if at is not None and image.shape is not None and max(at) < len(image.shape):
        return image.shape[at[0]], image.shape[at[1]]
    if image.layout is None and image.lib == "torch" and image.tail is not None and len(image.tail) >= 2:
        return image.tail[-2], image.tail[-1]
    return Unknown("height"), Unknown("width")


def sized(image: Array, height: Value, width: Value) -> Array:
    """The image with another height and width."""
    at = place_of(image)
    if at is not None and image.shape is not None and max(at) < len(image.shape):
        shape = list(image.shape)
        shape[at[0]], shape[at[1]] = height, width
        return image.but(shape=tuple(shape))
    channels_first = image.layout is None or image.layout.endswith("HW")
    return image.but(shape=None, tail=(height, width) if image.lib == "torch" and channels_first else None)


def unsized(image: Array) -> Array:
    """The image with a height and width that are not known."""
    return sized(image, new_size("H"), new_size("W"))


def channel_count(image: Array) -> int | None:
    """The number of channels where it is known: by the tag, or by the size of the axis C."""
    if image.channels is not None:
        return image.channels
    if image.layout is not None and "C" in image.layout and image.shape is not None:
        at = image.layout.index("C")
        size = known(image.shape[at]) if at < len(image.shape) else None
        return size if isinstance(size, int) else None
    return None


def with_channels(image: Array, count: int, colour: str | None) -> Array:
    """The image with another number of channels. PIL and cv2 keep grey images without an axis for them."""
    layout, shape = image.layout, image.shape
    if layout is None or shape is None or len(shape) != len(layout):
        return image.but(channels=count, colour=colour, shape=None)
    sizes = dict(zip(layout, shape, strict=True))
    if image.lib == "pil":
        layout = "HW" if count == 1 else "HWC"
    sizes["C"] = Const(count)
    if any(letter not in sizes for letter in layout):
        return image.but(channels=count, colour=colour, layout=layout, shape=None)
    return image.but(channels=count, colour=colour, layout=layout, shape=tuple(sizes[letter] for letter in layout))


def channels_first(image: Array) -> Array:
    """HWC (or HW) → CHW, a tensor; the tags of an unknown layout are lost."""
    layout, shape = image.layout, image.shape
    if layout == "HW":
        shape = (Const(1), *shape) if shape is not None and len(shape) == 2 else None
        return image.but(lib="torch", layout="CHW", channels=1, shape=shape)
    if layout is not None and len(layout) == 3:
        # the last axis goes to the front, whatever it is
        shape = (shape[2], shape[0], shape[1]) if shape is not None and len(shape) == 3 else None
        return image.but(lib="torch", layout=layout[2] + layout[:2], shape=shape)
    return image.but(lib="torch", layout=None, shape=None)


def channels_last(image: Array) -> Array:
    """CHW → HWC; a single channel loses its axis."""
    layout, shape = image.layout, image.shape
    if layout == "HW" or channel_count(image) == 1:
        sizes = height_width(image)
        kept = None if any(isinstance(size, Unknown) for size in sizes) else sizes
        return image.but(layout="HW", channels=1, shape=kept)
    if layout == "CHW":
        shape = (shape[1], shape[2], shape[0]) if shape is not None and len(shape) == 3 else None
        return image.but(layout="HWC", shape=shape)
    return image.but(layout=layout if layout in ("HWC", "HW") else None, shape=None)


def dtype_name(value: Value | None) -> str | None:
    """`float32` of `torch.float32`, `np.float32`, `float` or `"float32"`; None where it is not known."""
    if isinstance(value, Ext):
        short = value.name.rpartition(".")[2].rstrip("_")
        if value.name == "builtins.float":
            return "float64"
        if value.name == "builtins.int":
            return "int64"
        return DTYPES.get(short, short)
    name = known(value)
    return name.rpartition(".")[2] if isinstance(name, str) else None


def pair(value: Value | None) -> tuple[Value, Value] | None:
    """`(a, b)`, or `a` twice for one integer."""
    if isinstance(value, Seq) and value.items is not None:
        if len(value.items) == 2:
            return value.items[0], value.items[1]
        return (value.items[0], value.items[0]) if len(value.items) == 1 else None
    return (value, value) if isinstance(value, Sym) or (isinstance(number(value), int) and value is not None) else None


def parts(size: Value) -> set[str]:
    """Of what a size is made: `height`, `width`, `other`; empty for a constant."""
    found: set[str] = set()
    if not isinstance(size, Sym):
        return found if isinstance(size, Const) else {"other"}
    stack: list[Atom] = [atom for atoms, _ in size.poly for atom in atoms]
    while stack:
        key = stack.pop().key
        if isinstance(key, tuple) and len(key) == 3 and isinstance(key[1], tuple) and isinstance(key[2], tuple):
            stack += [atom for poly in key[1:] for atoms, _ in poly for atom in atoms]
        else:
            kind = key[0] if isinstance(key, tuple) else None
            found.add(kind if kind in ("height", "width") else "other")
    return found


def check_order(call: OpCall, image: Value, size: Value | None, takes: str, argument: str, index: int) -> None:
    """Report a size whose first number is made of widths where heights are meant, and its second of the other."""
    if not isinstance(size, Seq) or size.items is None or len(size.items) != 2:
        return
    if isinstance(image, Array) and image.layout not in ("HWC", "HW", "CHW", "NCHW", "NHWC"):
        return
    first, second = size.items
    wrong = ({"width"}, {"height"}) if takes == "(height, width)" else ({"height"}, {"width"})
    if (parts(first), parts(second)) != wrong:
        return
    node = call.node
    given: ir.Expr | None = None
    if isinstance(node, ir.Call):
        named = [value for name, value in node.keywords if name == argument]
        given = named[0] if named else node.args[index] if index < len(node.args) else None
    name = call.name if "." in call.name else f".{call.name}"
    call.run.fact(SizeOrder(name, node, call.scope.file, takes, (first, second), given, image))


def image_argument(call: OpCall, index: int, name: str) -> Array | None:
    """An argument that is an image, or one of several alike."""
    value = call.arg(index, name)
    options = [v for v in alternatives(value) if isinstance(v, Array)] if value is not None else []
    return options[0] if options and value is not None and len(options) == len(alternatives(value)) else None


def sink(call: OpCall, image: Value | None, name: str, wants: dict[str, str]) -> None:
    """Report that an image reaches something that is not a layer."""
    if isinstance(image, Array):
        call.run.fact(ImageUse(call.node, call.scope.file, image, name, wants, call.run.via))
