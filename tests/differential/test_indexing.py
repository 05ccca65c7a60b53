"""Indexing agrees with PyTorch and NumPy: shapes, and where an index is out of range."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Const, Sym

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
BOUND = st.sampled_from(["", "0", "1", "2", "-1", "-2", "5"])
SLICES = st.builds("{}:{}{}".format, BOUND, BOUND, st.sampled_from(["", ":2", ":1", ":-1"]))
INDICES = st.sampled_from(
    [
        "[0]",
        "[0, 1]",
        "[0, 0, -1]",
        "torch.tensor([0, 0])",
        "torch.tensor([[0], [0]])",
        "torch.tensor(0)",
        "i32",
        "half",
    ]
)
ENTRY = st.one_of(st.integers(-3, 3).map(str), SLICES, SLICES, st.just(":"), st.just("None"), st.just("..."), INDICES)
INDEX = st.lists(ENTRY, min_size=1, max_size=5).map(", ".join)
MORE = "i32 = torch.tensor([0, 0, 0], dtype=torch.int32)\nhalf = torch.tensor([0.0])\n"


@settings(max_examples=500, deadline=None)
@given(SIZES, INDEX)
def test_get(shape: tuple[int, ...], index: str) -> None:
    if index.count("...") > 1:
        # the real library says IndexError, and so does everybody's eye
        return
    agree(f"{MORE}x = torch.zeros({shape!r})\ny = x[{index}]")


@settings(max_examples=120, deadline=None)
@given(SIZES, st.lists(st.one_of(SLICES, st.integers(0, 1).map(str)), min_size=1, max_size=3).map(", ".join), SIZES)
def test_set(shape: tuple[int, ...], index: str, value: tuple[int, ...]) -> None:
    agree(f"y = torch.zeros({shape!r})\ny[{index}] = torch.zeros({value!r})")


@settings(max_examples=80, deadline=None)
@given(SIZES, SIZES)
def test_masks(shape: tuple[int, ...], mask: tuple[int, ...]) -> None:
    # every element is picked, so only where it raises and what follows the mask is compared
    code = f"x = torch.zeros({shape!r})\nm = torch.ones({mask!r}, dtype=torch.bool)\ny = tuple(x[m].shape[1:])"
    agree(code)


@settings(max_examples=100, deadline=None)
@given(SIZES, st.integers(-4, 3), st.integers(0, 2), st.integers(0, 3))
def test_narrow_and_select(shape: tuple[int, ...], dim: int, start: int, length: int) -> None:
    agree(f"y = torch.zeros({shape!r}).narrow({dim}, {start}, {length})")
    agree(f"y = torch.zeros({shape!r}).select({dim}, {start})")


@settings(max_examples=100, deadline=None)
@given(SIZES, st.integers(-3, 2), SIZES)
def test_gather(shape: tuple[int, ...], dim: int, index: tuple[int, ...]) -> None:
    agree(f"y = torch.zeros({shape!r}).gather({dim}, torch.zeros({index!r}, dtype=torch.long))")
    agree(f"y = torch.zeros({shape!r}).index_select({dim}, torch.zeros({index[:1]!r}, dtype=torch.long))")


@settings(max_examples=60, deadline=None)
@given(SIZES)
def test_what_a_tensor_says_of_its_shape(shape: tuple[int, ...]) -> None:
    x = f"x = torch.zeros({shape!r})\n"
    for call in ("shape", "size()", "size(0)", "size(-1)", "ndim", "dim()", "numel()", "shape[0]", "shape[-2:]"):
        agree(f"{x}y = tuple(x.{call})" if call in ("shape", "size()", "shape[-2:]") else f"{x}y = x.{call}")
    agree(f"{x}y = len(x)")
    agree(f"{x}for y in x:\n    pass" if len(shape) else "y = 1")


@pytest.mark.parametrize(
    "code",
    [
        "x = torch.zeros(2, 3)\na, b = x\ny = a",
        "x = torch.zeros(2, 3)\nb, n = x.shape\ny = torch.ones(n, b)",
        "x = torch.zeros(2, 3)\ny = x.size(2)",
        "x = torch.zeros(2, 3)\ni = (0, 1)\ny = x[i]",
        "x = torch.zeros(4, 3)\ny = x[x.sum(1) > 1].shape[1]",
        "x = torch.zeros(4, 3)\ny = x.masked_select(x > 0).dim()",
        "x = torch.zeros(4, 3)\ny = x[:, [0, 2]]",
        "x = torch.zeros(4, 3)\ny = x[torch.arange(4), torch.zeros(4, dtype=torch.long)]",
        "x = torch.zeros(4, 3)\ny = x[torch.arange(4), torch.zeros(3, dtype=torch.long)]",
    ],
)
def test_single_cases(code: str) -> None:
    agree(code)


@pytest.mark.parametrize(
    "index",
    [
        "0",
        "::-1",
        "..., ::-1",
        ":, :, [2, 1, 0]",
        "0, :, [0, 1]",
        "[0, 1], :, 0",
        ":, 0, [0, 1]",
        "..., None",
        "1:, -1",
    ],
)
def test_numpy(index: str) -> None:
    agree(f"import numpy as np\nx = np.zeros((2, 3, 4))\ny = tuple(x[{index}].shape)")


def test_symbols() -> None:
    symbolic("y = torch.zeros(B, 3)[1:]", B=4)
    symbolic("y = torch.zeros(B, 3)[:, 0]", B=4)
    symbolic("y = torch.zeros(B, N)[:, :-1]", B=4, N=5)
    symbolic("y = torch.zeros(B, N)[:, ::2]", B=4, N=5)
    symbolic("y = torch.zeros(B, 3)[..., None]", B=4)
    symbolic("x = torch.zeros(B, 3)\ny = x[torch.arange(B), torch.zeros(B, dtype=torch.long)]", B=4)


def test_a_size_that_is_not_known_is_the_same_each_time() -> None:
    value, _ = interpreted("x = torch.unheard_of()\ny = (x.shape[0], x.size(0), x.shape[1])")
    first, again, other = value.items  # type: ignore[attr-defined]
    assert isinstance(first, Sym)
    assert dims.same(first, again) is True
    assert dims.same(first, other) is None


def test_unpacking_a_shape_tells_the_number_of_axes() -> None:
    value, violations = interpreted(
        "x = torch.unheard_of()\nb, c, h, w = x.shape\ny = x.permute(0, 2, 3, 1)[..., None]"
    )
    assert isinstance(value, Array)
    assert not violations
    assert value.shape is not None
    assert len(value.shape) == 5
    assert isinstance(value.shape[-1], Const)
    _, violations = interpreted("x = torch.unheard_of()\nb, c, h, w = x.shape\ny = x.permute(0, 2, 1)")
    assert [v.kind for v in violations] == ["rank"]


def test_colours_survive() -> None:
    value, _ = interpreted("import cv2\nimg = cv2.imread('a.png')\ny = img[..., ::-1]")
    assert isinstance(value, Array)
    assert (value.layout, value.colour) == ("HWC", "RGB")
    value, _ = interpreted("import cv2\nimg = cv2.imread('a.png')\ny = img[:, :, [2, 1, 0]] / 255")
    assert isinstance(value, Array)
    assert (value.layout, value.colour, value.range) == ("HWC", "RGB", "unit")
    value, _ = interpreted("import cv2\nimg = cv2.imread('a.png')\ny = img[:, :, 0]")
    assert isinstance(value, Array)
    assert (value.layout, value.colour) == ("HW", None)


NUMPY = ["np.array(x, dtype='float32')", "np.asarray(x, np.uint8)", "np.float32(x)", "np.copy(x)"]


@pytest.mark.parametrize("code", NUMPY)
def test_dtypes_of_numpy(code: str) -> None:
    agree(f"import numpy as np\nx = np.zeros((2, 3))\ny = torch.from_numpy({code})")
