"""NumPy, indexing and arithmetic of images and arrays."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import element
from trainlint.analysis.registry import OpCall, array_method, op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none
from trainlint.ops.creation import of_data, shape_given
from trainlint.ops.dtypes import dtype_named
from trainlint.ops.layers import first_array
from trainlint.ops.layout import FLIPPED, added, axes, moved_axis, permuted, unsqueezed
from trainlint.ops.pil import as_array


@op("numpy.array", "numpy.asarray", "numpy.ascontiguousarray", "numpy.float32", "numpy.uint8", "numpy.copy")
def array(call: OpCall) -> Value | None:
    """An array of an image: a PIL image becomes HWC (HW where it is grey)."""
    value = call.arg(0, "object")
    if isinstance(value, Array) and value.lib == "pil":
        image = as_array(call, value)
        return converted(call, image) if isinstance(image, Array) else image
    if isinstance(value, Array):
        return converted(call, value.but(lib="numpy", grad=False, origin=call.step(call.name, value)))
    if isinstance(value, Seq):
        inner = element(value)
        if isinstance(inner, Array) and inner.layout is not None:
            return added(call, inner).but(lib="numpy")
        return of_numbers(call, value)
    return Array(lib="numpy", grad=False) if value is not None else None


def converted(call: OpCall, array: Array) -> Array:
    """The array with the dtype that was asked for: `np.array(x, dtype="float32")`, `np.float32(x)`."""
    name = call.name.rpartition(".")[2]
    if name in ("float32", "uint8"):
        return array.but(dtype=name)
    asked = call.arg(1, "dtype") if name != "copy" else None
    return array if asked is None or is_none(asked) else array.but(dtype=dtype_named(asked))


def deepest(value: Value) -> Array | None:
    """An array in lists of lists, None where there are only numbers."""
    while isinstance(value, Seq):
        value = element(value)
    return value if isinstance(value, Array) else None


def of_numbers(call: OpCall, value: Seq) -> Array:
    """`np.array([[1, 2], [3, 4]])`: the shape of the nesting; float64 where a float is among the numbers."""
    with call.run.silent():
        nested = of_data(call, value)
    asked = call.kwargs.get("dtype")
    # Python's floats are doubles, arrays keep their type
    plain = "float64" if nested.dtype == "float32" and deepest(value) is None else nested.dtype
    dtype = dtype_named(asked) if asked is not None else plain if call.name != "numpy.float32" else "float32"
    return Array(lib="numpy", grad=False, shape=nested.shape, dtype=dtype)


@op("numpy.stack", "numpy.expand_dims", "numpy.concatenate", "numpy.array_split")
def stack(call: OpCall) -> Value | None:
    parts = call.arg(0, "arrays")
    inner = element(parts) if isinstance(parts, Seq) else parts
    if not isinstance(inner, Array):
        return Array(lib="numpy", grad=False)
    axis = call.const(1, "axis")
    if call.name == "numpy.expand_dims":
        return unsqueezed(inner, axis if isinstance(axis, int) else None)
    if call.name == "numpy.stack" and axis in (None, 0):
        count = parts.count if isinstance(parts, Seq) else None
        return added(call, inner, extent=count).but(lib="numpy")
    return inner.but(lib="numpy", layout=None, shape=joined(call.name, parts, axis if axis is not None else 0))


def joined(name: str, parts: Value | None, axis: object) -> tuple[Value, ...] | None:
    """The shape of arrays stacked along a new axis, or one after the other; None where it is not known."""
    if isinstance(parts, Seq) and parts.items is None and parts.length is not None:
        return of_alike(name, parts.elem, parts.length, axis)
    items = (parts.items if isinstance(parts, Seq) else None) or []
    shapes = [a.shape for a in items if isinstance(a, Array) and a.shape]
    if not shapes or len(shapes) != len(items) or not isinstance(axis, int):
        return None
    first = shapes[0]
    rank = len(first) + (name == "numpy.stack")
    at = axis + rank if axis < 0 else axis
    alike = 0 <= at < rank and all(len(shape) == len(first) for shape in shapes)
    if not alike or name not in ("numpy.stack", "numpy.concatenate"):
        return None
    if name == "numpy.stack":
        return (*first[:at], Const(len(shapes)), *first[at:])
    length: Value = Const(0)
    for shape in shapes:
        length = dims.add(length, shape[at])
    return (*first[:at], length, *first[at + 1 :])


def of_alike(name: str, part: Value | None, count: Value, axis: object) -> tuple[Value, ...] | None:
    """The shape of `count` arrays of one shape put together along the first axis; None where it is another one."""
    shape = part.shape if isinstance(part, Array) else None
    if not shape or axis != 0:
        return None
    if name == "numpy.stack":
        return (count, *shape)
    return (dims.mul(count, shape[0]), *shape[1:]) if name == "numpy.concatenate" else None


@op("numpy.transpose", "numpy.moveaxis", "numpy.rollaxis")
def transpose(call: OpCall) -> Value | None:
    value = first_array(call)
    if value is None:
        return None
    if call.name.endswith("transpose"):
        order = axes(call, call.args[1:]) if len(call.args) > 1 else None
        given = call.kwargs.get("axes")
        return permuted(call, value, axes(call, [given]) if given is not None else order)
    numbers = axes(call, call.args[1:])
    if call.name.endswith("rollaxis"):
        return value.but(layout=None, shape=None)
    return moved_axis(call, value, numbers)


@op("numpy.flip", "numpy.fliplr", "numpy.flipud", "numpy.rot90", "cv2.flip")
def flip(call: OpCall) -> Value | None:
    """Flipping the channel axis exchanges RGB and BGR; other axes only mirror."""
    value = first_array(call)
    if value is None:
        return None
    if call.name in ("numpy.fliplr", "numpy.flipud", "cv2.flip"):
        return value
    numbers = axes(call, call.args[1:]) or axes(call, [v for k, v in call.kwargs.items() if k in ("axis", "dims")])
    layout = value.layout
    if numbers is None or layout is None:
        return value.but(colour=None)
    if any(-len(layout) <= n < len(layout) and layout[n] == "C" for n in numbers):
        return value.but(colour=FLIPPED.get(value.colour or ""), origin=call.step("channels flipped", value))
    return value


@op("numpy.float64")
def kept(call: OpCall) -> Value | None:
    return first_array(call)


@array_method(".grad")
def gradient(call: OpCall) -> Value | None:
    return Unknown("grad")


# shapes and types


@op("numpy.zeros", "numpy.ones", "numpy.empty", "numpy.full")
def from_size(call: OpCall) -> Value | None:
    """`np.zeros((2, 3))`: float64 unless a dtype is given."""
    size_ = call.arg(0, "shape")
    at = 2 if call.name.endswith("full") else 1
    return made(call, shape_given(call, [size_] if size_ is not None else []), call.arg(at, "dtype"))


def made(call: OpCall, shape: tuple[Value, ...] | None, dtype: Value | None, default: str = "float64") -> Array:
    """A new array; an unknown dtype stays unknown."""
    name = default if dtype is None and "**" not in call.kwargs else dtype_named(dtype)
    if call.name.endswith("full") and dtype is None:
        name = None
    return Array(lib="numpy", grad=False, shape=shape, dtype=name)


@op("numpy.zeros_like", "numpy.ones_like", "numpy.empty_like", "numpy.full_like")
def like(call: OpCall) -> Value | None:
    """The shape and dtype of the other array unless a dtype is given."""
    value = first_array(call)
    if value is None:
        return Array(lib="numpy", grad=False)
    asked = call.kwargs.get("dtype")
    dtype = value.dtype if asked is None else dtype_named(asked)
    return value.but(lib="numpy", grad=False, dtype=dtype, range=None, colour=None, tail=value.tail)
