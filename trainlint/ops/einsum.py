"""Sums over named axes: `torch.einsum` with an equation or with lists of numbers, and `tensordot`."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, known
from trainlint.ops.arguments import shape_of
from trainlint.ops.broadcast import Clash, Shape, broadcast, same_device, together
from trainlint.ops.layout import axis_number, integer
from trainlint.ops.matrix import dtype_of, multiplies, nothing, product

ELLIPSIS = "..."
UNKNOWN = Unknown()
# numbers in lists of axes stand for letters
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Equation:
    """The labels of each operand and of the result (None: not written), the ellipsis as `...`."""

    inputs: list[list[str]]
    output: list[str] | None


class Malformed(Exception):
    """An equation that PyTorch refuses; the text says why."""


def labels_of(text: str) -> list[str]:
    """`i...j` → i, ..., j."""
    result: list[str] = []
    rest = text.replace(" ", "")
    while rest:
        label = ELLIPSIS if rest.startswith(ELLIPSIS) else rest[0]
        if label != ELLIPSIS and label not in LETTERS:
            raise Malformed(f"`{label}` is no letter")
        if label == ELLIPSIS and label in result:
            raise Malformed("two ellipses in one operand")
        result.append(label)
        rest = rest[len(label) :]
    return result


def equation_of(text: str) -> Equation:
    """`ij,jk->ik` taken apart."""
    left, arrow, right = text.partition("->")
    if not arrow and "-" in left.replace(" ", ""):
        raise Malformed("an arrow is `->`")
    return Equation([labels_of(part) for part in left.split(",")], labels_of(right) if arrow else None)


def implied(inputs: list[list[str]]) -> list[str]:
    """The result where none is written: the ellipsis, then the letters that stand once, in order of the alphabet."""
    every = [label for labels in inputs for label in labels]
    once = sorted(label for label in set(every) if label != ELLIPSIS and every.count(label) == 1)
    return [*([ELLIPSIS] if ELLIPSIS in every else []), *once]


@op("torch.einsum", "torch.functional.einsum")
def einsum(call: OpCall) -> Value | None:
    """`einsum("ij,jk->ik", a, b)`, `einsum(a, [0, 1], b, [1, 2], [0, 2])`."""
    if "*" in call.kwargs or not call.args:
        return None
    first = call.args[0]
    try:
        if isinstance(first, Array):
            equation, values = of_lists(call.args)
        else:
            text = known(first)
            values = call.args[1:]
            if len(values) == 1 and isinstance(values[0], Seq):
                values = values[0].items or []
            equation = equation_of(text) if isinstance(text, str) else None
        if equation is None:
            return nothing(call, values)
        shape = summed(call, equation, values)
    except Malformed as problem:
        call.require(False, "matmul", op="einsum", what=str(problem))
        return Array()
    return product(call, values, shape, einsum_type(values)) if shape is not None else nothing(call, values)


def of_lists(args: list[Value]) -> tuple[Equation | None, list[Value]]:
    """The calling form that gives the axes of each operand as a list of numbers behind it."""
    values = args[: len(args) // 2 * 2 : 2]
    lists = [*args[1::2], *(args[-1:] if len(args) % 2 else [])]
    labels: list[list[str]] = []
    for given in lists:
        items = given.items if isinstance(given, Seq) else None
        if items is None:
            return None, values
        row = [ELLIPSIS if known(item) is ... else letter(integer(item)) for item in items]
        if "" in row:
            return None, values
        labels.append(row)
    return Equation(labels[: len(values)], labels[len(values)] if len(args) % 2 else None), values


def letter(number: int | None) -> str:
    return LETTERS[number] if number is not None and 0 <= number < len(LETTERS) else ""


def einsum_type(values: list[Value]) -> str | None:
    """The dtype where all operands share one that sums keep."""
    dtype = dtype_of(values)
    return None if dtype in ("bool", "uint8", "int8", "int16", "int32") else dtype


def summed(call: OpCall, equation: Equation, values: list[Value]) -> Shape | None:
    """The shape of the result, None where the equation does not fit the operands (reported)."""
    if len(values) != len(equation.inputs):
        raise Malformed(f"{len(equation.inputs)} operands in the equation, {len(values)} given")
    if not same_device(call, values, "einsum"):
        return None
    sizes: dict[str, tuple[Value, Value]] = {}
    extra = Shape(())
    for labels, value in zip(equation.inputs, values, strict=True):
        axes = matched(call, labels, value)
        if axes is None or not consistent(call, labels, axes, value, sizes):
            return None
        both = broadcast(extra, axes.extra) if axes.extra is not None else extra
        if isinstance(both, Clash):
            arrays = [v for v in values if isinstance(v, Array)]
            call.require(False, "matmul", *arrays, op="einsum", left=both.left, right=both.right, axis="...")
            return None
        extra = both
    output = equation.output if equation.output is not None else implied(equation.inputs)
    for label in output:
        if label != ELLIPSIS and label not in sizes:
            raise Malformed(f"`{label}` of the result stands in no operand")
        if output.count(label) > 1:
            raise Malformed(f"`{label}` stands twice in the result")
    return result_shape(output, {label: size for label, (size, _) in sizes.items()}, extra)


def result_shape(output: list[str], sizes: dict[str, Value], extra: Shape) -> Shape:
    shape: list[Value] = []
    for n, label in enumerate(output):
        if label != ELLIPSIS:
            shape.append(sizes[label])
        elif extra.tail:
            # how many axes stand here is not known, those behind it are
            return Shape((*extra.sizes, *(sizes[later] for later in output[n + 1 :])), True)
        else:
            shape += extra.sizes
    return Shape(tuple(shape))


@dataclass(slots=True)
class Matched:
    """The sizes of the labels of one operand, and those of its ellipsis (None: it has none)."""

    sizes: dict[int, Value]
    extra: Shape | None


def matched(call: OpCall, labels: list[str], value: Value) -> Matched | None:
    """The axes of an operand by label; None where their number is wrong (reported)."""
    shape = shape_of(value) if isinstance(value, Array) else None
    named = len(labels) - labels.count(ELLIPSIS)
    at = labels.index(ELLIPSIS) if ELLIPSIS in labels else None
    if shape is None:
        tail = value.tail or () if isinstance(value, Array) else ()
        sizes: dict[int, Value] = {n: UNKNOWN for n, label in enumerate(labels) if label != ELLIPSIS}
        behind = len(labels) - (at + 1 if at is not None else 0)
        for n in range(1, min(len(tail), behind) + 1):
            sizes[len(labels) - n] = tail[-n]
        return Matched(sizes, Shape((), True) if at is not None else None)
    rank = len(shape)
    if not call.require(
        rank == named or (at is not None and rank > named),
        "rank", value, op="einsum", got=Const(rank), wanted=Const(named), pattern="".join(labels),
    ):  # fmt: skip
        return None
    if at is None:
        return Matched(dict(enumerate(shape)), None)
    more = rank - named
    front = dict(enumerate(shape[:at]))
    back = {at + 1 + n: size for n, size in enumerate(shape[at + more :])}
    return Matched({**front, **back}, Shape(shape[at : at + more]))


def consistent(
    call: OpCall, labels: list[str], axes: Matched, value: Value, sizes: dict[str, tuple[Value, Value]]
) -> bool:
    """Enter the sizes of an operand; a label has one size, but axes of size 1 broadcast between operands."""
    mine: dict[str, Value] = {}
    for n, size in axes.sizes.items():
        label = labels[n]
        before = mine.get(label)
        if before is not None:
            arrays = [value] if isinstance(value, Array) else []
            if not call.require(
                dims.same(before, size), "matmul", *arrays, op="einsum", got=size, wanted=before, label=label
            ):
                return False
            size = before if integer(before) is not None else size
        mine[label] = size
    for label, size in mine.items():
        if label not in sizes:
            sizes[label] = (size, value)
            continue
        old, other = sizes[label]
        both = together(old, size)
        if both is None:
            arrays = [v for v in (other, value) if isinstance(v, Array)]
            return call.require(False, "matmul", *arrays, op="einsum", got=size, wanted=old, label=label)
        sizes[label] = (both, value)
    return True


@tensor_op("tensordot", torch=True)
def tensordot(call: OpCall) -> Value | None:
    """`tensordot(a, b, dims=2)` sums the last two axes of a with the first two of b; or pairs of axes as lists."""
    a = call.args[0]
    b = call.kwargs.get("other") or call.arg(1, "b")
    if b is None:
        return None
    values = [a, b]
    left = shape_of(a) if isinstance(a, Array) else None
    right = shape_of(b) if isinstance(b, Array) else None
    if not isinstance(a, Array) or not isinstance(b, Array) or left is None or right is None:
        return nothing(call, values)
    pairs = contracted(call, a.but(shape=left), b.but(shape=right), call.arg(2, "dims") or Const(2))
    if pairs is None or not multiplies(call, values, "tensordot"):
        return nothing(call, values)
    for m, n in zip(*pairs, strict=True):
        if together(left[m], right[n]) is None:
            call.require(False, "matmul", a, b, op="tensordot", got=left[m], wanted=right[n])
            return nothing(call, values)
    rest = [size for n, size in enumerate(left) if n not in pairs[0]]
    rest += [size for n, size in enumerate(right) if n not in pairs[1]]
    return product(call, values, tuple(rest), dtype_of(values))


def contracted(call: OpCall, a: Array, b: Array, given: Value) -> tuple[list[int], list[int]] | None:
    """The axes of both sides that are summed, None where they are not known or proved wrong (reported)."""
    left, right = a.shape or (), b.shape or ()
    number = integer(given)
    if number is not None:
        fits = 0 <= number <= min(len(left), len(right))
        if not call.require(fits, "argument", a, b, op="tensordot", got=given, what="dims"):
            return None
        return list(range(len(left) - number, len(left))), list(range(number))
    items = given.items if isinstance(given, Seq) else None
    lists = [i.items if isinstance(i, Seq) else None for i in items or ()]
    if len(lists) != 2 or lists[0] is None or lists[1] is None:
        return None
    if not call.require(len(lists[0]) == len(lists[1]), "argument", a, b, op="tensordot", what="dims"):
        return None
    found: tuple[list[int], list[int]] = ([], [])
    for numbers, array, numbered in zip(found, (a, b), lists, strict=True):
        for value in numbered or ():
            at = axis_number(call, array, value)
            if at is None or not call.require(array.shape != (), "index", array, op="tensordot", got=value):
                return None
            numbers.append(at)
        if len(set(numbers)) < len(numbers):
            return None
    return found
