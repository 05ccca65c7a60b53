"""Operations element by element: functions of one tensor, operators of two, choices between them."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import FUNCTIONS, OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none, number
from trainlint.ops import stability
from trainlint.ops.broadcast import Shape, device_of, fit, grows, same_device, shape_of, shaped
from trainlint.ops.dtypes import as_float, is_number, kind_of_dtype, real_type, result_type, scalar_type
from trainlint.syntax import ir

# one tensor: names, the kinds of dtype that are refused (b bool, i integer, u uint8, f float, c complex), the result
# (`same`, `float`: integers become float32, `bool`, `real`: a complex number gives its parts' type)
UNARY: tuple[tuple[str, str, str], ...] = (
    ("abs absolute", "b", "real"),
    (
        "acos acosh asin asinh atan atanh arccos arcsin arctan cos cosh exp exp2 expm1 log log10 log1p log2 reciprocal"
        " rsqrt sin sinc sinh sqrt tan",
        "",
        "float",
    ),
    ("angle", "", "realfloat"),
    ("ceil fix floor round trunc", "bc", "same"),
    ("conj nan_to_num sgn", "", "same"),
    ("deg2rad digamma erf erfc erfinv i0 lgamma logit rad2deg", "c", "float"),
    ("frac", "biuc", "same"),
    ("isfinite isinf isnan isreal logical_not", "", "bool"),
    ("isneginf isposinf signbit", "c", "bool"),
    ("neg negative", "b", "same"),
    ("sign", "c", "same"),
    ("square", "", "square"),
    ("bitwise_not", "fc", "same"),
)
# activations as functions: of torch.nn.functional, of torch where it has them too, as methods where tensors have them
ACTIVATIONS: tuple[tuple[str, str, str], ...] = (
    ("relu", "bc", "same"),
    ("relu6 threshold", "bc", "same"),
    ("tanh sigmoid", "", "float"),
    ("elu celu selu gelu mish leaky_relu softplus hardswish hardsigmoid softshrink hardshrink rrelu", "biuc", "same"),
    ("silu", "biu", "same"),
    ("softsign tanhshrink", "b", "float"),
    ("hardtanh", "buc", "same"),
    ("logsigmoid", "biuc", "same"),
)
ON_TORCH = frozenset(["relu", "tanh", "sigmoid", "celu", "selu", "rrelu", "threshold", "hardshrink"])
AS_METHOD = frozenset(["relu", "tanh", "sigmoid", "hardshrink"])
# the range of values that an activation gives
RANGES = {"sigmoid": "sigmoid", "logsigmoid": "logprob"}
# these move numbers to whole ones and leave their range
ROUNDING = frozenset(["abs", "absolute", "ceil", "fix", "floor", "round", "trunc", "nan_to_num", "clone", "conj"])
LETTERS = {0: "b", 1: "i", 2: "f", 3: "c"}


def refuses(call: OpCall, array: Array, refused: str, op: str) -> bool:
    """Is the dtype one that the operation refuses? Reports it."""
    kind = kind_of_dtype(array.dtype)
    if kind is None or not refused or array.lib != "torch":
        return False
    bad = LETTERS[kind] in refused or (array.dtype == "uint8" and "u" in refused)
    return not call.require(not bad, "dtype", array, op=op, got=array.dtype or "")


def computed_type(array: Array, result: str) -> str | None:
    """The dtype that a function of one array gives."""
    if result == "bool":
        return "bool"
    if result == "real":
        return real_type(array.dtype)
    if result == "realfloat":
        return real_type(as_float(array.dtype, array.lib))
    if result == "square":
        return "int64" if array.dtype == "bool" else array.dtype
    return as_float(array.dtype, array.lib) if result == "float" else array.dtype


def stored(call: OpCall, array: Array, dtype: str | None, op: str) -> bool:
    """In place: may a result of this dtype be stored in the receiver? Reports where it may not."""
    have, need = kind_of_dtype(array.dtype), kind_of_dtype(dtype)
    if have is None or need is None or array.lib != "torch":
        return True
    return call.require(have >= need, "dtype", array, op=op, got=dtype or "", wanted=array.dtype or "")


def short(call: OpCall) -> str:
    return call.name.rpartition(".")[2]


def unary(call: OpCall, refused: str, result: str) -> Value | None:
    """A function of one tensor keeps its shape."""
    array = call.args[0]
    name = short(call)
    special = stability.meaning(call, name, array) if name in ("exp", "sqrt") else None
    if not isinstance(array, Array):
        return Array(range=special, via=call.place) if special is not None else None
    if refuses(call, array, refused, name):
        return Array()
    if name == "log":
        stability.logarithm(call, array)
    dtype = computed_type(array, result)
    inplace = name.endswith("_")
    if inplace:
        if not stored(call, array, dtype, name):
            return Array()
        dtype = array.dtype
    keeps = name.rstrip("_") in ROUNDING and array.range in ("255", "unit")
    changes: dict[str, object] = {"dtype": dtype, "range": array.range if keeps else None}
    if result == "bool":
        changes["grad"] = False
    if special is not None:
        changes.update(range=special, via=call.place)
    return array.but(**changes)


def activation(call: OpCall, refused: str, result: str) -> Value | None:
    """An activation: colours are gone after it; what it does to the range is noted with its place."""
    array = call.args[0]
    name = short(call).rstrip("_")
    meaning = RANGES.get(name)
    if not isinstance(array, Array):
        return tagged(call, Array(), meaning) if meaning is not None else None
    if refuses(call, array, refused, name):
        return Array()
    dtype = computed_type(array, result)
    if call.const(1 if name != "threshold" else 3, "inplace") is True and not stored(call, array, dtype, name):
        return Array()
    changed = array.but(dtype=dtype, range=None, colour=None)
    return tagged(call, changed, meaning) if meaning is not None else changed


def tagged(call: OpCall, array: Array, meaning: str) -> Array:
    """The array with a range that this call gave it."""
    return array.but(range=meaning, colour=None, via=call.place, origin=call.step(call.name))


def register_unary() -> None:
    for names, refused, result in UNARY:

        def one(call: OpCall, refused: str = refused, result: str = result) -> Value | None:
            return unary(call, refused, result)

        tensor_op(*names.split(), inplace=True)(one)
    for names, refused, result in ACTIVATIONS:

        def act(call: OpCall, refused: str = refused, result: str = result) -> Value | None:
            return activation(call, refused, result)

        for name in names.split():
            tensor_op(name, torch=name in ON_TORCH, functional=True, inplace=True)(act)


register_unary()


@op(*(f"numpy.{name}" for name in ("sin", "cos", "tan", "tanh", "arcsin", "arccos", "arctan", "exp2", "log2", "log10")))
@op("numpy.clip", "numpy.round", "numpy.rint", "numpy.abs", "numpy.sqrt", "numpy.exp", "numpy.log", "numpy.log1p")
def numpy_unary(call: OpCall) -> Value | None:
    array = call.args[0] if call.args else None
    if not isinstance(array, Array):
        return None
    if short(call) in ("clip", "round", "rint", "abs"):
        return array
    return array.but(dtype=as_float(array.dtype, "numpy"), range=None)


@op("torch.nn.functional.dropout", "torch.nn.functional.dropout1d", "torch.nn.functional.dropout2d",
    "torch.nn.functional.dropout3d", "torch.nn.functional.alpha_dropout", "torch.dropout")  # fmt: skip
def dropout(call: OpCall) -> Value | None:
    """Keeps what the values mean."""
    array = call.arg(0, "input")
    if isinstance(array, Array) and not short(call).startswith("alpha") and refuses(call, array, "biuc", short(call)):
        return Array()
    return array


# two operands: operator → its name in messages is the operator itself
METHODS = {
    "add": "+", "sub": "-", "subtract": "-", "mul": "*", "multiply": "*", "div": "/", "divide": "/",
    "true_divide": "/", "floor_divide": "//", "remainder": "%", "pow": "**",
}  # fmt: skip
COMPARISONS = {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "not_equal": "!=", "less": "<",
    "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip
BITWISE = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}
# other functions of two: refused kinds, result
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("maximum minimum fmax fmin", "c", "same"),
    ("fmod", "c", "same"),
    ("atan2 arctan2 xlogy copysign", "c", "float"),
    ("logical_and logical_or logical_xor", "", "bool"),
)


def operator_on(call: OpCall, symbol: str, left: Value, right: Value, inplace: bool = False) -> Value | None:
    """`left symbol right` where one side is an array: broadcast, promoted, its tags kept where they hold."""
    values = [left, right]
    main = left if isinstance(left, Array) else right
    if not isinstance(main, Array):
        return None
    if not allowed(call, symbol, values):
        return Array()
    shape = operand_shape(call, values, symbol, inplace)
    if shape is None:
        return Array()
    dtype = operator_type(symbol, values)
    if inplace and isinstance(left, Array):
        if not stored(call, left, dtype, symbol):
            return Array()
        dtype = left.dtype
    if symbol == "/":
        stability.quotient(call, left, right)
    elif symbol == "+":
        stability.kept_from_zero(call, main, right if main is left else left)
    result = with_tags(symbol, main, right if main is left else left, main is left)
    if symbol in COMPARE:
        result.grad, result.range = False, None
    device = left.device if inplace and isinstance(left, Array) else device_of(values)
    return shaped(result, shape, dtype=dtype, device=device)


COMPARE = frozenset(COMPARISONS.values())


def operand_shape(call: OpCall, values: list[Value], op: str, inplace: bool) -> Shape | None:
    """The shape of the result, None where the operands do not fit together (or not into the receiver): reported."""
    if not same_device(call, values, op):
        return None
    shape = fit(call, values, op)
    if shape is None or not inplace:
        return shape
    receiver = values[0]
    clash = grows(receiver, shape)
    if clash is not None:
        call.require(
            False, "broadcast", receiver, op=op, left=clash.left, right=clash.right, axis=str(clash.axis), inplace="yes"
        )
        return None
    return shape_of(receiver)


def allowed(call: OpCall, symbol: str, values: list[Value]) -> bool:
    """Dtypes that an operator refuses: minus of masks, bits of floats, order of complex numbers."""
    arrays = [v for v in values if isinstance(v, Array)]
    if any(a.lib != "torch" for a in arrays):
        return True
    kinds = [kind_of_dtype(scalar_or_dtype(v)) for v in values]
    bad: bool | None = False
    if symbol == "-":
        bad = 0 in kinds
    elif symbol in ("//", "%"):
        bad = 3 in kinds or kinds == [0, 0]
    elif symbol in ("&", "|", "^"):
        bad = 2 in kinds or 3 in kinds
    elif symbol in ("<", "<=", ">", ">="):
        bad = 3 in kinds
    elif symbol == "**":
        bad = kinds == [0, 0] and isinstance(values[1], Array)
        power = number(values[1])
        # integers to a negative power are no integers
        bad = bad or (isinstance(values[0], Array) and kinds[0] in (0, 1) and isinstance(power, int) and power < 0)
    named = next((a for a in arrays if a.dtype is not None), arrays[0])
    return call.require(not bad, "dtype", *arrays, op=symbol, got=named.dtype or "")


def scalar_or_dtype(value: Value) -> str | None:
    return value.dtype if isinstance(value, Array) else scalar_type(value)


def operator_type(symbol: str, values: list[Value]) -> str | None:
    if symbol in COMPARE:
        return "bool"
    dtype = result_type(values)
    if symbol == "/":
        lib = next((v.lib for v in values if isinstance(v, Array)), "torch")
        if dtype is None:
            # whatever integers they are, they become the default float
            kinds = {kind_of_dtype(scalar_or_dtype(v)) for v in values}
            return as_float("int64", lib) if kinds <= {0, 1} else None
        return as_float(dtype, lib)
    return dtype


def with_tags(symbol: str, main: Array, other: Value, first: bool) -> Array:
    """The tags of `main` after the operation with `other`."""
    likely = main.likely or (isinstance(other, Array) and other.likely)
    result = main.but(grad=joined_grad(main, other), range=None, likely=likely, tail=main.tail)
    if isinstance(other, Array):
        if other.layout not in (None, main.layout):
            longer = main.layout is None or len(other.layout or "") > len(main.layout)
            result.layout = other.layout if longer and main.layout is None and ranked_below(main, other) else None
            if result.layout is not None:
                result.channels, result.colour = other.channels, other.colour
        if other.colour not in (None, main.colour) and result.colour != other.colour:
            result.colour = None
    amount = number(other)
    if symbol == "/" and first:
        result.range = divided(main, amount)
    elif symbol == "*" and amount in (1 / 255, 1.0 / 255.0):
        result.range = divided(main, 255)
    elif symbol == "-" and amount is not None and main.range == "unit":
        result.range = "norm"
    elif symbol == "*" and amount in (255, 255.0) and main.range == "unit":
        result.range = "255"
    elif symbol in ("*", "+", "-") and amount is not None and main.range == "logits":
        result.range = "logits"
    if result.range is None and main.range == "unit" and symbol in ("-", "/") and not isinstance(other, Unknown):
        result.range = "norm"
    return result


def ranked_below(main: Array, other: Array) -> bool:
    """Has `main` certainly fewer axes than the layout of `other`?"""
    return main.shape is not None and other.layout is not None and len(main.shape) <= len(other.layout)


def divided(main: Array, amount: float | int | None) -> str | None:
    """The range after a division by a constant."""
    if main.range == "255" and amount is not None:
        return "unit" if 250 <= amount <= 256 else "norm"
    if main.range == "logits":
        # a temperature keeps scores scores
        return "logits"
    if main.range in ("unit", "norm"):
        return "norm"
    return None


def joined_grad(left: Value, right: Value) -> bool | None:
    grads = [v.grad for v in (left, right) if isinstance(v, Array)]
    if True in grads:
        return True
    others = [v for v in (left, right) if not isinstance(v, Array) and not is_number(v)]
    return False if grads and all(g is False for g in grads) and not others else None


@op("operator")
def operator(call: OpCall) -> Value | None:
    """`a op b` where one side is an array."""
    left, right = call.args
    if call.name == "@":
        return product(call, left, right)
    return operator_on(call, call.name, left, right, isinstance(call.node, ir.AugAssign) and torch_tensor(left))


def product(call: OpCall, left: Value, right: Value) -> Value | None:
    """`a @ b` is `torch.matmul(a, b)`."""
    lib = next((v.lib for v in (left, right) if isinstance(v, Array)), "torch")
    matmul = FUNCTIONS.get("torch.matmul")
    if lib in ("torch", "numpy") and matmul is not None:
        result = matmul(OpCall(call.run, call.scope, call.node, "@", [left, right], {}))
        if result is not None:
            return result
    return Array(lib=lib, grad=joined_grad(left, right), range="logits" if lib == "torch" else None)


def torch_tensor(value: Value) -> bool:
    return isinstance(value, Array) and value.lib == "torch"


def arithmetic(call: OpCall) -> Value | None:
    """`x.add(y)`, `torch.add(x, y)`, `x.add_(y)` and the comparisons and bit operations by name."""
    name = short(call)
    plain = name.rstrip("_")
    symbol = METHODS.get(plain) or COMPARISONS.get(plain) or BITWISE.get(plain)
    other = call.arg(1, "exponent" if plain == "pow" else "other")
    if symbol is None or other is None:
        return None
    if symbol == "/" and call.const(2, "rounding_mode") is not None:
        symbol = "//"
    return operator_on(call, symbol, call.args[0], other, name.endswith("_"))


tensor_op(*METHODS, *COMPARISONS, *BITWISE, inplace=True)(arithmetic)


@op("numpy.add", "numpy.subtract", "numpy.multiply", "numpy.divide")
def numpy_arithmetic(call: OpCall) -> Value | None:
    symbol = METHODS[short(call)]
    return operator_on(call, symbol, call.args[0], call.args[1]) if len(call.args) > 1 else None


def pair(call: OpCall, refused: str, result: str) -> Value | None:
    """A named function of two tensors."""
    name = short(call)
    values = [call.args[0], call.arg(1, "other") or Unknown()]
    main = next((v for v in values if isinstance(v, Array)), None)
    if main is None or any(isinstance(v, Array) and refuses(call, v, refused, name) for v in values):
        return None if main is None else Array()
    shape = operand_shape(call, values, name, name.endswith("_"))
    if shape is None:
        return Array()
    dtype = "bool" if result == "bool" else result_type(values)
    if result == "float":
        dtype = as_float(dtype)
    grad = False if result == "bool" else joined_grad(*values)
    likely = any(isinstance(v, Array) and v.likely for v in values)
    device = device_of(values)
    if name == "fmod" and dtype == "bool":
        dtype = None
    return shaped(main.but(tail=main.tail, range=None, grad=grad, likely=likely), shape, dtype=dtype, device=device)


def register_pairs() -> None:
    for names, refused, result in PAIRS:

        def two(call: OpCall, refused: str = refused, result: str = result) -> Value | None:
            return pair(call, refused, result)

        tensor_op(*names.split())(two)


register_pairs()


@op("unary")
def sign(call: OpCall) -> Value | None:
    """`-x`, `+x`, `~x`."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    refused = {"-": "b", "~": "fc"}.get(call.name, "")
    if refuses(call, array, refused, call.name):
        return Array()
    return array if call.name == "+" else array.but(range=None, tail=array.tail)


@op("compare")
def compare(call: OpCall) -> Value | None:
    """`a < b` where one side is an array; `in` and `is` are left to Python."""
    if call.name not in COMPARE:
        return None
    left, right = call.args
    main = left if isinstance(left, Array) else right
    if isinstance(main, Array) and main.lib not in ("torch", "numpy"):
        return None
    if is_none(left) or is_none(right) or any(isinstance(v, Const) and isinstance(v.value, str) for v in call.args):
        return None
    if call.name in ("==", "!=") and any(isinstance(v, Seq) for v in call.args):
        return None
    return operator_on(call, call.name, left, right)
