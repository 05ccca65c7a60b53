"""The least and the greatest element of tensors of integers: where the program states them, and what keeps them.

They are indices, most often: `arange`, literal numbers, `zeros` and `ones`, `randint`; functions that only rearrange
the elements keep them, every other function loses them (`Array.but`).
"""

from __future__ import annotations

from collections.abc import Callable

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, Bounds
from trainlint.analysis.registry import ARRAY_METHODS, FUNCTIONS, Op, OpCall, surround
from trainlint.analysis.values import Const, Seq, Value, number
from trainlint.ops import creation, dtypes, indexing, repeating, reshapes, views
from trainlint.ops.creation import short
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.layout import integer, size
from trainlint.syntax import ir

# what is wrapped below is registered there
assert all((creation, dtypes, indexing, repeating, reshapes, views))

ZERO, ONE = Const(0), Const(1)
# literal numbers beyond this many are not looked at
MAX_NUMBERS = 256
# functions whose result has the same elements, perhaps several times
KEPT = (
    "view reshape flatten unflatten unsqueeze squeeze permute transpose t swapaxes movedim flip roll expand expand_as"
    " broadcast_to repeat tile repeat_interleave view_as reshape_as to cpu cuda long int detach"
)


def stating(bounds_of: Callable[[OpCall, Array], Bounds | None]) -> Callable[[Op], Op]:
    """A function that makes a tensor of integers says what their bounds are."""

    def around(handler: Op) -> Op:
        def stated(call: OpCall) -> Value | None:
            result = handler(call)
            if isinstance(result, Array) and kind_of_dtype(result.dtype) == 1:
                result.bounds = bounds_of(call, result)
            return result

        return stated

    return around


def keeping(handler: Op) -> Op:
    """A function that gives the elements of its tensor keeps their bounds."""

    def kept(call: OpCall) -> Value | None:
        result = handler(call)
        given = call.receiver if call.receiver is not None else call.args[0] if call.args else None
        if isinstance(given, Array) and given.bounds is not None and isinstance(result, Array):
            if kind_of_dtype(result.dtype) == 1:
                result.bounds = given.bounds
        return result

    return kept


def whole(handler: Op) -> Op:
    """Indexing keeps the bounds where it takes everything: `x[None]`, `x[:, None]`, `x[..., None]`."""
    keeps = keeping(handler)

    def indexed(call: OpCall) -> Value | None:
        node = call.node
        return keeps(call) if isinstance(node, ir.Subscript) and takes_all(node.index) else handler(call)

    return indexed


def takes_all(index: ir.Expr) -> bool:
    if isinstance(index, ir.Sequence):
        return all(takes_all(part) for part in index.elts)
    if isinstance(index, ir.Slice):
        return index.lower is index.upper is index.step is None
    return isinstance(index, ir.Const) and (index.value is None or index.value is ...)


def of_arange(call: OpCall, result: Array) -> Bounds | None:
    """From the start to the last number before the end."""
    values = list(call.args[:3])
    start = call.kwargs.get("start") or (values[0] if len(values) > 1 else ZERO)
    step = call.kwargs.get("step") or (values[2] if len(values) > 2 else ONE)
    by, count = integer(step), result.shape[0] if result.shape else None
    if by is None or by == 0 or count is None or dims.at_least(count, ONE) is not True:
        return None
    last = dims.add(start, dims.mul(Const(by), dims.sub(count, ONE)))
    return Bounds(start, last) if by > 0 else Bounds(last, start)


def of_numbers(call: OpCall, result: Array) -> Bounds | None:
    """Of literal numbers, nested or not."""
    given = call.arg(0, "data")
    found: list[int] = []
    waiting = [given] if given is not None else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, Seq) and value.items is not None and len(found) + len(value.items) <= MAX_NUMBERS:
            waiting += value.items
            continue
        plain = integer(value)
        if plain is None:
            return given.bounds if isinstance(given, Array) else None
        found.append(plain)
    return Bounds(Const(min(found)), Const(max(found))) if found else None


def of_fill(call: OpCall, result: Array) -> Bounds | None:
    """All elements are the same number."""
    filling = {"zeros": ZERO, "ones": ONE}.get(short(call), call.arg(1, "fill_value"))
    return Bounds(filling, filling) if filling is not None and integer(filling) is not None else None


def of_draw(call: OpCall, result: Array) -> Bounds | None:
    """`randint(low, high, size)`: high is not among them; both may be missed."""
    numbers = []
    for value in call.args[:2]:
        if isinstance(value, Seq):
            break
        numbers.append(value)
    high = call.kwargs.get("high") or (numbers[-1] if numbers else None)
    low = call.kwargs.get("low") or (numbers[0] if len(numbers) > 1 or ("high" in call.kwargs and numbers) else ZERO)
    if high is None or dims.poly_of(size(high)) is None or dims.poly_of(size(low)) is None:
        return None
    return Bounds(low, dims.sub(high, ONE), False)


def of_permutation(call: OpCall, result: Array) -> Bounds | None:
    """The numbers below n."""
    count = call.arg(0, "n")
    return Bounds(ZERO, dims.sub(count, ONE)) if count is not None and (number(count) or 0) >= 1 else None


STATED: dict[str, Callable[[OpCall, Array], Bounds | None]] = {
    "arange": of_arange,
    "randint": of_draw,
    "randperm": of_permutation,
    **dict.fromkeys(("tensor", "as_tensor", "LongTensor", "IntTensor"), of_numbers),
    **dict.fromkeys(("zeros", "ones", "full"), of_fill),
}


def register() -> None:
    for name, bounds_of in STATED.items():
        surround(FUNCTIONS, f"torch.{name}", stating(bounds_of))
    for name in KEPT.split():
        surround(ARRAY_METHODS, name, keeping)
        if f"torch.{name}" in FUNCTIONS:
            surround(FUNCTIONS, f"torch.{name}", keeping)
    surround(ARRAY_METHODS, "__getitem__", whole)


register()
