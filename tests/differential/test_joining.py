"""Joining and splitting tensors agrees with PyTorch: shapes, dtypes, the number of parts, and where it raises."""

from __future__ import annotations

import pytest
from agreement import HEAD, PATH, agree, interpreted, sound, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_workspace import MemoryWorkspace

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Violation
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Seq
from trainlint.syntax.document import Document

SIZE = st.sampled_from([0, 1, 2, 2, 3, 5])
SHAPE = st.lists(SIZE, max_size=3).map(tuple)
DTYPES = st.sampled_from(["float32", "float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"])
AXIS = st.integers(-3, 3)


def tensor(shape: tuple[int, ...], dtype: str = "float32") -> str:
    return f"torch.ones({shape!r}, dtype=torch.{dtype})"


@st.composite
def joins(draw: st.DrawFn) -> str:
    """Tensors of one shape, one axis or one rank of which may be changed."""
    shape = draw(SHAPE)
    shapes = []
    for _ in range(draw(st.integers(1, 3))):
        sizes = list(shape)
        if sizes and draw(st.booleans()):
            sizes[draw(st.integers(0, len(sizes) - 1))] = draw(SIZE)
        if draw(st.sampled_from([False] * 7 + [True])):
            sizes = draw(st.sampled_from([[0], [*sizes, 2]]))
        shapes.append(tuple(sizes))
    parts = ", ".join(tensor(s, draw(DTYPES)) for s in shapes)
    name = draw(st.sampled_from(["cat", "cat", "cat", "concat", "concatenate", "stack", "stack"]))
    keyword = draw(st.sampled_from(["", "dim=", "axis="]))
    return f"y = torch.{name}([{parts}], {keyword}{draw(AXIS)})"


@settings(max_examples=150, deadline=None)
@given(joins())
def test_cat_and_stack(code: str) -> None:
    agree(code)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["hstack", "vstack", "dstack", "column_stack", "row_stack", "block_diag", "cartesian_prod"]),
    SHAPE,
    st.lists(st.one_of(SIZE, st.none()), min_size=1, max_size=2),
)
def test_stacks(name: str, shape: tuple[int, ...], changes: list[int | None]) -> None:
    shapes = [shape, *(shape if c is None else (*shape[:-1], c) for c in changes)]
    parts = ", ".join(tensor(s) for s in shapes)
    listed = parts if name in ("block_diag", "cartesian_prod") else f"({parts},)"
    agree(f"y = torch.{name}({listed})")


NUMBERS = st.integers(-1, 7)
LISTS = st.lists(st.integers(-2, 4), max_size=3)


@settings(max_examples=140, deadline=None)
@given(
    SHAPE,
    st.sampled_from(["chunk", "split", "split", "tensor_split", "tensor_split", "unbind"]),
    st.one_of(NUMBERS, LISTS),
    st.integers(-2, 2),
    st.booleans(),
)
def test_parts(shape: tuple[int, ...], name: str, how: int | list[int], dim: int, method: bool) -> None:
    if name == "chunk" and isinstance(how, list):
        how = len(how)
    given_ = "" if name == "unbind" else f"{how}, "
    agree(f"x = {tensor(shape)}\ny = x.{name}({given_}{dim})" if method else
          f"x = {tensor(shape)}\ny = torch.{name}(x, {given_}dim={dim})")  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(SHAPE, st.sampled_from(["hsplit", "vsplit", "dsplit"]), st.one_of(st.integers(0, 3), LISTS.map(tuple)))
def test_even_splits(shape: tuple[int, ...], name: str, how: int | tuple[int, ...]) -> None:
    agree(f"y = torch.{name}({tensor(shape)}, {how})")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(SIZE, DTYPES), min_size=1, max_size=3), st.sampled_from(["", ", indexing='xy'"]))
def test_meshgrid(vectors: list[tuple[int, str]], indexing: str) -> None:
    agree(f"y = torch.meshgrid({', '.join(tensor((n,), d) for n, d in vectors)}{indexing})")


@pytest.mark.parametrize(
    "code",
    [
        "x = torch.ones(B, 8)\ny = torch.cat([x, x, torch.ones(B, 3)], dim=1)",
        "y = torch.cat([torch.ones(B, 8), torch.ones(2, 8)])",
        "x = torch.ones(B, 8)\ny = torch.cat([x, x])",
        "y = torch.cat([torch.ones(1, 1, 16).expand(B, -1, -1), torch.ones(B, T, 16)], dim=1)",
        "y = torch.stack([torch.ones(B, 4)] * 3, dim=-1)",
        "y = torch.stack([torch.ones(B), torch.ones(B)])",
        "y = torch.ones(B, 12).chunk(3, dim=-1)[1]",
        "y = torch.ones(3 * B, 2).chunk(3)[2]",
        "q, k, v = torch.ones(B, T, 24).split(8, dim=2)\ny = q",
        "y = torch.ones(2 * B, 5).split(B)[1]",
        "y = torch.ones(B + T, 5).split([B, T])[1]",
        "y = torch.ones(B, 5).tensor_split(2, dim=1)[0]",
        "y = torch.ones(B, 5, 6).unbind(1)[0]",
        "y = torch.cat(torch.ones(B, 6).chunk(2, dim=1), dim=0)",
        "y = torch.hstack([torch.ones(B, 2), torch.ones(B, T)])",
        "y = torch.block_diag(torch.ones(B, 2), torch.ones(3))",
    ],
)
def test_symbols(code: str) -> None:
    symbolic(code, B=4, T=6)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        # a list that grew in a loop: its length is not known
        ("torch.stack(rows)", "_ 3 4"),
        ("torch.stack(rows, dim=1)", "3 _ 4"),
        ("torch.cat(rows)", "_ 4"),
        ("torch.cat(rows, dim=-1)", "3 _"),
        ("torch.vstack(rows)", "_ 4"),
        ("torch.hstack(rows)", "3 _"),
        # an axis of unknown size
        ("torch.cat([torch.ones(3, n), torch.ones(3, 2)], dim=1)", "3 _"),
        ("torch.cat([torch.ones(3, n), torch.ones(3, 2)], dim=0)", "6 2"),
        ("torch.cat([unknown, torch.ones(3, 2)], dim=1)", "3 _"),
    ],
)
def test_what_is_not_known(code: str, text: str) -> None:
    before = "import os, other\nn = os.cpu_count()\nunknown = other.f()\nrows = []\n"
    before += "for i in range(n):\n    rows.append(torch.ones(3, 4))\n"
    value, violations = interpreted(f"{before}y = {code}")
    assert not violations
    assert isinstance(value, Array)
    assert value.shape is not None
    assert " ".join(map(dims.text, value.shape)) == text


@pytest.mark.parametrize("code", ["x.chunk(2)", "x.split(3)", "x.split(n)", "x.tensor_split(n)", "x.unbind(0)"])
def test_parts_of_unknown_number(code: str) -> None:
    value, violations = interpreted(f"import os\nn = os.cpu_count()\nx = torch.ones(n, 4)\ny = {code}")
    assert not violations
    assert isinstance(value, Seq)
    assert value.items is None
    assert isinstance(value.elem, Array)


def facts_of(code: str) -> tuple[object, list[Violation]]:
    program = Program(PATH, Document(HEAD + code), MemoryWorkspace({}))
    program.file.scope.names["B"] = dims.symbol("B", value=Const(4))
    program.interpret()
    return program.file.scope.names["y"], [f for f in program.facts if isinstance(f, Violation)]


@pytest.mark.parametrize(
    ("code", "layout", "channels", "colour"),
    [
        ("torch.stack([x, x])", "NCHW", 3, "BGR"),
        ("torch.stack([torch.stack([x, x]), torch.stack([x, x])])", "TNCHW", 3, "BGR"),
        ("torch.cat([x[None], x[None]])", "NCHW", 3, "BGR"),
        ("torch.cat([x, x])", "CHW", 6, None),
        ("torch.cat([x, x], dim=2)", "CHW", 3, "BGR"),
        ("torch.cat([x, x[:1]])", "CHW", 4, None),
        ("x.chunk(3)[0]", "CHW", 1, None),
        ("x.split([1, 2])[1]", "CHW", 2, None),
        ("x.unbind(0)[0]", "HW", None, None),
        ("x.chunk(2, dim=1)[0]", "CHW", 3, "BGR"),
    ],
)
def test_letters_follow(code: str, layout: str | None, channels: int | None, colour: str | None) -> None:
    head = "import cv2\nx = torch.from_numpy(cv2.resize(cv2.imread('a.png'), (32, 32))).permute(2, 0, 1)\n"
    value, violations = facts_of(f"{head}y = {code}")
    assert not violations
    assert isinstance(value, Array)
    assert (value.layout, value.channels, value.colour) == (layout, channels, colour)


@pytest.mark.parametrize(
    ("code", "grad"),
    [
        ("torch.cat([w, x])", True),
        ("torch.stack([x, x])", False),
        ("torch.stack([x, w])[0]", True),
        ("torch.cat([x, unknown])", None),
        ("w.chunk(2)[0]", True),
    ],
)
def test_graph(code: str, grad: bool | None) -> None:
    head = "import other\nunknown = other.f()\nx = torch.ones(2, 2)\nw = torch.ones(2, 2, requires_grad=True)\n"
    value, _ = facts_of(f"{head}y = {code}")
    assert isinstance(value, Array)
    assert value.grad is grad


@settings(max_examples=30, deadline=None)
@given(SHAPE, SHAPE, AXIS)
def test_sound_with_a_tensor_of_unknown_shape(a: tuple[int, ...], b: tuple[int, ...], dim: int) -> None:
    hidden = f"torch.load('x') if False else {tensor(b)}"
    sound(f"h = {hidden}\ny = torch.cat([{tensor(a)}, h], {dim})")
