"""Element types: promotion as PyTorch (and NumPy) does it, casts, moves between devices, the attributes that tell.

The rules are those of `torch.result_type`: tensors with axes decide within a kind (bool < integer < float < complex),
scalars (0-dim tensors, then Python numbers) only where their kind is higher. A Python float stands for the default
float32.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.parameters import SIZES
from trainlint.analysis.registry import OpCall, alias, array_method, constant, method, op
from trainlint.analysis.values import Const, Ext, Mapping, Number, Obj, OneOf, Range, Sym, Unknown, Value

INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
KINDS = {"bool": 0, **dict.fromkeys(INTEGERS, 1), **dict.fromkeys(FLOATS, 2), **dict.fromkeys(COMPLEX, 3)}
OTHER_NAMES = {
    "float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
    "cfloat": "complex64", "cdouble": "complex128", "byte": "uint8", "char": "int8",
}  # fmt: skip
for _other, _one in OTHER_NAMES.items():
    if _other not in ("byte", "char"):
        alias(f"torch.{_one}", f"torch.{_other}")
# what a Python type means as a dtype
PYTHON = {
    "builtins.float": "float64",
    "builtins.int": "int64",
    "builtins.bool": "bool",
    "builtins.complex": "complex128",
}
NUMPY_NAMES = {"bool_": "bool", "float_": "float64", "int_": "int64", "double": "float64", "single": "float32"}
CASTS = ("float", "double", "half", "bfloat16", "long", "int", "short", "byte", "char", "bool", "cfloat", "cdouble")
TENSOR_TYPES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64", "IntTensor": "int32", "ShortTensor": "int16", "ByteTensor": "uint8", "CharTensor": "int8",
    "BoolTensor": "bool",
}  # fmt: skip


def kind_of_dtype(dtype: str | None) -> int | None:
    """0 bool, 1 integer, 2 float, 3 complex; None where the type is not known or has no place in the order."""
    return KINDS.get(dtype) if dtype is not None else None


def is_float(dtype: str | None) -> bool | None:
    kind = kind_of_dtype(dtype)
    return None if kind is None else kind == 2


def dtype_named(value: Value | None) -> str | None:
    """The dtype that a value names (`torch.float16`, `np.uint8`, `float`, `"torch.FloatTensor"`), else None."""
    if isinstance(value, Ext):
        if value.name in PYTHON:
            return PYTHON[value.name]
        library, _, short = value.name.rpartition(".")
        if library in ("torch", "torch.cuda") and short in TENSOR_TYPES:
            return TENSOR_TYPES[short]
        if library == "torch":
            short = OTHER_NAMES.get(short, short)
        elif library == "numpy":
            short = NUMPY_NAMES.get(short, short)
        return short if library in ("torch", "numpy") and short in KINDS else None
    if isinstance(value, Const) and isinstance(value.value, str):
        short = value.value.rpartition(".")[2]
        short = TENSOR_TYPES.get(short, NUMPY_NAMES.get(short, short))
        return {"float": "float64", "int": "int64"}.get(short, short) if short in (*KINDS, "float", "int") else None
    return None


def names_dtype(value: Value | None) -> bool:
    """Is the value certainly a dtype (and not a device or a tensor)?"""
    return dtype_named(value) is not None or (isinstance(value, Ext) and value.name.rpartition(".")[0] == "torch")


def promoted(a: str | None, b: str | None) -> str | None:
    """The type that holds both, as for two tensors with axes."""
    if a == b:
        return a
    x, y = kind_of_dtype(a), kind_of_dtype(b)
    if a is None or b is None or x is None or y is None:
        return None
    if x != y:
        low, high = (a, b) if x < y else (b, a)
        if high == "complex64" and low == "float64":
            return "complex128"
        return high
    if x == 1:
        if "uint8" in (a, b):
            other = a if b == "uint8" else b
            return "int16" if other == "int8" else other
        return max(a, b, key=INTEGERS.index)
    if x == 2:
        return "float32" if {a, b} == {"float16", "bfloat16"} else max(a, b, key=FLOATS.index)
    return "complex128"


def scalar_type(value: Value | None) -> str | None:
    """The dtype that a Python number stands for in promotion, None where it is not certainly a number."""
    if isinstance(value, OneOf):
        types = {scalar_type(v) for v in value.values}
        return types.pop() if len(types) == 1 else None
    if isinstance(value, Sym):
        return "int64"
    if isinstance(value, Number):
        return value.dtype
    if isinstance(value, Range):
        return "float32" if isinstance(value.low, float) or isinstance(value.high, float) else "int64"
    if isinstance(value, Const):
        for python, name in ((bool, "bool"), (int, "int64"), (float, "float32"), (complex, "complex64")):
            if isinstance(value.value, python):
                return name
    return None


def type_is_open(value: Value) -> bool:
    return isinstance(value, Number) and value.dtype is None


def is_number(value: Value | None) -> bool:
    """Is it certainly a Python number, not a tensor?"""
    if isinstance(value, OneOf):
        return all(is_number(v) for v in value.values)
    return isinstance(value, (Number, Sym, Range)) or scalar_type(value) is not None


def combined(higher: str | None, lower: str | None) -> str | None:
    """Promotion across priorities: the lower one decides only where its kind is higher."""
    x, y = kind_of_dtype(higher), kind_of_dtype(lower)
    if higher is None or lower is None or x is None or y is None:
        return None
    if x >= 2:
        if y == 3 and x == 2:
            return "complex128" if higher == "float64" else "complex64" if higher == "float32" else None
        return higher
    if x == 0 or y >= 2:
        return promoted(higher, lower)
    return higher


def result_type(values: list[Value]) -> str | None:
    """The dtype that operands of an arithmetic operation are computed in; None where it is not decided."""
    arrays = [v for v in values if isinstance(v, Array)]
    if not arrays or any(a.dtype is None for a in arrays):
        return None
    libraries = {a.lib for a in arrays}
    if libraries == {"numpy"}:
        return numpy_result_type(values, arrays)
    if libraries != {"torch"}:
        return None
    numbers = [v for v in values if not isinstance(v, Array)]
    # of a number that is not known it is open whether it has a fraction: nothing changes for a tensor of floats
    floats = any(kind_of_dtype(a.dtype) == 2 for a in arrays)
    scalars = ["float32" if floats and type_is_open(v) else scalar_type(v) for v in numbers]
    if None in scalars:
        return None
    # of each tensor of unknown rank, try both
    undecided = [a for a in arrays if a.shape is None]
    answers = set()
    for choice in range(2 ** min(len(undecided), 2)):
        zero = [a for i, a in enumerate(undecided) if choice >> i & 1]
        zero += [a for a in arrays if a.shape == ()]
        groups = [[a.dtype for a in arrays if a not in zero], [a.dtype for a in zero], scalars]
        answers.add(by_priority(groups))
    return answers.pop() if len(answers) == 1 else None


def by_priority(groups: list[list[str | None]]) -> str | None:
    """Promotion within each group, then across the groups, the first one having priority."""
    result: str | None = None
    for group in reversed(groups):
        if not group:
            continue
        inner = group[0]
        for other in group[1:]:
            inner = promoted(inner, other)
        result = inner if result is None else combined(inner, result)
        if result is None:
            return None
    return result


def numpy_result_type(values: list[Value], arrays: list[Array]) -> str | None:
    """NumPy: an integer array and a float give float64, unless the integers are small and the float an array."""
    result = arrays[0].dtype
    for other in arrays[1:]:
        a, b = kind_of_dtype(result), kind_of_dtype(other.dtype)
        if {a, b} == {1, 2}:
            integer, real = (result, other.dtype) if a == 1 else (other.dtype, result)
            small = integer in ("uint8", "int8") or (integer == "int16" and real != "float16")
            result = real if small else "float64"
        else:
            result = promoted(result, other.dtype)
    for value in values:
        if isinstance(value, Array):
            continue
        kind, mine = kind_of_dtype(scalar_type(value)), kind_of_dtype(result)
        if kind is None or mine is None:
            return None
        if kind > mine:
            result = {1: "int64", 2: "float64", 3: "complex128"}[kind] if kind < 3 or mine < 2 else None
    return result


def as_float(dtype: str | None, lib: str = "torch") -> str | None:
    """The type of a true division or a square root: integers become the default float."""
    kind = kind_of_dtype(dtype)
    if kind is None:
        return None
    return dtype if kind >= 2 else "float32" if lib == "torch" else "float64"


def real_type(dtype: str | None) -> str | None:
    """The type of the parts of a complex number; others as they are."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype or "", dtype)


# devices


def device_named(value: Value | None) -> str | None:
    """The kind of device a value means (`cuda`, `cpu`), `given` where it is not a constant."""
    if isinstance(value, Const):
        if isinstance(value.value, str):
            return value.value.partition(":")[0]
        if isinstance(value.value, int):
            return "cuda"
    if isinstance(value, Obj) and value.name == "torch.device":
        return device_named(value.arg(0, "type"))
    return "given"


@op("torch.finfo", "torch.iinfo")
def limits(call: OpCall) -> Value | None:
    """The numbers that a dtype can hold: Python numbers, whatever they are."""
    dtype = "float32" if call.name.endswith("finfo") else "int64"
    told: dict[str, Value] = {name: Number(dtype=dtype) for name in ("min", "max", "eps", "tiny", "smallest_normal")}
    asked = dtype_named(call.args[0]) if call.args else None
    return Mapping(told if asked is None else {**told, "bits": Const(8 * SIZES[asked])}, True)


@op("torch.device")
def device(call: OpCall) -> Value | None:
    """`torch.device("cuda")` as an object that remembers what it was made from."""
    if not call.args and not call.kwargs:
        return None
    result = Obj("torch.device", "device", call.node, call.args, call.kwargs, call.step("torch.device"))
    return result


@op("torch.accelerator.current_accelerator")
def accelerator_device(call: OpCall) -> Value | None:
    """The device of this machine; None where it has no accelerator, which nobody trains with.

    Where memory is counted it is that of a GPU of CUDA.
    """
    kind: Value = Unknown("type") if call.run.program.tape is None else Const("cuda")
    return Obj("torch.device", "device", call.node, [kind], {}, call.step("torch.accelerator"))


@method("device", ".type")
def device_type(call: OpCall) -> Value | None:
    name = device_named(call.receiver)
    return Const(name) if name not in (None, "given") else Unknown("device.type")


@array_method(".device")
def device_attribute(call: OpCall) -> Value | None:
    """The device of a tensor, as something that `to` understands."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    if array.device in (None, "given"):
        result = Unknown("device")
        result.promised = "device"
        return result
    return Obj("torch.device", "device", call.node, [Const(array.device)])


@array_method(".is_cuda")
def is_cuda(call: OpCall) -> Value | None:
    array = call.receiver
    device = array.device if isinstance(array, Array) else None
    if device == "given" and call.run.program.tape is not None:
        # memory is that of a GPU
        return Const(True)
    return Const(device == "cuda") if device not in (None, "given") else Unknown("is_cuda")


@array_method(".requires_grad")
def requires_grad(call: OpCall) -> Value | None:
    return Unknown("requires_grad")


@array_method(".dtype")
def dtype_attribute(call: OpCall) -> Value | None:
    array = call.receiver
    if not isinstance(array, Array) or array.dtype is None or array.lib not in ("torch", "numpy"):
        return Unknown("dtype")
    return call.run.program.external(f"{array.lib}.{array.dtype}")


@array_method("is_floating_point")
def is_floating_point(call: OpCall) -> Value | None:
    array = call.receiver
    answer = is_float(array.dtype) if isinstance(array, Array) else None
    return Const(answer) if answer is not None and isinstance(array, Array) else Unknown("is_floating_point")


for _name, _kind in KINDS.items():
    constant(f"torch.{_name}.is_floating_point", _kind == 2)
    constant(f"torch.{_name}.is_complex", _kind == 3)
    constant(f"torch.{_name}.itemsize", SIZES[_name])


@op("torch.get_default_dtype")
def default_dtype(call: OpCall) -> Value | None:
    """The dtype that the program has set, float32 otherwise."""
    dtype = call.run.program.default_dtype
    return call.run.program.external(f"torch.{dtype}") if dtype is not None else Unknown("the default dtype")


# casts


def cast(call: OpCall, array: Array, dtype: str | None) -> Array:
    """The array in another type: what the numbers mean stays, integers have no graph."""
    kind = kind_of_dtype(dtype)
    changes: dict[str, object] = {"dtype": dtype}
    if kind is not None and kind < 2:
        changes["grad"] = False
    if dtype == "bool":
        changes["range"] = None
    return array.but(**changes)


@array_method(*CASTS)
def cast_method(call: OpCall) -> Value | None:
    """`x.float()`, `x.long()`, …"""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    return cast(call, array, OTHER_NAMES.get(call.name, call.name))


@array_method("astype")
def astype(call: OpCall) -> Value | None:
    array = call.receiver
    return cast(call, array, dtype_named(call.arg(0, "dtype"))) if isinstance(array, Array) else None


@array_method("type")
def type_(call: OpCall) -> Value | None:
    """`x.type(torch.FloatTensor)` casts, and moves where the name says so."""
    array = call.receiver
    wanted = call.arg(0, "dtype")
    if not isinstance(array, Array):
        return None
    if wanted is None:
        return Unknown("type")
    result = cast(call, array, dtype_named(wanted))
    named = wanted.name if isinstance(wanted, Ext) else wanted.value if isinstance(wanted, Const) else ""
    if str(named).endswith("Tensor"):
        result = result.but(device="cuda" if "cuda" in str(named) else "cpu")
    return result


@array_method("type_as")
def type_as(call: OpCall) -> Value | None:
    array, other = call.receiver, call.arg(0, "other")
    if not isinstance(array, Array):
        return None
    if not isinstance(other, Array):
        return array.but(dtype=None, device="given")
    return cast(call, array, other.dtype).but(device=other.device)


@array_method("cuda", "cpu")
def moved(call: OpCall) -> Value | None:
    array = call.receiver
    return array.but(device=call.name) if isinstance(array, Array) else None


@array_method("to")
def to(call: OpCall) -> Value | None:
    """`x.to(device)`, `x.to(dtype)`, `x.to(device, dtype)`, `x.to(other)`; every tag stays."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    second = call.args[1] if len(call.args) > 1 else None
    for value in (*call.args[:2], *(call.kwargs[k] for k in ("device", "dtype", "other") if k in call.kwargs)):
        array = sent(call, array, value, dtype=value is call.kwargs.get("dtype") or value is second)
    if "**" in call.kwargs:
        array = array.but(device="given", dtype=None)
    return array


def sent(call: OpCall, array: Array, value: Value, dtype: bool) -> Array:
    """The array after one argument of `to`; `dtype` where the argument stands in the place of one."""
    if isinstance(value, Array):
        return cast(call, array, value.dtype).but(device=value.device)
    if names_dtype(value):
        return cast(call, array, dtype_named(value))
    if isinstance(value, Const) and (value.value is None or isinstance(value.value, bool)):
        return array
    if dtype or (isinstance(value, Unknown) and "type" in value.name):
        return array.but(dtype=None)
    # what is not known is a device far more often than a dtype: the dtype stays where the name agrees
    certain = not isinstance(value, Unknown) or "dev" in value.name or value is call.kwargs.get("device")
    moved = array.but(device=device_named(value))
    return moved if certain else moved.but(dtype=None)


@array_method("requires_grad_")
def requires_grad_(call: OpCall) -> Value | None:
    array = call.receiver
    if not isinstance(array, Array):
        return None
    wanted = call.const(0, "requires_grad")
    if wanted is False:
        return array.but(grad=False)
    kind = kind_of_dtype(array.dtype)
    if not call.require(None if kind is None else kind >= 2, "dtype", array, got=array.dtype or ""):
        return Array()
    return array.but(grad=True)
