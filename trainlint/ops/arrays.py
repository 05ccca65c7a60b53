"""NumPy, indexing and arithmetic of images and arrays."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, array_method, op
from trainlint.analysis.values import Array, Const, Seq, Unknown, Value, element, known, number
from trainlint.ops.layers import first_array
from trainlint.ops.layout import added, axes, permuted
from trainlint.ops.tensors import moved_axis
from trainlint.syntax import ir

FLIPPED = {"RGB": "BGR", "BGR": "RGB", "RGBA": "ABGR", "BGRA": "ARGB"}


@op("numpy.array", "numpy.asarray", "numpy.ascontiguousarray", "numpy.float32", "numpy.uint8", "numpy.copy")
def array(call: OpCall) -> Value | None:
    """An array of an image: a PIL image becomes HWC (HW where it is grey)."""
    value = call.arg(0, "object")
    if isinstance(value, Array):
        return value.but(lib="numpy", grad=False, origin=call.step(call.name, value))
    if isinstance(value, Seq):
        inner = element(value)
        if isinstance(inner, Array) and inner.layout is not None:
            return added(call, inner).but(lib="numpy")
        return Array(lib="numpy", grad=False)
    return Array(lib="numpy", grad=False) if value is not None else None


@op("numpy.stack", "numpy.expand_dims", "numpy.concatenate", "numpy.vstack", "numpy.array_split")
def stack(call: OpCall) -> Value | None:
    parts = call.arg(0, "arrays")
    inner = element(parts) if isinstance(parts, Seq) else parts
    if not isinstance(inner, Array):
        return Array(lib="numpy", grad=False)
    axis = call.const(1, "axis")
    if call.name in ("numpy.stack", "numpy.expand_dims") and axis in (None, 0):
        return added(call, inner).but(lib="numpy")
    return inner.but(lib="numpy", layout=None, shape=None)


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


@op("numpy.flip", "numpy.fliplr", "numpy.flipud", "numpy.rot90", "torch.flip", "cv2.flip")
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


@op("numpy.clip", "numpy.squeeze", "numpy.float64", "numpy.round", "numpy.rint")
def kept(call: OpCall) -> Value | None:
    value = first_array(call)
    if value is None:
        return None
    return value if not call.name.endswith("squeeze") else value.but(layout=None, shape=None)


@op("numpy.divide", "numpy.multiply", "numpy.subtract", "numpy.add", "torch.div", "torch.sub", "torch.mul", "torch.add")
def function_operator(call: OpCall) -> Value | None:
    symbols = {"div": "/", "mul": "*", "sub": "-", "add": "+"}
    symbol = symbols[call.name.rpartition(".")[2][:3]]
    return operator_on(call, symbol, call.args[0], call.args[1]) if len(call.args) > 1 else None


@op("operator")
def operator(call: OpCall) -> Value | None:
    """`a op b` where one side is an array."""
    left, right = call.args
    return operator_on(call, call.name, left, right)


def operator_on(call: OpCall, symbol: str, left: Value, right: Value) -> Value | None:
    main = left if isinstance(left, Array) else right
    if not isinstance(main, Array):
        return None
    other = right if main is left else left
    grad = joined_grad(left, right)
    if symbol == "@":
        return Array(lib=main.lib, grad=grad, range="logits" if main.lib == "torch" else None)
    result = main.but(grad=grad, range=None, likely=main.likely or (isinstance(other, Array) and other.likely))
    if isinstance(other, Array) and other.layout not in (None, main.layout):
        result.layout = None
    if isinstance(other, Array) and other.colour not in (None, main.colour):
        result.colour = None
    amount = number(other)
    if symbol == "/" and main is left:
        result.range = divided(main, amount)
    elif symbol == "*" and amount in (1 / 255, 1.0 / 255.0):
        result.range = divided(main, 255)
    elif symbol in "+-*" and amount is not None and main.range == "unit" and symbol == "-":
        result.range = "norm"
    elif symbol == "*" and amount in (255, 255.0) and main.range == "unit":
        result.range = "255"
    elif symbol in "*+-" and amount is not None and main.range == "logits":
        result.range = "logits"
    if result.range is None and main.range == "unit" and symbol in "-/" and not isinstance(other, Unknown):
        result.range = "norm"
    if result.range == "prob" and symbol != "/":
        result.range = None
    result.origin = main.origin
    return result


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
    others = [v for v in (left, right) if not isinstance(v, (Array, Const))]
    return False if grads and all(g is False for g in grads) and not others else None


@array_method("__getitem__")
def get_item(call: OpCall) -> Value | None:
    """`img[..., ::-1]`, `img[:, :, [2, 1, 0]]`, `batch[0]`, `img[:, :, 0]`."""
    value, node = call.receiver, call.node
    if not isinstance(value, Array) or not isinstance(node, ir.Subscript):
        return None
    index = node.index
    parts = list(index.elts) if isinstance(index, ir.Sequence) and index.kind == "tuple" else [index]
    layout = value.layout
    if layout is None:
        return value.but(shape=None, channels=None, colour=None if len(parts) > 1 else value.colour)
    if any(isinstance(p, ir.Const) and p.value is ... for p in parts):
        at = next(i for i, p in enumerate(parts) if isinstance(p, ir.Const) and p.value is ...)
        if sum(isinstance(p, ir.Const) and p.value is None for p in parts):
            return new_axes(call, value, parts)
        missing = len(layout) - (len(parts) - 1)
        parts = parts[:at] + [ir.Slice(None, None, None)] * missing + parts[at + 1 :]
    if any(isinstance(p, ir.Const) and p.value is None for p in parts):
        return new_axes(call, value, parts)
    if len(parts) > len(layout):
        return value.but(layout=None, shape=None, channels=None, colour=None)
    kept_axes, colour, channels = "", value.colour, value.channels
    for axis, part in zip(layout, parts, strict=False):
        kind = part_kind(call, part)
        if axis == "C" and kind == "reversed":
            colour = FLIPPED.get(colour or "")
        elif axis == "C" and kind != "all":
            colour, channels = None, None
        if kind != "index":
            kept_axes += axis
    kept_axes += layout[len(parts) :]
    flipped = colour != value.colour
    origin = call.step("channels reversed" if flipped else "indexed", value)
    return value.but(layout=kept_axes or None, shape=None, colour=colour, channels=channels, origin=origin)


def new_axes(call: OpCall, value: Array, parts: list[ir.Expr]) -> Array:
    first = parts[0]
    if isinstance(first, ir.Const) and first.value is None:
        rest = parts[1:]
        if all(isinstance(p, ir.Slice) or (isinstance(p, ir.Const) and p.value is ...) for p in rest):
            return added(call, value)
    return value.but(layout=None, shape=None)


def part_kind(call: OpCall, part: ir.Expr) -> str:
    """What one index does to its axis: `all`, `reversed`, `index` (drops it) or `part`."""
    from trainlint.analysis.expressions import evaluate

    if isinstance(part, ir.Slice):
        if part.lower is None and part.upper is None and part.step is None:
            return "all"
        step = evaluate(call.run, call.scope, part.step) if part.step is not None else None
        return "reversed" if part.lower is None and part.upper is None and known(step) == -1 else "part"
    if isinstance(part, ir.Sequence):
        order = [p.value if isinstance(p, ir.Const) else None for p in part.elts]
        return "reversed" if order in ([2, 1, 0],) else "all" if order == [0, 1, 2] else "part"
    value = evaluate(call.run, call.scope, part)
    if isinstance(value, (Array, Seq)):
        return "part"
    return "index"


@array_method("__iter__")
def iterate(call: OpCall) -> Value | None:
    value = call.receiver
    if not isinstance(value, Array):
        return None
    return value.but(layout=value.layout[1:] or None if value.layout else None, shape=None)


@array_method(".T", ".mT")
def transposed(call: OpCall) -> Value | None:
    value = call.receiver
    if not isinstance(value, Array):
        return None
    if value.layout is None or len(value.layout) != 3:
        return value.but(layout=None, shape=None)
    return value.but(layout=value.layout[::-1], shape=None)


@array_method(".shape")
def shape(call: OpCall) -> Value | None:
    value = call.receiver
    if isinstance(value, Array) and value.shape is not None:
        return Seq("tuple", list(value.shape))
    return Unknown("shape")


@array_method(".grad")
def gradient(call: OpCall) -> Value | None:
    return Unknown("grad")
