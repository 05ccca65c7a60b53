"""`grid_sample`, `affine_grid` and `interpolate` agree with PyTorch."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis.arrays import Array

SIZE = st.integers(1, 4)
OFF = st.sampled_from([0] * 9 + [1])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SIZE, min_size=4, max_size=5).map(tuple),
    st.lists(SIZE, min_size=3, max_size=3),
    st.lists(OFF, min_size=4, max_size=4),
    st.sampled_from(["bilinear", "bilinear", "nearest", "bicubic", "area"]),
    st.sampled_from(["float32", "float32", "float32", "float64", "int64"]),
)
def test_grid_sample(image: tuple[int, ...], points: list[int], off: list[int], mode: str, dtype: str) -> None:
    n = len(image) - 2
    grid = (image[0] + off[0], *points[: n + off[1]], n + off[2])
    other = "float32" if off[3] else dtype
    a, b = f"torch.zeros({image}, dtype=torch.{dtype})", f"torch.zeros({grid}, dtype=torch.{other})"
    agree(f"y = F.grid_sample({a}, {b}, mode={mode!r}, align_corners=False)")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(SIZE, min_size=3, max_size=5),
    st.lists(OFF, min_size=4, max_size=4),
    st.sampled_from(["float32", "float32", "float64", "int64"]),
    st.sampled_from([1] * 9 + [0]),
)
def test_affine_grid(sizes: list[int], off: list[int], dtype: str, keep: int) -> None:
    n = len(sizes) - 2
    theta = (sizes[0] + off[0], n + off[1], n + 1 + off[2], *([2] * off[3]))
    sizes[-1] *= keep
    agree(f"y = F.affine_grid(torch.zeros({theta}, dtype=torch.{dtype}), {sizes}, align_corners=False)")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(SIZE, min_size=3, max_size=5).map(tuple),
    st.sampled_from(["scale_factor=0.5", "scale_factor=0.3", "scale_factor=2", "scale_factor=1.5", "size=1", "size=0"]),
    st.sampled_from(["area", "nearest", "nearest-exact", "linear", "bilinear"]),
)
def test_interpolate_to_nothing(shape: tuple[int, ...], how: str, mode: str) -> None:
    agree(f"y = F.interpolate(torch.zeros({shape}), {how}, mode={mode!r})")


def test_area_may_give_nothing() -> None:
    agree("y = nn.Upsample(scale_factor=0.5, mode='area')(torch.zeros(1, 1, 1))")


@pytest.mark.parametrize(
    "code",
    [
        "y = F.grid_sample(torch.zeros(B, 3, W, W), torch.zeros(B, 8, W, 2), align_corners=False)",
        "x = torch.zeros(B, 3, W, W)\ny = F.affine_grid(torch.zeros(B, 2, 3), x.size(), align_corners=False)",
        "x = torch.zeros(B, 3, 8, 8)\ng = F.affine_grid(torch.zeros(B, 2, 3), x.size(), align_corners=True)\n"
        "y = F.grid_sample(x, g, align_corners=True)",
    ],
)
def test_symbols(code: str) -> None:
    symbolic(code, B=4, W=6)


@pytest.mark.parametrize(
    "code",
    [
        "F.grid_sample(unknown, torch.zeros(2, 5, 5, 2))",
        "F.grid_sample(torch.zeros(2, 3, 4, 4), unknown)",
        "F.affine_grid(unknown, (2, 3, 4, 4))",
        "F.affine_grid(torch.zeros(2, 2, 3), unknown)",
    ],
)
def test_silent_where_it_is_not_known(code: str) -> None:
    value, violations = interpreted(f"import other\nunknown = other.f()\ny = {code}")
    assert not violations
    assert isinstance(value, Array)
