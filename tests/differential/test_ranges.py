"""Indices of embeddings: the bounds that trainlint states are elements, and it reports what PyTorch refuses."""

from __future__ import annotations

import pytest
import torch
from agreement import agree, executed, interpreted
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array

MADE = st.one_of(
    st.tuples(st.integers(-3, 3), st.integers(-3, 9), st.sampled_from([1, 1, 2, 3, -1])).map(
        lambda v: f"torch.arange({v[0]}, {v[1]}, {v[2]})"
    ),
    st.integers(0, 9).map(lambda n: f"torch.arange({n})"),
    st.lists(st.integers(-1, 9), max_size=4).map(lambda v: f"torch.tensor({v}, dtype=torch.int64)"),
    st.lists(st.integers(0, 9), min_size=2, max_size=2).map(lambda v: f"torch.tensor([{v}, [1, 2]])"),
    st.sampled_from(["zeros", "ones"]).map(lambda n: f"torch.{n}(2, 3, dtype=torch.int64)"),
    st.integers(0, 9).map(lambda n: f"torch.full((2, 3), {n})"),
    st.integers(1, 9).map(lambda n: f"torch.randperm({n})"),
    st.lists(st.integers(0, 9), max_size=3).map(lambda v: f"torch.LongTensor({v})"),
)
KEPT = st.lists(
    st.sampled_from(
        [".unsqueeze(0)", "[None]", "[..., None]", ".flatten()", ".repeat(2)", ".to('cpu')", ".long()", ".flip(0)",
         ".view(-1)", ".reshape(1, -1)", ".expand(1, -1)", "[:]", ".clone()", ".contiguous()", ".int()"]
    ),
    max_size=2,
).map("".join)  # fmt: skip
LOST = st.sampled_from(["", "", " + 1", " * 2", "[:1]", "[0]", ".clamp(0, 3)", " % 3", ".sum()", ".abs()"])


@settings(max_examples=120, deadline=None)
@given(MADE, KEPT, LOST)
def test_bounds_are_elements(made: str, kept: str, lost: str) -> None:
    code = f"y = {made}{kept}{lost}"
    real = executed(code)
    value, violations = interpreted(code)
    if isinstance(real, Exception) or violations or not isinstance(value, Array) or value.bounds is None:
        return
    assert isinstance(real, torch.Tensor)
    if real.numel():
        assert (dims.text(value.bounds.low), dims.text(value.bounds.high)) == (
            str(real.min().item()),
            str(real.max().item()),
        )


@settings(max_examples=80, deadline=None)
@given(MADE, st.integers(1, 10), st.sampled_from(["", ".unsqueeze(0)", "[None]", ".repeat(2)"]))
def test_embedding(made: str, rows: int, kept: str) -> None:
    agree(f"y = nn.Embedding({rows}, 2)({made}{kept})")


@pytest.mark.parametrize("change", ["x[0] = 0", "x.clamp_(0, 3)", "x.fill_(1)", "x %= 4", "x = x % 4", "x = x[:3]"])
def test_changed_indices_prove_nothing(change: str) -> None:
    agree(f"x = torch.arange(4)\n{change}\ny = nn.Embedding(4, 2)(x)")
    value, violations = interpreted(f"x = torch.arange(9)\n{change}\ny = nn.Embedding(4, 2)(x)")
    assert not violations
    assert isinstance(value, Array)


@pytest.mark.parametrize(
    ("draw", "rows", "found"),
    [
        ("torch.randint(0, 10, (4,))", 10, False),
        ("torch.randint(0, 11, (4,))", 10, True),
        ("torch.randint(11, (4,))", 10, True),
        ("torch.randint(high=11, size=(4,))", 10, True),
        ("torch.randint(-1, 10, (4, 2))", 10, True),
        ("torch.randint(0, 11, (0,))", 10, False),
        ("torch.randint(0, n, (4,))", 10, False),
    ],
)
def test_random_indices_are_likely(draw: str, rows: int, found: bool) -> None:
    _, violations = interpreted(f"import os\nn = os.cpu_count()\ny = nn.Embedding({rows}, 2)({draw})")
    assert [(v.kind, v.likely) for v in violations] == ([("embedding", True)] if found else [])
