"""The sizes of a matrix product do not fit.

## What it does
Compares the sizes that a product sums over, and its batch axes: `@`, `matmul`, `mm`, `bmm`, `einsum`, `tensordot`,
`addmm`, `cdist`, attention and the functions of `torch.linalg`.

## Why it matters
PyTorch raises "mat1 and mat2 shapes cannot be multiplied" at the first batch.

## Example
```py
import torch

queries = torch.rand(4, 8)
queries @ queries  # error: [matmul-shapes]
```
Use instead: `queries @ queries.mT`.

## When it stays silent
Sizes that are not proved: those of parameters and of data that trainlint does not see.
"""

from trainlint.rules.api import (
    Array,
    Violation,
    argument_of,
    at,
    ir,
    origin_of,
    path_of,
    rule,
    same_size,
    shape_text,
    violated,
    wrap,
)

# products of two operands whose order in the call is that of the message
PAIRS = ("@", "matmul", "mm", "bmm", "mv", "dot", "vdot", "inner")
# what else is wrong with matrices
MEANT = {
    "square": "a matrix of {wanted} rows and {got} columns is not square",
    "three": "vectors of the size {got}, it takes those of 3",
    "theta": "the matrices have the size {got} where the grid takes {wanted}",
}


@rule("matmul-shapes", code="SH003", family="shape", level="error", since="0.1")
def check(fact: Violation):
    if fact.kind != "matmul":
        return
    draft = violated(fact, message(fact), fix=transposed(fact))
    second = fact.values[1] if len(fact.values) > 1 else None
    if isinstance(second, Array):
        draft.because += tuple(b for b in path_of(second) if b not in draft.because)
    lines = {b.place.line for b in draft.because} | {fact.place.line}
    for name in ("got", "wanted"):
        size = fact.names.get(name)
        if size is not None and not isinstance(size, str):
            draft.because += tuple(b for b in origin_of(size, "this size") if b.place.line not in lines)
    yield draft


def message(fact: Violation) -> str:
    """What does not fit, with the sizes."""
    shapes = [text for value in fact.values[:2] if (text := shape_text(value))]
    of = f" of {' and '.join(shapes)}" if shapes else ""
    what = fact.names.get("what")
    if isinstance(what, str):
        return "`{op}`" + of + ": " + MEANT.get(what, "{what}")
    if "label" in fact.names:
        return "`{op}`" + of + ": the axis `{label}` has the sizes {wanted} and {got}"
    if "left" in fact.names:
        return "`{op}`" + of + ": the sizes {left} and {right} of axis {axis} differ"
    if len(fact.values) < 2 or fact.op not in PAIRS:
        return "`{op}`" + of + ": it sums over sizes that differ, {got} and {wanted}"
    return "`{op}`" + of + ": the left side ends in {got}, the right side takes {wanted}"


def transposed(fact: Violation):
    """Transpose the right side, where that makes it fit."""
    got = fact.names.get("got")
    right = fact.values[1] if len(fact.values) > 1 else None
    node = fact.node
    if fact.op not in ("@", "matmul", "mm", "bmm") or not isinstance(right, Array) or not right.shape:
        return None
    if len(right.shape) < 2 or isinstance(got, str) or same_size(got, right.shape[-1]) is not True:
        return None
    operand: ir.Expr | None = None
    if isinstance(node, ir.BinOp):
        plain = isinstance(node.right, (ir.Name, ir.Attr, ir.Subscript, ir.Call))
        operand = node.right if plain else None
    elif isinstance(node, ir.Call):
        operand = argument_of(node, len(node.args) - 1)
    return wrap("transpose the right side", at(fact.file, operand), "", ".mT", safety="unsafe") if operand else None
