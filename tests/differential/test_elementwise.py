"""Elementwise operations agree with PyTorch: shapes, dtypes, and where it raises."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis.arrays import Array
from trainlint.ops.elementwise import ACTIVATIONS, AS_METHOD, UNARY

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
ALL_DTYPES = [*DTYPES, "complex64"]
SIZES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
NUMBERS = ["2", "2.5", "True", "-1"]


def filled(shape: tuple[int, ...], dtype: str) -> str:
    return f"torch.ones({shape!r}, dtype=torch.{dtype})"


TENSORS = st.builds(filled, SIZES, st.sampled_from(DTYPES))
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^"]
NAMED = [
    "add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "eq", "ne", "lt", "le", "gt", "ge", "maximum",
    "minimum", "fmax", "fmin", "atan2", "xlogy", "copysign", "logical_and", "logical_or", "bitwise_and", "bitwise_or",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_functions_of_one_tensor(dtype: str) -> None:
    for names, _, _ in UNARY:
        for name in names.split():
            agree(f"x = {filled((2, 3), dtype)}\ny = torch.{name}(x)")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_methods_of_one_tensor(dtype: str) -> None:
    for names, _, _ in UNARY:
        for name in names.split():
            agree(f"x = {filled((2, 3), dtype)}\ny = x.{name}()")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_in_place_functions(dtype: str) -> None:
    without = {"angle", "conj", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "signbit"}
    for names, _, _ in UNARY:
        for name in sorted(set(names.split()) - without):
            agree(f"y = {filled((2, 3), dtype)}\ny.{name}_()")


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_activations(dtype: str) -> None:
    for names, _, _ in ACTIVATIONS:
        for name in names.split():
            rest = ", 0.1, 0.2" if name == "threshold" else ""
            agree(f"x = {filled((2, 3), dtype)}\ny = F.{name}(x{rest})")
            if name in AS_METHOD:
                agree(f"x = {filled((2, 3), dtype)}\ny = x.{name}()")


@settings(max_examples=250, deadline=None)
@given(TENSORS, st.sampled_from(OPERATORS), TENSORS)
def test_operators(left: str, operator: str, right: str) -> None:
    agree(f"a = {left}\nb = {right}\ny = a {operator} b")


@settings(max_examples=150, deadline=None)
@given(TENSORS, st.sampled_from(OPERATORS), st.sampled_from(NUMBERS), st.booleans())
def test_operators_with_numbers(tensor: str, operator: str, number: str, swapped: bool) -> None:
    sides = (number, "a") if swapped else ("a", number)
    agree(f"a = {tensor}\ny = {sides[0]} {operator} {sides[1]}")


@settings(max_examples=150, deadline=None)
@given(TENSORS, st.sampled_from(["+", "-", "*", "/", "//", "**"]), st.one_of(TENSORS, st.sampled_from(NUMBERS[:3])))
def test_in_place_operators(left: str, operator: str, right: str) -> None:
    agree(f"y = {left}\nb = {right}\ny {operator}= b")


@settings(max_examples=150, deadline=None)
@given(TENSORS, st.sampled_from(NAMED), TENSORS)
def test_functions_of_two(left: str, name: str, right: str) -> None:
    agree(f"a = {left}\nb = {right}\ny = torch.{name}(a, b)")


@settings(max_examples=100, deadline=None)
@given(TENSORS, SIZES, TENSORS, st.booleans())
def test_where(condition: str, sizes: tuple[int, ...], other: str, method: bool) -> None:
    mask = f"{condition}.bool()"
    call = "x.where(m, z)" if method else "torch.where(m, x, z)"
    agree(f"m = {mask}\nx = torch.rand({sizes!r})\nz = {other}\ny = {call}")


@settings(max_examples=80, deadline=None)
@given(TENSORS, SIZES, st.sampled_from(["masked_fill(m, 0)", "masked_fill_(m, 0)"]))
def test_masked_fill(mask: str, sizes: tuple[int, ...], call: str) -> None:
    agree(f"m = {mask}\nx = torch.rand({sizes!r})\ny = x.{call}")


@settings(max_examples=80, deadline=None)
@given(TENSORS, st.sampled_from(["clamp(0, 1)", "clamp(min=0.5)", "clip(max=2)", "clamp_(0, 1)"]))
def test_clamp(tensor: str, call: str) -> None:
    agree(f"x = {tensor}\ny = x.{call}")


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES, st.sampled_from(["lerp", "addcmul", "addcdiv"]))
def test_fused(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...], name: str) -> None:
    agree(f"y = torch.rand({a!r}).{name}(torch.rand({b!r}), torch.rand({c!r}))")


def test_symbols_broadcast() -> None:
    symbolic("y = torch.zeros(B, 3, 4) + torch.ones(3, 1)", B=5)
    symbolic("y = torch.zeros(B, 1, 4) * torch.ones(1, N, 1)", B=5, N=3)
    symbolic("y = torch.zeros(B, 3) - torch.zeros(B, 3).mean(dim=1, keepdim=True)", B=5)


def test_a_symbol_may_be_one() -> None:
    _, violations = interpreted("def f(n):\n    m = len(n)\n    return torch.zeros(m) + torch.zeros(m + 1)\ny = f([])")
    assert not violations


def test_what_is_not_known_has_any_shape() -> None:
    value, violations = interpreted("from other import scale\ny = torch.zeros(2, 3) * scale")
    assert isinstance(value, Array)
    assert value.shape is None
    assert not violations


def test_an_unknown_operand_leaves_sizes_above_one() -> None:
    value, violations = interpreted("from other import scale\ny = (torch.zeros(2, 3) * scale) + torch.zeros(2, 4)")
    assert [v.kind for v in violations] == ["broadcast"]
    assert isinstance(value, Array)


def test_the_message_has_sizes_and_axis() -> None:
    _, violations = interpreted("y = torch.zeros(8, 3) + torch.zeros(8, 5)")
    (violation,) = violations
    assert (violation.op, violation.names["axis"]) == ("+", "-1")
    assert [repr(violation.names[side]) for side in ("left", "right")] == ["3", "5"]


def test_devices() -> None:
    _, violations = interpreted("y = torch.zeros(3) + torch.zeros(3, device='cuda')")
    assert [v.kind for v in violations] == ["device"]
    _, violations = interpreted("y = torch.tensor(3.0) + torch.zeros(3, device='cuda')")
    assert not violations
