"""Functions of NumPy that make arrays of sizes, or of other arrays: element by element, products, joins, choices."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import element
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Number, Seq, Unknown, Value
from trainlint.ops.broadcast import Clash, broadcast, shape_of
from trainlint.ops.creation import of_data
from trainlint.ops.dtypes import is_number, promoted, scalar_type
from trainlint.ops.layout import integer

# of one array: what comes out is a float, of the type that went in, or a truth
FLOATS = "sinh cosh arcsinh arccosh arctanh expm1 cbrt deg2rad rad2deg radians degrees sinc i0"
KEPT = "square sign floor ceil trunc fix negative positive nan_to_num reciprocal fabs absolute ravel conj real"
TRUTHS = "isnan isinf isfinite logical_not signbit"
# of two arrays
FLOAT_PAIRS = "true_divide logaddexp"
KEPT_PAIRS = "float_power fmax fmin remainder floor_divide"
TRUTH_PAIRS = "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor isclose"


def names(text: str) -> list[str]:
    return [f"numpy.{name}" for name in text.split()]


def array_of(call: OpCall, value: Value | None) -> Array | None:
    """What a function of NumPy makes of an argument before it begins; None for numbers and what is not known."""
    if isinstance(value, Seq):
        with call.run.silent():
            data = of_data(call, value)
        return Array(lib="numpy", grad=False, shape=data.shape, dtype=wide(data.dtype))
    return value if isinstance(value, Array) else None


def wide(dtype: str | None) -> str | None:
    """NumPy's type of Python's floats."""
    return "float64" if dtype == "float32" else dtype


def as_float(dtype: str | None) -> str | None:
    """The type of a function of real numbers: integers become doubles."""
    if dtype is None:
        return None
    return dtype if dtype.startswith(("float", "complex")) else "float64"


def made(array: Array, shape: tuple[Value, ...] | None, dtype: str | None) -> Array:
    """A new array of NumPy, no image any more."""
    return array.but(
        lib="numpy", grad=False, layout=None, channels=None, colour=None, range=None, shape=shape, dtype=dtype
    )


@op(*names(FLOATS), *names(KEPT), *names(TRUTHS))
def unary(call: OpCall) -> Value | None:
    """The same shape; `np.ravel` makes it flat."""
    value = call.args[0] if call.args else None
    array, short = array_of(call, value), call.name.rpartition(".")[2]
    if array is None:
        return Number(call.name, dtype="float32") if is_number(value) and short in FLOATS.split() else None
    dtype = as_float(array.dtype) if short in FLOATS.split() else "bool" if short in TRUTHS.split() else array.dtype
    shape = array.shape
    if short == "ravel":
        shape = (dims.product(shape),) if shape is not None else (Unknown(),)
    return made(array, shape, dtype)


@op(*names(FLOAT_PAIRS), *names(KEPT_PAIRS), *names(TRUTH_PAIRS))
def pair(call: OpCall) -> Value | None:
    """Broadcast together."""
    short = call.name.rpartition(".")[2]
    if len(call.args) < 2:
        return None
    operands = [array_of(call, value) or value for value in call.args[:2]]
    return together(call, operands, short in FLOAT_PAIRS.split(), "bool" if short in TRUTH_PAIRS.split() else None)


def together(call: OpCall, operands: list[Value], real: bool = False, dtype: str | None = None) -> Value | None:
    """An array of the shape that operands have together, None where none is an array."""
    arrays = [value for value in operands if isinstance(value, Array)]
    if not arrays:
        return None
    shape = shape_of(operands[0])
    for value in operands[1:]:
        both = broadcast(shape, shape_of(value))
        if isinstance(both, Clash):
            return Array(lib="numpy", grad=False)
        shape = both
    if dtype is None:
        dtypes = [array.dtype for array in arrays]
        dtype = dtypes[0]
        for other in dtypes[1:]:
            dtype = promoted(dtype, other)
        fraction = any(scalar_type(v) == "float32" for v in operands if not isinstance(v, Array))
        dtype = as_float(dtype) if real or fraction else dtype
    return made(arrays[0], None if shape.tail else shape.sizes, dtype)


@op("numpy.diag")
def diag(call: OpCall) -> Value | None:
    """The matrix with a vector on its diagonal, or the diagonal of a matrix."""
    array = array_of(call, call.arg(0, "v"))
    if array is None or array.shape is None or len(call.args) > 1 or call.kwargs:
        return array and made(array, None, array.dtype)
    if len(array.shape) == 1:
        return made(array, (array.shape[0], array.shape[0]), array.dtype)
    return made(array, (dims.smaller(*array.shape),), array.dtype) if len(array.shape) == 2 else None


@op("numpy.triu", "numpy.tril")
def triangle(call: OpCall) -> Value | None:
    return array_of(call, call.arg(0, "m"))


@op("numpy.lib.stride_tricks.sliding_window_view")
def windows(call: OpCall) -> Value | None:
    """A view of all windows of a length along an axis: a new last axis runs through each."""
    array, width, axis = array_of(call, call.arg(0, "x")), call.arg(1, "window_shape"), call.arg(2, "axis")
    if isinstance(width, Seq):
        width = element(width) if width.items is not None and len(width.items) == 1 else None
    if array is None or array.shape is None or width is None:
        return None
    rank = len(array.shape)
    at = 0 if rank == 1 and axis is None else integer(axis)
    if at is None or not -rank <= at < rank:
        return made(array, None, array.dtype)
    at %= rank
    left = dims.add(dims.sub(array.shape[at], width), Const(1))
    return made(array, (*array.shape[:at], left, *array.shape[at + 1 :], width), array.dtype)
