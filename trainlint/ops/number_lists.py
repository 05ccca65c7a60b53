"""NumPy's functions over lists of numbers: `np.prod(image_shape)` is an integer that layers are built with."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.iteration import elements
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Number, Seq, Sym, Value, number
from trainlint.ops.layout import integer


def of_numbers(call: OpCall, values: Seq) -> Value | None:
    """The sum or an extreme of a list of numbers; None where it is not one, or an axis is given."""
    inside = elements(values)
    if not inside or len(call.args) > 1 or call.kwargs:
        return None
    name = call.name.rpartition(".")[2].removeprefix("a")
    if name == "sum" and all(map(is_size, inside)):
        total: Value = Const(0)
        for value in inside:
            total = dims.add(total, value)
        return total
    numbers = [number(value) for value in inside]
    known = [each for each in numbers if each is not None]
    if name not in ("max", "min") or len(known) < len(numbers):
        return None
    return Const(max(known) if name == "max" else min(known), call.step(call.name))


@op("numpy.prod", "numpy.product", "numpy.multiply.reduce")
def product(call: OpCall) -> Value | None:
    """`np.prod(image_shape)`: the number of elements. Of an array it is a number that nobody knows."""
    values = call.args[0] if call.args else None
    if isinstance(values, Array) and len(call.args) == 1 and not call.kwargs:
        return Number(call.name)
    inside = elements(values) if values is not None and len(call.args) == 1 and not call.kwargs else None
    return dims.product(inside) if inside is not None and all(map(is_size, inside)) else None


def is_size(value: Value) -> bool:
    return isinstance(value, Sym) or integer(value) is not None
