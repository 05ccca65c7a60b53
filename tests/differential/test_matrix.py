"""Products of matrices, sums over named axes, distances and attention agree with PyTorch."""

from __future__ import annotations

import pytest
from agreement import agree, interpreted, sound, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array

SIZE = st.sampled_from([1, 2, 2, 3, 3, 4])
SHAPE = st.lists(SIZE, max_size=4).map(tuple)
DTYPE = st.sampled_from(["float32"] * 6 + ["float64", "int64", "bool", "uint8", "float16"])


def tensor(shape: tuple[int, ...], dtype: str = "float32") -> str:
    return f"torch.ones({shape!r}, dtype=torch.{dtype})"


@st.composite
def products(draw: st.DrawFn) -> str:
    """Two tensors that often fit: inner sizes and batch axes mostly agree."""
    inner, rows, columns = draw(SIZE), draw(SIZE), draw(SIZE)
    batch = draw(st.lists(SIZE, max_size=2))
    left = [*batch, rows, inner][draw(st.integers(0, len(batch) + 1)) :]
    right = [*(draw(st.sampled_from([1, b])) for b in batch), inner, columns][draw(st.integers(0, len(batch))) :]
    if draw(st.sampled_from([False, False, True])):
        right = right[:-1]
    if draw(st.sampled_from([False, False, False, True])) and right:
        right[draw(st.integers(0, len(right) - 1))] += 1
    dtype = draw(DTYPE)
    other = draw(st.sampled_from([dtype, dtype, dtype, draw(DTYPE)]))
    a, b = tensor(tuple(left), dtype), tensor(tuple(right), other)
    call = draw(st.sampled_from(["a @ b", "a @ b", "torch.matmul(a, b)", "a.matmul(b)", "torch.matmul(a, other=b)"]))
    return f"a, b = {a}, {b}\ny = {call}"


@settings(max_examples=120, deadline=None)
@given(products())
def test_matmul(code: str) -> None:
    agree(code)


@settings(max_examples=90, deadline=None)
@given(
    st.sampled_from(["mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger", "kron"]),
    st.lists(SIZE, min_size=1, max_size=3),
    st.lists(SIZE, min_size=1, max_size=3),
    st.booleans(),
    DTYPE,
)
def test_products_of_fixed_rank(name: str, left: list[int], right: list[int], fits: bool, dtype: str) -> None:
    if fits:
        ranks = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1), "vdot": (1, 1), "outer": (1, 1)}
        a, b = ranks.get(name, (len(left), len(right)))
        left, right = (left * 3)[:a], (right * 3)[:b]
        if name in ("mm", "bmm"):
            right[-2] = left[-1]
            right[:-2] = left[:-2]
        elif name in ("mv", "dot", "vdot", "inner"):
            right[-1] = left[-1]
    a_text, b_text = tensor(tuple(left), dtype), tensor(tuple(right), "float32" if name == "kron" else dtype)
    agree(f"a, b = {a_text}, {b_text}\ny = torch.{name}(a, b)")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["addmm", "addbmm", "baddbmm", "addmv", "addr"]),
    st.lists(SIZE, min_size=1, max_size=3).map(tuple),
    st.tuples(SIZE, SIZE, SIZE, SIZE),
    st.sampled_from([0, 0, 0, 1]),
)
def test_added_products(name: str, start: tuple[int, ...], sizes: tuple[int, ...], off: int) -> None:
    b, n, k, m = sizes
    a, c = {
        "addmm": ((n, k), (k + off, m)),
        "addmv": ((n, k), (k + off,)),
        "addr": ((n,), (m,)),
    }.get(name, ((b, n, k), (b, k + off, m)))
    for shape in (start, (1,), {"addmv": (n,), "baddbmm": (b, n, m)}.get(name, (n, m))):
        agree(f"y = torch.{name}({tensor(shape)}, {tensor(a)}, {tensor(c)})")


EQUATIONS = [
    "ij,jk->ik", "ij,jk", "ba,ac", "ii->i", "ii", "bij,bjk->bik", "bhqd,bhkd->bhqk", "...ij,...jk->...ik",
    "...ij->...ji", "...ij->ij", "ij->ijk", "ij->ii", "i,j->ij", "ij,ij->", "i j , j k -> i k", "ij,jk,kl->il", "i1->i",
    "ijk", ",ij->ij", "i...,j...->ij...", "...,...", "ij->ji", "ij-jk", "i..j->ij", "Ab,bC", "bn,anm,bm->ba",
    "...i,...i->...",
]  # fmt: skip


@settings(max_examples=130, deadline=None)
@given(
    st.sampled_from(EQUATIONS),
    st.lists(st.sampled_from([1, 2, 2, 2, 3]), min_size=8, max_size=8),
    st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1]), min_size=3, max_size=3),
    st.integers(0, 2),
)
def test_einsum(equation: str, sizes: list[int], extra: list[int], ellipsis: int) -> None:
    """Operands made from the letters of the equation, sometimes with an axis too many."""
    known: dict[str, int] = {}
    operands = []
    for n, part in enumerate(equation.partition("->")[0].split(",")):
        letters = part.replace(" ", "").replace("...", "*" * ellipsis).replace(".", "").replace("-", "")
        shape = [known.setdefault(c, sizes[len(known) % len(sizes)]) for c in letters if c != "*"]
        where = letters.find("*")
        shape[max(where, 0) : max(where, 0)] = sizes[: letters.count("*")]
        operands.append((*shape, *([2] * extra[n % 3])))
    agree(f"y = torch.einsum({equation!r}, {', '.join(map(tensor, operands))})")


@pytest.mark.parametrize(
    "code",
    [
        "torch.einsum(torch.ones(2, 3), [0, 1], torch.ones(3, 4), [1, 2], [0, 2])",
        "torch.einsum(torch.ones(2, 3), [0, 1], torch.ones(3, 4), [1, 2])",
        "torch.einsum(torch.ones(2, 3), [..., 1], torch.ones(3, 4), [1, 2])",
        "torch.einsum(torch.ones(2, 3), [0, 1], torch.ones(4, 4), [1, 2], [0, 2])",
        "torch.einsum('ij,jk->ik', [torch.ones(2, 3), torch.ones(3, 4)])",
        "torch.einsum('ij,jk->ik', torch.ones(2, 3))",
        "torch.einsum('ij->ji', torch.ones(2, 3), torch.ones(2, 3))",
        "torch.einsum('ij,jk->ik', torch.ones(2, 3), torch.ones(1, 4))",
        "torch.einsum('ii->i', torch.ones(1, 3))",
        "torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)])",
        "torch.linalg.multi_dot([torch.ones(3), torch.ones(3, 4), torch.ones(4)])",
        "torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(4, 4)])",
        "torch.chain_matmul(torch.ones(2, 3), torch.ones(3, 4), torch.ones(4, 1))",
        "torch.linalg.vecdot(torch.ones(2, 3), torch.ones(3))",
        "torch.linalg.vecdot(torch.ones(2, 3), torch.ones(4))",
        "torch.trace(torch.ones(2, 3))",
        "torch.trace(torch.ones(2, 3, 1))",
        "torch.trace(torch.ones(2, 3, dtype=torch.int32))",
        "torch.linalg.matrix_norm(torch.ones(5, 2, 3))",
        "torch.linalg.matrix_norm(torch.ones(5, 2, 3), keepdim=True)",
        "torch.linalg.matrix_norm(torch.ones(5, 2, 3), 'fro', (0, 1))",
        "torch.linalg.matrix_norm(torch.ones(5))",
        "torch.linalg.det(torch.ones(4, 3, 3))",
        "torch.det(torch.ones(3, 2))",
        "torch.inverse(torch.eye(3))",
        "torch.linalg.inv(torch.eye(3).expand(2, 3, 3))",
        "torch.linalg.inv(torch.ones(3, 2))",
        "torch.linalg.inv(torch.eye(3).long())",
        "torch.linalg.pinv(torch.ones(3, 2))",
        "torch.matrix_power(torch.ones(3, 3), 2)",
        "torch.linalg.cholesky(torch.eye(3))",
    ],
)
def test_cases(code: str) -> None:
    agree(f"y = {code}")


@settings(max_examples=50, deadline=None)
@given(SHAPE, SHAPE, st.one_of(st.integers(0, 3), st.tuples(st.lists(st.integers(-2, 2), max_size=2),
                                                         st.lists(st.integers(-2, 2), max_size=2))))  # fmt: skip
def test_tensordot(left: tuple[int, ...], right: tuple[int, ...], how: int | tuple[list[int], list[int]]) -> None:
    if isinstance(how, int) and how <= len(left):
        right = (*left[len(left) - how :], *right[:2])
    doubled = isinstance(how, tuple) and any(len({n % max(len(s), 1) for n in d}) < len(d)
                                             for s, d in zip((left, right), how, strict=True))  # fmt: skip
    if not doubled:
        agree(f"y = torch.tensordot({tensor(left)}, {tensor(right)}, dims={how})")


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["torch.cdist", "F.cosine_similarity", "F.pairwise_distance", "torch.cross", "torch.linalg.cross"]),
    SHAPE,
    st.lists(st.sampled_from([0, 0, 0, 0, 1]), min_size=4, max_size=4),
    st.integers(0, 3),
    st.sampled_from(["", "", "dim=-1", "dim=1"]),
)
def test_pairs_of_vectors(name: str, left: tuple[int, ...], more: list[int], cut: int, dim: str) -> None:
    if name.endswith("cross"):
        cut = cut if cut == 1 else 0
    right = tuple(n + m for n, m in zip(left, more, strict=False))[cut:]
    keyword = f", {dim}" if dim and name not in ("torch.cdist", "F.pairwise_distance") else ""
    agree(f"y = {name}({tensor(left)}, {tensor(right)}{keyword})")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(SIZE, max_size=2).map(tuple),
    st.lists(SIZE, min_size=5, max_size=5),
    st.lists(st.sampled_from([0] * 8 + [1]), min_size=4, max_size=4),
)
def test_attention(batch: tuple[int, ...], sizes: list[int], off: list[int]) -> None:
    length, keys, width, values, _ = sizes
    query, key = tensor((*batch, length, width)), tensor((*(1 for _ in batch), keys, width + off[0]))
    value = tensor((*(b + off[1] for b in batch), keys + off[2], values))
    agree(f"y = F.scaled_dot_product_attention({query}, {key}, {value})")


@pytest.mark.parametrize(
    "code",
    [
        "y = torch.ones(B, 8) @ torch.ones(8, 3)",
        "q = torch.ones(B, 4, T, 16)\ny = q @ q.transpose(-2, -1)",
        "y = torch.bmm(torch.ones(B, T, 8), torch.ones(B, 8, T))",
        "y = torch.ones(3, 8) @ torch.ones(B, 8, T)",
        "y = torch.einsum('bthd,bshd->bhts', torch.ones(B, T, 2, 8), torch.ones(B, T, 2, 8))",
        "y = torch.einsum('...d,de->...e', torch.ones(B, T, 8), torch.ones(8, 2))",
        "y = F.scaled_dot_product_attention(torch.ones(B, 2, T, 8), torch.ones(B, 2, T, 8), torch.ones(B, 2, T, 8))",
        "y = F.cosine_similarity(torch.ones(B, 1, 8), torch.ones(B, T, 8), dim=-1)",
        "y = torch.cdist(torch.ones(B, T, 8), torch.ones(1, 5, 8))",
        "y = torch.addmm(torch.ones(3), torch.ones(B, 8), torch.ones(8, 3))",
        "y = torch.kron(torch.ones(B, 2), torch.ones(3, 3))",
        "y = torch.tensordot(torch.ones(B, T, 8), torch.ones(8, 4), dims=1)",
    ],
)
def test_symbols(code: str) -> None:
    symbolic(code, B=4, T=6)


@pytest.mark.parametrize(
    ("code", "tail"),
    [
        ("wide @ torch.ones(8, 3)", "3"),
        ("wide @ unknown", None),
        ("wide @ wide.transpose(-1, -2)", None),
        ("nn.Conv2d(3, 8, 1)(unknown) @ torch.ones(5, 2)", "8 _ 2"),
        ("torch.ones(5, 8) @ nn.Conv2d(3, 8, 1, padding=2)(unknown)", "8 5 _"),
        ("torch.einsum('...d,de->...e', wide, torch.ones(8, 2))", "2"),
    ],
)
def test_ranks_that_are_not_known(code: str, tail: str | None) -> None:
    value, violations = interpreted(f"import other\nunknown = other.f()\nwide = nn.Linear(4, 8)(unknown)\ny = {code}")
    assert not violations
    assert isinstance(value, Array)
    assert value.shape is None
    assert (" ".join(map(dims.text, value.tail)) if value.tail else None) == tail


@pytest.mark.parametrize(
    "code",
    [
        "wide @ torch.ones(4, 3)",
        "torch.ones(2, 7) @ nn.Linear(4, 5)(torch.ones(3, 4))",
        "torch.einsum('...d,de->...e', wide, torch.ones(9, 2))",
        "torch.mm(wide, torch.ones(7, 2))",
        "torch.cdist(wide, torch.ones(5, 9))",
    ],
)
def test_last_axes_prove_it(code: str) -> None:
    _, violations = interpreted(f"import other\nwide = nn.Linear(4, 8)(other.f())\ny = {code}")
    assert [v.kind for v in violations] == ["matmul"]


@pytest.mark.parametrize(
    ("code", "grad"),
    [("x @ w", True), ("x @ x", False), ("torch.einsum('ij,jk', x, w)", True), ("x @ other.f()", None)],
)
def test_graph(code: str, grad: bool | None) -> None:
    head = "import other\nx = torch.ones(2, 2)\nw = torch.ones(2, 2, requires_grad=True)\n"
    value, _ = interpreted(f"{head}y = {code}")
    assert isinstance(value, Array)
    assert value.grad is grad


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["ij,jk->ik", "ij,ij->ij", "ij->i", "ij,i->"]), DTYPE, DTYPE)
def test_einsum_of_dtypes(equation: str, a: str, b: str) -> None:
    operands = [
        tensor((2,) * len(part), d)
        for part, d in zip(equation[: equation.index("->")].split(","), (a, b), strict=False)
    ]
    sound(f"y = torch.einsum({equation!r}, {', '.join(operands)})")


@pytest.mark.parametrize("call", ["x.dot(x.T)", "x.trace()", "np.ones((2, 2, 2)).trace()", "x.dot(x[0])"])
def test_methods_of_numpy_have_their_own_ranks(call: str) -> None:
    value, violations = interpreted(f"import numpy as np\nx = np.ones((3, 3))\ny = {call}")
    assert not violations
    assert not isinstance(value, Array) or value.lib == "numpy"
