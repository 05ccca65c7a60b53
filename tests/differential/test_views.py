"""Views and reshapes agree with PyTorch: shapes, dtypes, and where it raises."""

from __future__ import annotations

import math

import pytest
from agreement import agree, interpreted, sound, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import AxisChange, BatchMixed, Violation
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const
from trainlint.syntax.document import Document

SHAPES = st.lists(st.sampled_from([1, 1, 2, 3, 4, 6]), max_size=4).map(tuple)
AXIS = st.integers(-5, 4)


def made(shape: tuple[int, ...], dtype: str = "float32") -> str:
    return f"x = torch.ones({shape!r}, dtype=torch.{dtype})\n"


@st.composite
def reshapes(draw: st.DrawFn) -> str:
    """A reshape that often fits: sizes made from divisors, one of them perhaps -1."""
    shape = draw(SHAPES)
    left = math.prod(shape)
    sizes = []
    for _ in range(draw(st.integers(0, 3))):
        divisor = draw(st.sampled_from([d for d in range(1, left + 1) if left % d == 0][:6]))
        sizes.append(divisor)
        left //= divisor
    sizes.append(draw(st.sampled_from([left, left, -1, -1, left + 1])))
    sizes = draw(st.permutations(sizes))
    name = draw(st.sampled_from(["view", "reshape"]))
    inner = ", ".join(map(str, sizes))
    spelled = draw(st.sampled_from([f"x.{name}({inner})", f"x.{name}(({inner},))", f"torch.reshape(x, ({inner},))"]))
    return made(shape, draw(st.sampled_from(["float32", "int64", "bool"]))) + f"y = {spelled}"


@settings(max_examples=300, deadline=None)
@given(reshapes())
def test_reshape(code: str) -> None:
    agree(code)


@settings(max_examples=200, deadline=None)
@given(SHAPES, AXIS, AXIS, st.sampled_from(["transpose", "swapaxes", "flatten", "movedim", "unflatten"]))
def test_two_axes(shape: tuple[int, ...], a: int, b: int, name: str) -> None:
    second = f"({b}, -1)" if name == "unflatten" else str(b)
    agree(made(shape) + f"y = x.{name}({a}, {second})")


@settings(max_examples=150, deadline=None)
@given(SHAPES, AXIS, st.sampled_from(["squeeze", "unsqueeze", "flip", "roll", "flatten"]))
def test_one_axis(shape: tuple[int, ...], a: int, name: str) -> None:
    if name == "roll":
        agree(made(shape) + f"y = torch.roll(x, 1, {a})")
    elif name == "flip":
        agree(made(shape) + f"y = torch.flip(x, ({a},))")
    else:
        agree(made(shape) + f"y = torch.{name}(x, {a})")


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.lists(st.integers(-4, 3), min_size=1, max_size=4))
def test_permute(shape: tuple[int, ...], order: list[int]) -> None:
    agree(made(shape) + f"y = x.permute({order})")


@settings(max_examples=120, deadline=None)
@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), st.permutations(range(len(s))))))
def test_permutations(case: tuple[tuple[int, ...], list[int]]) -> None:
    shape, order = case
    agree(made(shape) + f"y = torch.permute(x, {tuple(order)})")


@pytest.mark.parametrize(
    "call",
    ["x.t()", "x.mT", "x.adjoint()", "x.squeeze()", "x.ravel()", "x.tril()", "x.diagonal()", "x.diag()", "x.fliplr()",
     "x.flipud()", "x.rot90()", "x.rot90(2, (-1, 0))", "x.contiguous()", "x.clone()", "x.detach()", "x.data",
     "x.reshape_as(torch.ones(6))", "x.view_as(torch.ones(2, 3))", "torch.diag_embed(x)", "x.squeeze((0, 1))",
     "x.diagonal(1)", "x.diagonal(-1, 0, -1)", "x.diag(5)", "torch.triu(x, 1)", "x.unfold(0, 2, 1)",
     "x.unfold(-1, 3, 2)", "x.movedim((0, 1), (1, 0))", "x.movedim((0, 1), (1, 1))", "x.flip(0, 1)", "x.flip((0, 0))"],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (3, 1), (1, 3, 2), (2, 1, 3, 1)])
def test_each_rank(call: str, shape: tuple[int, ...]) -> None:
    agree(made(shape) + f"y = {call}")


@settings(max_examples=200, deadline=None)
@given(
    SHAPES,
    st.sampled_from(["expand", "repeat", "tile", "broadcast_to"]),
    st.lists(st.sampled_from([-1, 1, 1, 2, 3]), min_size=1, max_size=5),
)
def test_repeating(shape: tuple[int, ...], name: str, sizes: list[int]) -> None:
    agree(made(shape, "int64") + f"y = x.{name}({tuple(sizes)})")


@settings(max_examples=80, deadline=None)
@given(SHAPES, st.integers(0, 3), st.one_of(st.none(), AXIS))
def test_repeat_interleave(shape: tuple[int, ...], times: int, dim: int | None) -> None:
    agree(made(shape) + f"y = x.repeat_interleave({times}, {dim})")


@pytest.mark.parametrize(
    "code",
    [
        "y = torch.ones(B, 64, 7, 7).view(B, -1)",
        "x = torch.ones(B, 64, 7, 7)\ny = x.view(x.size(0), -1)",
        "y = torch.ones(B, 16, 5, 5).view(-1, 16 * 5 * 5)",
        "y = torch.ones(B, 16, 5, 5).view(-1, 200)",
        "y = torch.ones(B, 16, 8, 8).reshape(-1, 16 * 16)",
        "y = torch.ones(B, T, 3, 8, 8).flatten(0, 1)",
        "y = torch.ones(B, T, 3, 8, 8).view(B * T, 3, 8, 8)",
        "y = torch.ones(B * T, 12).view(B, T, -1)",
        "y = torch.ones(B * T, 12).view(B, -1, 12)",
        "y = torch.ones(B * T, 12).unflatten(0, (B, T))",
        "y = torch.ones(B, 1, T).squeeze(1)",
        "y = torch.ones(B, 1, T).squeeze()",
        "y = torch.ones(B, T, 12).view(B, T, 3, 4).transpose(1, 2).reshape(B, 3, -1)",
        "y = torch.ones(1, 12).expand(B, -1)",
        "y = torch.ones(T, 12).repeat(B, 1, 2)",
        "y = torch.ones(B, 4).repeat_interleave(3, dim=0)",
        "y = torch.ones(B, T).mT",
        "y = torch.ones(B, T).flatten()",
        "x = torch.ones(B, 16)\ny = x.view(*x.shape[:1], 4, 4)",
    ],
)
def test_symbols(code: str) -> None:
    symbolic(code, B=4, T=6)


def facts_of(code: str) -> tuple[Array, list[object]]:
    from agreement import HEAD, PATH
    from memory_workspace import MemoryWorkspace

    program = Program(PATH, Document(HEAD + code), MemoryWorkspace({}))
    program.file.scope.names["B"] = dims.symbol("B", value=Const(4))
    program.interpret()
    value = program.file.scope.names["y"]
    assert isinstance(value, Array)
    return value, program.facts


@pytest.mark.parametrize(
    ("k", "mixed"), [("256", True), ("400", False), ("800", False), ("200", False), ("16, 24", True), ("16, 25", False)]
)
def test_rows_of_no_whole_samples(k: str, mixed: bool) -> None:
    value, facts = facts_of(f"y = torch.ones(B, 16, 5, 5).view(-1, {k})")
    assert not [f for f in facts if isinstance(f, Violation)]
    found = [f for f in facts if isinstance(f, BatchMixed)]
    assert bool(found) == mixed
    assert value.shape is not None
    assert len(value.shape) == 1 + len(k.split(","))
    if found:
        assert dims.text(found[0].rest) == "400"


def test_first_size_of_mixed_rows() -> None:
    value, _ = facts_of("y = torch.ones(B, 16, 5, 5).view(-1, 256)")
    assert value.shape is not None
    assert dims.usual(value.shape[0]) == 4 * 400 // 256


def test_a_known_batch_that_cannot_be_counted_so() -> None:
    agree("y = torch.ones(2, 16, 5, 5).view(-1, 256)")


@pytest.mark.parametrize(
    ("code", "layout"),
    [
        ("x.permute(2, 0, 1)", "CHW"),
        ("x.permute(2, 0, 1).unsqueeze(0)", "NCHW"),
        ("x[None].permute(0, 3, 1, 2)", "NCHW"),
        ("x.permute(2, 0, 1).unsqueeze(0).expand(4, -1, -1, -1)", "NCHW"),
        ("torch.stack([x, x]).movedim(-1, 1)", "NCHW"),
        ("x.view(224, 224, 3)", "HWC"),
        ("x.transpose(0, 1)", "WHC"),
        ("x.flatten()", None),
    ],
)
def test_letters_follow(code: str, layout: str | None) -> None:
    value, facts = facts_of(
        f"import cv2\nx = torch.from_numpy(cv2.resize(cv2.imread('a.png'), (224, 224)))\ny = {code}"
    )
    assert value.layout == layout
    if "permute" in code:
        assert any(isinstance(fact, AxisChange) for fact in facts)


@pytest.mark.parametrize("shape", ["n", "sizes", "(2, n)", "(n, -1)"])
def test_sizes_that_are_not_known(shape: str) -> None:
    value, violations = interpreted(f"import os\nn = sizes = os.cpu_count()\ny = torch.ones(8, 2).view({shape})")
    assert not violations
    assert isinstance(value, Array)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(["rot90(k=1)", "diag_embed(1)", "diag_embed(0, 0, 1)", "squeeze(-1)", "T"]))
def test_sound(shape: tuple[int, ...], call: str) -> None:
    sound(made(shape) + f"y = x.{call}")


@pytest.mark.parametrize(
    "code", ["x.resize_(2, 12)", "x.resize_((4, 6))", "x.t_()", "x.unsqueeze_(0)", "x.resize_as_(z)"]
)
def test_in_place_methods_change_what_the_name_stands_for(code: str) -> None:
    start = "x = torch.ones(2, 12)" if code == "x.t_()" else "x = torch.ones(2, 3, 4)"
    agree(f"z = torch.ones(8, 3)\n{start}\n{code}\ny = x")
