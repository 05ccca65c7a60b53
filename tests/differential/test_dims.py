"""The arithmetic of symbolic sizes agrees with integers at every value of the symbols."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.dims import poly_of
from trainlint.analysis.values import Const, Round, Sym, Unknown, Value

OPERATIONS = {
    "+": (dims.add, lambda a, b: a + b),
    "-": (dims.sub, lambda a, b: a - b),
    "*": (dims.mul, lambda a, b: a * b),
    "//": (dims.floordiv, lambda a, b: a // b),
    "%": (dims.mod, lambda a, b: a % b),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.one_of(st.integers(1, 12), st.sampled_from(["a", "b"]))),
    max_size=5,
)


def computed(start: str, steps: list[tuple[str, int | str]], values: dict[str, int]) -> tuple[Value, int]:
    """The abstract and the concrete result of a chain of operations."""
    symbols: dict[str, Value] = {n: dims.symbol(n, key=n, value=Const(v)) for n, v in values.items()}
    abstract, concrete = symbols[start], values[start]
    for op, operand in steps:
        mine, real = OPERATIONS[op]
        right = symbols[operand] if isinstance(operand, str) else Const(operand)
        number = values[operand] if isinstance(operand, str) else operand
        abstract, concrete = mine(abstract, right), real(concrete, number)
    return abstract, concrete


@settings(deadline=None, max_examples=200)
@given(STEPS, st.integers(1, 40), st.integers(1, 40))
def test_usual_value(steps: list[tuple[str, int | str]], a: int, b: int) -> None:
    abstract, concrete = computed("a", steps, {"a": a, "b": b})
    assert isinstance(abstract, Unknown) or dims.usual(abstract) == concrete


@settings(deadline=None, max_examples=200)
@given(STEPS, STEPS, st.integers(1, 30), st.integers(1, 30))
def test_comparisons(one: list[tuple[str, int | str]], other: list[tuple[str, int | str]], a: int, b: int) -> None:
    left, x = computed("a", one, {"a": a, "b": b})
    right, y = computed("b", other, {"a": a, "b": b})
    equal, larger = dims.same(left, right), dims.at_least(left, right)
    assert equal is None or equal == (x == y)
    assert larger is None or larger == (x >= y)
    if y:
        whole = dims.divisible(left, right)
        assert whole is None or whole == (x % y == 0)


def test_normal_forms() -> None:
    b = dims.symbol("B")
    assert dims.same(dims.mul(b, Const(2)), dims.add(b, b)) is True
    assert dims.same(dims.quotient(dims.product([b, Const(64), Const(7), Const(7)]), b), Const(3136)) is True
    assert dims.same(dims.floordiv(dims.add(b, Const(3)), Const(2)), dims.floordiv(dims.add(b, Const(3)), Const(2)))
    assert dims.same(b, dims.symbol("B")) is None
    assert dims.same(dims.add(b, Const(1)), b) is False
    assert dims.text(dims.add(dims.mul(b, Const(2)), Const(1))) == "2*B+1"
    assert poly_of(Const(True)) is None
    assert isinstance(dims.sub(b, b), Const)
    assert isinstance(dims.mul(b, b), Sym)


def test_what_varies() -> None:
    """Counters and batch sizes are other numbers in other rounds, and so is what is computed from them."""
    counter, batch = dims.symbol("i", key=Round(), value=Const(0)), dims.symbol("B", key=("batch", 1), value=Const(32))
    width = dims.symbol("width", value=Const(64))
    for size in (counter, batch):
        for made in (
            dims.add(size, Const(1)),
            dims.mul(size, width),
            dims.floordiv(size, Const(2)),
            dims.mod(width, size),
        ):
            assert dims.varies(made)
    assert not any(map(dims.varies, (width, dims.floordiv(width, Const(3)), Const(7), Unknown(), None)))
