"""Reductions, running reductions and sorting agree with PyTorch: shapes, dtypes, and where it raises."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis.arrays import Array

DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]
NAMES = [
    "sum", "mean", "nansum", "var", "std", "amax", "amin", "argmax", "argmin", "all", "any", "logsumexp", "prod",
    "count_nonzero", "norm", "max", "min", "median",
]  # fmt: skip
ALONG = [
    "cumsum({})", "cumprod({})", "softmax({})", "log_softmax({})", "sort({})", "argsort({})", "max({})", "min({})",
    "median({})", "mode({})", "cummax({})", "argmax({})", "sum({})", "mean({})", "logsumexp({})", "all({})", "prod({})",
]  # fmt: skip
KEEP = ["sum", "mean", "amax", "argmax", "all", "logsumexp", "prod", "max", "std", "norm"]
SIZES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
AXES = st.one_of(st.integers(-4, 3).map(str), st.lists(st.integers(-3, 2), min_size=1, max_size=2).map(repr))


def filled(shape: tuple[int, ...], dtype: str) -> str:
    return f"torch.ones({shape!r}, dtype=torch.{dtype})"


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_everything(dtype: str) -> None:
    for name in NAMES:
        if name != "logsumexp":
            agree(f"x = {filled((2, 3), dtype)}\ny = x.{name}()")
            agree(f"x = {filled((2, 3), dtype)}\ny = torch.{name}(x)")


@settings(max_examples=300, deadline=None)
@given(SIZES, st.sampled_from(DTYPES), st.sampled_from(ALONG), st.integers(-4, 3))
def test_along_an_axis(shape: tuple[int, ...], dtype: str, call: str, dim: int) -> None:
    agree(f"x = {filled(shape, dtype)}\ny = x.{call.format(dim)}")


@settings(max_examples=200, deadline=None)
@given(SIZES, st.sampled_from(["sum", "mean", "amax", "amin", "std", "var", "logsumexp"]), AXES, st.booleans())
def test_over_axes(shape: tuple[int, ...], name: str, dim: str, keep: bool) -> None:
    agree(f"x = torch.rand({shape!r})\ny = torch.{name}(x, dim={dim}, keepdim={keep})")


@settings(max_examples=120, deadline=None)
@given(SIZES, st.sampled_from(KEEP), st.integers(-3, 2), st.booleans())
def test_keepdim(shape: tuple[int, ...], name: str, dim: int, keep: bool) -> None:
    agree(f"x = torch.rand({shape!r})\ny = x.{name}(dim={dim}, keepdim={keep})")


@settings(max_examples=120, deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(-3, 2), st.sampled_from(DTYPES))
def test_topk(shape: tuple[int, ...], k: int, dim: int, dtype: str) -> None:
    agree(f"x = {filled(shape, dtype)}\ny = x.topk({k}, dim={dim})")


@pytest.mark.parametrize(
    "code",
    [
        "x.max(1).values",
        "x.max(dim=1).indices",
        "x.max(1)[0]",
        "x.sort(descending=True).indices",
        "x.topk(2)[1]",
        "x.topk(5)",
        "torch.max(x, torch.zeros(3))",
        "x.sum((0, 1))",
        "x.mean(dtype=torch.float64)",
        "x.long().mean(dtype=torch.float32)",
        "x.long().sum(dtype=torch.float32)",
        "x.argmax(dim=-1, keepdim=True)",
        "x.norm(dim=1)",
        "x.norm(2, 1)",
        "x.norm(p=2, dim=1, keepdim=True)",
        "torch.linalg.norm(x, dim=1)",
        "x.std(0)",
        "x.std(0, False)",
        "x.std(unbiased=False)",
        "x.var(dim=(0, 1), keepdim=True)",
        "F.softmax(x, dim=1)",
        "F.log_softmax(x, dim=-1)",
        "F.softmax(x, dim=2)",
        "F.normalize(x)",
        "F.normalize(x, dim=0)",
        "F.normalize(x, dim=3)",
        "F.one_hot(torch.tensor([0, 2, 1]), 4)",
        "F.one_hot(torch.tensor([0.0]), 4)",
        "torch.zeros(0).max()",
        "torch.zeros(0).sum()",
        "x.kthvalue(2)",
        "x.nonzero(as_tuple=True)[0].dtype",
    ],
)
def test_single_cases(code: str) -> None:
    agree(f"x = torch.rand(3, 4)\ny = {code}".replace("torch.zeros(3))", "torch.zeros(4))"))


def test_unpacked() -> None:
    agree("values, indices = torch.rand(2, 5).max(dim=1)\ny = (values, indices)")
    agree("v, i = torch.rand(2, 5).topk(3)\ny = (v, i)")


def test_symbols() -> None:
    symbolic("y = torch.zeros(B, 3).sum(1)", B=4)
    symbolic("y = torch.zeros(B, 3, 5).mean(dim=(1, 2), keepdim=True)", B=4)
    symbolic("y = torch.zeros(B, N).topk(2).values", B=4, N=6)
    symbolic("y = torch.zeros(B, 10).softmax(-1)", B=4)


def test_ranges() -> None:
    value, _ = interpreted("y = F.softmax(torch.rand(2, 3), dim=1)")
    assert isinstance(value, Array)
    assert (value.range, value.via is not None) == ("prob", True)
    value, _ = interpreted("y = torch.rand(2, 3).argmax(1)")
    assert isinstance(value, Array)
    assert (value.range, value.grad) == ("index", False)
