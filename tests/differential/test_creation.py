"""New tensors agree with PyTorch: shapes and dtypes of everything that makes one."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis.arrays import Array

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64"]
SIZES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
OPTION = st.sampled_from(["", *(f", dtype=torch.{d}" for d in DTYPES)])
SCALARS = st.sampled_from(["1", "2.5", "True", "0"])
NESTED = st.recursive(SCALARS, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda v: f"[{', '.join(v)}]"))


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(["zeros", "ones", "empty", "rand", "randn"]), SIZES, OPTION, st.booleans())
def test_from_sizes(name: str, sizes: tuple[int, ...], option: str, spread: bool) -> None:
    given_sizes = ", ".join(map(str, sizes)) if spread and sizes else repr(sizes)
    agree(f"y = torch.{name}({given_sizes}{option})")


@settings(max_examples=60, deadline=None)
@given(SIZES, SCALARS, OPTION)
def test_full(sizes: tuple[int, ...], value: str, option: str) -> None:
    agree(f"y = torch.full({sizes!r}, {value}{option})")


@settings(max_examples=150, deadline=None)
@given(NESTED, OPTION)
def test_data(data: str, option: str) -> None:
    agree(f"y = torch.tensor({data}{option})")


@settings(max_examples=120, deadline=None)
@given(st.integers(-3, 3), st.integers(-3, 6), st.sampled_from(["1", "2", "0.5", "-1", "3"]), OPTION)
def test_arange(start: int, end: int, step: str, option: str) -> None:
    if "bool" in option or "complex" in option or (step == "0.5" and "int" in option):
        # a step that is cut to 0, and types that have no order
        return
    agree(f"y = torch.arange({start}, {end}, {step}{option})")


@pytest.mark.parametrize(
    "code",
    [
        "torch.arange(5)",
        "torch.arange(5.0)",
        "torch.arange(2, 7)",
        "torch.arange(end=4)",
        "torch.eye(3)",
        "torch.eye(2, 4)",
        "torch.linspace(0, 1, 7)",
        "torch.linspace(0, 1, steps=3)",
        "torch.randint(10, (2, 3))",
        "torch.randint(0, 10, (2,))",
        "torch.randint(0, 10, size=(2, 4))",
        "torch.randperm(6)",
        "torch.FloatTensor([1, 2])",
        "torch.LongTensor([[1, 2], [3, 4]])",
        "torch.Tensor(2, 3)",
        "torch.as_tensor([1.0, 2.0])",
        "torch.tensor([])",
        "torch.tensor([torch.tensor(1), torch.tensor(2)])",
        "torch.normal(0.0, 1.0, size=(2, 3))",
        "torch.zeros(2, requires_grad=True)",
        "torch.zeros(2, dtype=torch.long, requires_grad=True)",
        "torch.zeros(-1)",
        "torch.zeros(3, dtype=float)",
    ],
)
def test_single_cases(code: str) -> None:
    agree(f"y = {code}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_like_another(dtype: str) -> None:
    x = f"x = torch.ones((2, 3), dtype=torch.{dtype})\n"
    for name in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"):
        agree(f"{x}y = torch.{name}(x)")
        agree(f"{x}y = torch.{name}(x, dtype=torch.float64)")
    agree(f"{x}y = torch.full_like(x, 1)")
    for call in ("new_zeros(4)", "new_ones((2, 1))", "new_full((2,), 1)", "new_tensor([1, 2])", "new_empty(2, 3)"):
        agree(f"{x}y = x.{call}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_casts(dtype: str) -> None:
    x = f"x = torch.ones((2, 3), dtype=torch.{dtype})\n"
    for call in (
        *("float()", "double()", "half()", "bfloat16()", "long()", "int()", "short()", "byte()", "bool()", "cpu()"),
        *("to(torch.float16)", "to('cpu', torch.int32)", "to(dtype=torch.float64)", "to(torch.zeros(1).long())"),
        *("type(torch.float32)", "type(torch.LongTensor)", "type_as(torch.zeros(1))", "dtype", "is_floating_point()"),
        *("to('cpu')", "to(torch.device('cpu'))", "to('cpu', non_blocking=True)"),
    ):
        agree(f"{x}y = x.{call}")


def test_symbols() -> None:
    symbolic("y = torch.zeros(B, 3)", B=4)
    symbolic("y = torch.arange(B)", B=4)
    symbolic("y = torch.arange(1, B + 1)", B=4)
    symbolic("y = torch.randint(0, 10, (B, 2 * B))", B=4)


@pytest.mark.parametrize(
    ("code", "device"),
    [
        ("torch.zeros(2)", "cpu"),
        ("torch.zeros(2, device='cuda:1')", "cuda"),
        ("torch.zeros(2, device=torch.device('cuda'))", "cuda"),
        ("torch.zeros(2).cuda()", "cuda"),
        ("torch.zeros(2).to('cuda', torch.float16)", "cuda"),
        ("torch.zeros(2).to(torch.zeros(1).cuda().device)", "cuda"),
        ("torch.zeros_like(torch.zeros(2).cuda())", "cuda"),
        ("torch.zeros(2, device=chosen)", "given"),
    ],
)
def test_devices(code: str, device: str) -> None:
    value, _ = interpreted(f"from other import chosen\ny = {code}")
    assert isinstance(value, Array)
    assert value.device == device
