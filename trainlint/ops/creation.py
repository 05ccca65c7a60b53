"""New tensors: from sizes, from numbers, from other tensors and from arrays of NumPy."""

from __future__ import annotations

import math

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import element
from trainlint.analysis.registry import OpCall, array_method, op, tensor_op
from trainlint.analysis.values import Const, OneOf, Range, Seq, Sym, Unknown, Value, is_none, number
from trainlint.ops.dtypes import (
    TENSOR_TYPES,
    device_named,
    dtype_named,
    is_number,
    kind_of_dtype,
    promoted,
    scalar_type,
)
from trainlint.ops.layout import added, integer, size

# more rows than these are not looked at one by one
MAX_ROWS = 4096
# longer tensors of numbers are not remembered number by number
MAX_NUMBERS = 256
MOST_ROWS = 1 << 16


def device_given(call: OpCall, otherwise: str | None = "cpu") -> str | None:
    """The device a tensor is created on: its name, `given` where it is not a constant."""
    device = call.kwargs.get("device")
    if device is None or is_none(device):
        return "given" if "**" in call.kwargs else otherwise
    return device_named(device)


def dtype_given(call: OpCall, otherwise: str | None) -> str | None:
    """The dtype asked for, `otherwise` where none is; None where it is not known."""
    wanted = call.kwargs.get("dtype")
    if wanted is None or is_none(wanted):
        return None if "**" in call.kwargs else otherwise
    return dtype_named(wanted)


def grad_given(call: OpCall) -> bool | None:
    wanted = call.kwargs.get("requires_grad")
    if wanted is None:
        return False if "**" not in call.kwargs else None
    return bool(wanted.value) if isinstance(wanted, Const) else None


def shape_given(call: OpCall, values: list[Value]) -> tuple[Value, ...] | None:
    """Sizes as `f(2, 3)`, `f((2, 3))` or `f(size=(2, 3))`; None where their number is not known."""
    if "*" in call.kwargs or "**" in call.kwargs:
        return None
    if not values and "size" in call.kwargs:
        values = [call.kwargs["size"]]
    if len(values) == 1:
        only = values[0]
        if isinstance(only, Seq):
            return tuple(size(v) for v in only.items) if only.items is not None else None
        if isinstance(size(only), Unknown) and not isinstance(only, Range):
            # perhaps a tuple
            return None
    return tuple(size(v) for v in values)


def not_negative(call: OpCall, shape: tuple[Value, ...] | None) -> bool:
    wrong = next((v for v in shape or () if dims.at_least(v, Const(0)) is False), None)
    return wrong is None or call.require(False, "argument", got=wrong, what="a negative size")


def fresh(call: OpCall, shape: tuple[Value, ...] | None, dtype: str | None, range_: str | None = None) -> Array:
    """A new tensor of torch with nothing behind it."""
    if not not_negative(call, shape):
        return Array()
    grad = grad_given(call)
    kind = kind_of_dtype(dtype)
    if grad is True and kind is not None and not call.require(kind >= 2, "dtype", op=short(call), got=dtype or ""):
        return Array()
    return Array(shape=shape, dtype=dtype, grad=grad, device=device_given(call), range=range_)


def short(call: OpCall) -> str:
    return call.name.rpartition(".")[2]


@op("torch.zeros", "torch.ones", "torch.empty", "torch.rand", "torch.randn")
def from_sizes(call: OpCall) -> Value | None:
    """`torch.zeros(2, 3)`: float32 unless a dtype is given; `rand` lies between 0 and 1."""
    dtype = dtype_given(call, call.run.program.default_dtype)
    shape = shape_given(call, call.args)
    if short(call).startswith("rand") and not drawable(call, shape, dtype):
        return Array()
    return fresh(call, shape, dtype, "unit" if call.name == "torch.rand" else None)


def drawable(call: OpCall, shape: tuple[Value, ...] | None, dtype: str | None) -> bool:
    """Random numbers between 0 and 1 or of a normal distribution are floats (unless none are drawn)."""
    whole = kind_of_dtype(dtype) in (0, 1)
    some = shape is not None and dims.at_least(dims.product(shape), Const(1)) is True
    # `rand` checks its bounds even then
    return call.require(not whole or not (some or short(call) == "rand"), "dtype", got=dtype or "")


@op("torch.full")
def full(call: OpCall) -> Value | None:
    """`torch.full(size, value)` takes its dtype from the value."""
    shape = call.arg(0, "size")
    value = call.arg(1, "fill_value")
    otherwise = scalar_type(value) if not isinstance(value, Array) else None
    return fresh(call, shape_given(call, [shape] if shape is not None else []), dtype_given(call, otherwise))


@op("torch.randint")
def randint(call: OpCall) -> Value | None:
    """`torch.randint(low, high, size)` or `torch.randint(high, size)`; int64."""
    shape = call.kwargs.get("size") or next((v for v in call.args if isinstance(v, Seq)), None)
    if shape is None:
        shape = call.args[2] if len(call.args) > 2 else Unknown()
    return fresh(call, shape_given(call, [shape]), dtype_given(call, "int64"))


@op("torch.randperm")
def randperm(call: OpCall) -> Value | None:
    return fresh(call, (size(call.arg(0, "n")),), dtype_given(call, "int64"))


@op("torch.eye")
def eye(call: OpCall) -> Value | None:
    rows = call.arg(0, "n")
    columns = call.arg(1, "m")
    return fresh(
        call,
        (size(rows), size(columns if columns is not None else rows)),
        dtype_given(call, call.run.program.default_dtype),
    )


@op("torch.triu_indices", "torch.tril_indices")
def triangle(call: OpCall) -> Value | None:
    """Two rows: the row and the column of each element of a triangle."""
    rows, columns = (number(call.arg(at, name)) for at, name in ((0, "row"), (1, "col")))
    offset = number(call.arg(2, "offset")) if call.arg(2, "offset") is not None else 0
    length: Value = Unknown()
    if (
        isinstance(rows, int)
        and isinstance(columns, int)
        and isinstance(offset, int)
        and max(rows, columns) <= MOST_ROWS
    ):
        below = [min(max(row + offset + 1, 0), columns) for row in range(rows)]
        above = [columns - min(max(row + offset, 0), columns) for row in range(rows)]
        length = Const(sum(above) if short(call) == "triu_indices" else sum(below))
    return fresh(call, (Const(2), length), dtype_given(call, "int64"))


@op("torch.linspace", "torch.logspace")
def linspace(call: OpCall) -> Value | None:
    steps = call.arg(2, "steps")
    ends = [call.arg(0, "start"), call.arg(1, "end")]
    plain = not any(isinstance(v, Array) for v in ends)
    made = fresh(call, (size(steps),), dtype_given(call, call.run.program.default_dtype if plain else None))
    first, last, count = (number(value) for value in (*ends, steps))
    certain = call.run.program.tape is not None or not any(getattr(value, "default", None) for value in (*ends, steps))
    if certain and call.name.endswith("linspace") and first is not None and last is not None and isinstance(count, int):
        if isinstance(made, Array) and 0 < count <= MAX_NUMBERS:
            step = (last - first) / max(count - 1, 1)
            made = made.but(numbers=tuple(first + step * n for n in range(count)))
    return made


@op("torch.arange")
def arange(call: OpCall) -> Value | None:
    """`torch.arange(start, end, step)`: int64 where all are integers, else float32."""
    if "*" in call.kwargs:
        return Array()
    values = list(call.args[:3])
    start: Value = call.kwargs.get("start") or (values[0] if len(values) > 1 else Const(0))
    end = call.kwargs.get("end") or (values[1] if len(values) > 1 else values[0] if values else Unknown())
    step = call.kwargs.get("step") or (values[2] if len(values) > 2 else Const(1))
    types = [scalar_type(v) for v in (start, end, step)]
    otherwise = None if None in types else call.run.program.default_dtype if "float32" in types else "int64"
    return fresh(call, (count(call, start, end, step),), dtype_given(call, otherwise))


def count(call: OpCall, start: Value, end: Value, step: Value) -> Value:
    """How many numbers an arange has."""
    numbers = [number(v) for v in (start, end, step)]
    first, last, by = numbers
    if first is not None and last is not None and by is not None:
        if not call.require(by != 0 and (last - first) * by >= 0, "argument", op="arange", got=step, what="bounds"):
            return Unknown()
        return Const(math.ceil((last - first) / by))
    if by == 1 and not isinstance(start, OneOf) and not isinstance(end, OneOf):
        length = dims.sub(end, start)
        return length if dims.at_least(length, Const(0)) else Unknown()
    return Unknown()


@op("torch.set_default_dtype", "torch.set_default_tensor_type")
def set_default(call: OpCall) -> Value | None:
    """What is made from here on has this dtype unless it is told otherwise; None where it is not known."""
    given = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    last = getattr(given, "name", None) or (given.value if isinstance(given, Const) else "")
    wanted = TENSOR_TYPES.get(str(last).rpartition(".")[2]) or dtype_named(given)
    # set in one arm only, it may be either from here on
    certain = not call.run.conds or wanted == call.run.program.default_dtype
    call.run.program.default_dtype = wanted if certain else None
    return Const(None)


# from data


@op("torch.tensor", "torch.as_tensor", "torch.asarray")
def tensor(call: OpCall) -> Value | None:
    """A tensor of numbers, of nested sequences of them, or of another array, whose tags it keeps; no graph."""
    value = call.arg(0, "data")
    if value is None:
        return None
    if isinstance(value, Array):
        device = device_given(call, value.device if value.lib == "torch" else "cpu")
        dtype = dtype_given(call, value.dtype)
        return value.but(
            lib="torch", dtype=dtype, grad=grad_given(call), device=device, tail=value.tail,
            origin=call.step(call.name, value),
        )  # fmt: skip
    made = of_data(call, value)
    inner = innermost(value)
    if inner is None and made.dtype == "float32":
        made.dtype = call.run.program.default_dtype
    if inner is not None and inner.layout is not None and isinstance(value, Seq):
        shape = made.shape
        made = added(call, inner).but(lib="torch", shape=shape, dtype=made.dtype)
    dtype = dtype_given(call, made.dtype)
    device = device_given(call, inner.device if inner is not None and inner.lib == "torch" else "cpu")
    return made.but(tail=made.tail, dtype=dtype, grad=grad_given(call), device=device)


def innermost(value: Value) -> Array | None:
    inner = element(value) if isinstance(value, Seq) else value
    return inner if isinstance(inner, Array) else None


def of_data(call: OpCall, value: Value) -> Array:
    """The shape and dtype of nested data; rows of different lengths are refused."""
    if isinstance(value, Array):
        return value
    if isinstance(value, Seq):
        return of_rows(call, value)
    return Array(shape=() if is_number(value) else None, dtype=scalar_type(value))


def of_rows(call: OpCall, value: Seq) -> Array:
    if value.items is None:
        row = of_data(call, value.elem) if value.length is not None and value.elem is not None else Array()
        return Array(shape=(size(value.length), *row.shape) if row.shape is not None else None, dtype=row.dtype)
    if not value.items:
        return Array(shape=(Const(0),), dtype=call.run.program.default_dtype)
    distinct = list({id(item): item for item in value.items}.values())
    if len(distinct) > MAX_ROWS:
        return Array()
    rows = [of_data(call, item) for item in distinct]
    dtype = rows[0].dtype
    shape = rows[0].shape
    for row in rows[1:]:
        dtype = promoted(dtype, row.dtype)
        if shape is None or row.shape is None:
            shape = None
        elif not agreeing(shape, row.shape):
            call.require(False, "argument", got=Seq("tuple", list(row.shape)), what="rows of different lengths")
            return Array()
    return Array(shape=(Const(len(value.items)), *shape) if shape is not None else None, dtype=dtype)


def agreeing(a: tuple[Value, ...], b: tuple[Value, ...]) -> bool:
    return len(a) == len(b) and all(dims.same(x, y) is not False for x, y in zip(a, b, strict=True))


@op("torch.from_numpy")
def from_numpy(call: OpCall) -> Value | None:
    """A tensor with the tags of the array."""
    value = call.arg(0, "ndarray")
    if not isinstance(value, Array):
        return Array(grad=False, device="cpu")
    return value.but(lib="torch", grad=False, device="cpu", tail=value.tail, origin=call.step(call.name, value))


@op("torch.Tensor", *(f"{module}.{name}" for name in TENSOR_TYPES for module in ("torch", "torch.cuda")))
def typed(call: OpCall) -> Value | None:
    """`torch.FloatTensor(data)`, `torch.Tensor(2, 3)`: sizes where all are integers, data where it is a sequence."""
    dtype = TENSOR_TYPES.get(short(call), call.run.program.default_dtype)
    device = "cuda" if call.name.startswith("torch.cuda.") else "cpu"
    if len(call.args) == 1 and isinstance(call.args[0], Array):
        value = call.args[0]
        return value.but(
            lib="torch", grad=False, dtype=dtype, device=device, tail=value.tail, origin=call.step(call.name, value)
        )
    if len(call.args) == 1 and isinstance(call.args[0], Seq):
        made = of_data(call, call.args[0])
        inner = innermost(call.args[0])
        if inner is not None and inner.layout is not None:
            return added(call, inner).but(lib="torch", grad=False, shape=made.shape, dtype=dtype, device=device)
        return made.but(dtype=dtype, grad=False, device="cpu", tail=made.tail)
    if not call.args:
        return Array(shape=(Const(0),), dtype=dtype, grad=False, device=device)
    certain = all(isinstance(v, Sym) or integer(v) is not None for v in call.args)
    return Array(shape=shape_given(call, call.args) if certain else None, dtype=dtype, grad=False, device=device)


# like another tensor


@tensor_op("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like", "randint_like")
def like(call: OpCall) -> Value | None:
    """The shape, dtype and device of the other tensor unless given."""
    other = call.args[0]
    if not isinstance(other, Array):
        return Array(dtype=dtype_given(call, None), grad=grad_given(call), device=device_given(call, None))
    dtype = dtype_given(call, other.dtype)
    if short(call) in ("rand_like", "randn_like") and not drawable(call, other.shape, dtype):
        return Array()
    return other.but(
        dtype=dtype, grad=grad_given(call), device=device_given(call, other.device), tail=other.tail, colour=None,
        range="unit" if short(call) == "rand_like" else None, via=None, lib="torch",
    )  # fmt: skip


@array_method("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor")
def new(call: OpCall) -> Value | None:
    """The dtype and device of the tensor; the sizes are given."""
    other = call.receiver
    if not isinstance(other, Array):
        return None
    dtype, device = dtype_given(call, other.dtype), device_given(call, other.device)
    if call.name == "new_tensor":
        made = of_data(call, call.args[0]) if call.args else Array()
        return Array(shape=made.shape, dtype=dtype, grad=grad_given(call), device=device)
    sizes = call.args[:1] if call.name == "new_full" else call.args
    return fresh(call, shape_given(call, sizes), dtype).but(device=device)


@tensor_op("bernoulli")
def bernoulli(call: OpCall) -> Value | None:
    """One draw for each probability."""
    array = call.args[0]
    return array.but(range=None, colour=None, tail=array.tail) if isinstance(array, Array) else None


@op("torch.normal")
def normal(call: OpCall) -> Value | None:
    array = next((v for v in (call.arg(0, "mean"), call.arg(1, "std")) if isinstance(v, Array)), None)
    if array is not None:
        return Array(shape=array.shape if len(call.args) < 2 else None, grad=False)
    shape = call.arg(2, "size")
    return fresh(
        call,
        shape_given(call, [shape]) if shape is not None else None,
        dtype_given(call, call.run.program.default_dtype),
    )
