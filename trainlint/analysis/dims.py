"""Sizes of axes: exact integers, polynomials over named positive integers, or unknown.

A size is a `Const` (int), a `Sym` (a polynomial with integer coefficients in canonical form) or anything else, which
says nothing. Equality is three-valued: `same` is True where both have one normal form, False where the difference is
never zero, None where it depends. Quotients that do not divide become atoms of their own, so that the same quotient
written twice is equal to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod

from trainlint.analysis.joins import one_of
from trainlint.analysis.values import Atom, Const, OneOf, Poly, Round, Step, Sym, Unknown, Value, alternatives

# beyond this many terms a size is unknown
MAX_TERMS = 12
# beyond this many combinations of alternatives the result of an operation is unknown
MAX_COMBINATIONS = 16


def symbol(
    name: str,
    *,
    key: object = None,
    value: Value | None = None,
    low: int | None = 1,
    last: int | None = None,
    origin: Step | None = None,
) -> Sym:
    """A named size. Two symbols are equal where their keys are; without a key it is equal only to itself.

    `value` is the constant that the symbol most often stands for (the batch size of a loader whose last batch may be
    smaller), `last` one that it certainly has once; `low` the least value it may have, None where it may be negative.
    """
    return Sym.of((((Atom(key if key is not None else object(), name, low, value, last),), 1),), origin)


def poly_of(value: Value | None) -> Poly | None:
    """The polynomial of a size, None where it has none."""
    if isinstance(value, Sym):
        return value.poly
    if isinstance(value, Const) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return (((), value.value),) if value.value else ()
    return None


def from_poly(poly: Poly | None, *sources: Value | None) -> Value:
    """The size of a polynomial. A constant keeps the overridable default that one of its sources came through."""
    if poly is None or len(poly) > MAX_TERMS:
        return Unknown()
    default = next((s.default for s in sources if isinstance(s, (Const, Sym)) and s.default), None)
    origin = next((s.origin for s in sources if s is not None and s.origin is not None), None)
    if not poly:
        return Const(0, origin, default)
    if len(poly) == 1 and not poly[0][0]:
        return Const(poly[0][1], origin, default)
    return Sym.of(poly, origin, default)


def normal(terms: Iterable[tuple[tuple[Atom, ...], int]]) -> Poly:
    """Terms collected and sorted."""
    total: dict[tuple[Atom, ...], int] = {}
    for atoms, factor in terms:
        total[atoms] = total.get(atoms, 0) + factor
    kept = [(atoms, factor) for atoms, factor in total.items() if factor]
    if len(kept) > 1:
        kept.sort(key=lambda term: (-len(term[0]), [a.order for a in term[0]]))
    return tuple(kept)


def pairs(a: Value | None, b: Value | None) -> list[tuple[Value, Value]]:
    """Every combination of what two sizes may be; empty where both are single."""
    if not isinstance(a, OneOf) and not isinstance(b, OneOf):
        return []
    return [(x, y) for x in alternatives(a or Unknown()) for y in alternatives(b or Unknown())]


def lifted(a: Value | None, b: Value | None, function: Callable[[Value, Value], Value]) -> Value:
    """The function over every combination of alternatives, Unknown where there are none or too many."""
    combinations = pairs(a, b)
    if not 0 < len(combinations) <= MAX_COMBINATIONS:
        return Unknown()
    return one_of(tuple(function(x, y) for x, y in combinations))


def agreed(combinations: list[tuple[Value, Value]], test: Callable[[Value, Value], bool | None]) -> bool | None:
    """The answer that all combinations give, None where they differ."""
    answers = {test(x, y) for x, y in combinations}
    return answers.pop() if len(answers) == 1 else None


def integers(a: Value | None, b: Value | None) -> bool:
    """Are both plain integers? They take the short way, on which most sizes are."""
    return type(a) is Const and type(b) is Const and type(a.value) is int and type(b.value) is int


def plain(number: int, a: Const, b: Const) -> Const:
    """A number computed from two others, with their source."""
    return Const(number, a.origin or b.origin, a.default or b.default)


def add(a: Value | None, b: Value | None) -> Value:
    """`a + b`."""
    if type(a) is Const and type(b) is Const and integers(a, b):
        return plain(a.value + b.value, a, b)
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None:
        return lifted(a, b, add)
    return from_poly(normal((*p, *q)), a, b)


def sub(a: Value | None, b: Value | None) -> Value:
    """`a - b`."""
    if type(a) is Const and type(b) is Const and integers(a, b):
        return plain(a.value - b.value, a, b)
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None:
        return lifted(a, b, sub)
    return from_poly(normal((*p, *((atoms, -n) for atoms, n in q))), a, b)


def mul(a: Value | None, b: Value | None) -> Value:
    """`a * b`."""
    if type(a) is Const and type(b) is Const and integers(a, b):
        return plain(a.value * b.value, a, b)
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None:
        return lifted(a, b, mul)
    if len(p) * len(q) > 4 * MAX_TERMS:
        return Unknown()
    terms = [(tuple(sorted((*x, *y), key=lambda atom: atom.order)), m * n) for x, m in p for y, n in q]
    return from_poly(normal(terms), a, b)


def product(sizes: Sequence[Value | None]) -> Value:
    """The number of elements of a shape."""
    numbers = [size.value for size in sizes if isinstance(size, Const) and type(size.value) is int and not size.default]
    if len(numbers) == len(sizes):
        return Const(prod(numbers))
    result: Value = Const(1)
    for size in sizes:
        result = mul(result, size)
    return result


def quotient(a: Value | None, b: Value | None) -> Value | None:
    """`a / b` where it divides without a rest for every value of the symbols, else None."""
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None or len(q) != 1:
        return Const(1) if p is not None and p == q and p else None
    below, divisor = q[0]
    terms = []
    for atoms, factor in p:
        rest = list(atoms)
        for atom in below:
            if atom not in rest:
                return None
            rest.remove(atom)
        if factor % divisor:
            return None
        terms.append((tuple(rest), factor // divisor))
    return from_poly(normal(terms), a, b)


def floordiv(a: Value | None, b: Value | None) -> Value:
    """`a // b`; a quotient with a rest becomes an atom."""
    if type(a) is Const and type(b) is Const and integers(a, b) and b.value:
        return plain(a.value // b.value, a, b)
    exact = quotient(a, b)
    if exact is not None:
        return exact
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None or not q:
        return lifted(a, b, floordiv)
    if is_constant(p) and is_constant(q):
        return from_poly(constant(constant_of(p) // constant_of(q)), a, b)
    if is_constant(q):
        # (k*x + c) // k = x + c // k where k divides every other term
        k, c = constant_of(q), constant_of(p)
        rest = [(atoms, n) for atoms, n in p if atoms]
        if all(n % k == 0 for _, n in rest):
            return from_poly(normal((*((atoms, n // k) for atoms, n in rest), ((), c // k))), a, b)
    return opaque("//", p, q, a, b)


def mod(a: Value | None, b: Value | None) -> Value:
    """`a % b`."""
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None or not q:
        return lifted(a, b, mod)
    if quotient(a, b) is not None:
        return from_poly((), a, b)
    if is_constant(p) and is_constant(q):
        return from_poly(constant(constant_of(p) % constant_of(q)), a, b)
    if is_constant(q):
        k, c = constant_of(q), constant_of(p)
        if all(n % k == 0 for atoms, n in p if atoms):
            return from_poly(constant(c % k), a, b)
    return opaque("%", p, q, a, b)


def opaque(op: str, p: Poly, q: Poly, *sources: Value | None) -> Value:
    """A quotient or rest as an atom of its own. One that may be negative, or of a division by zero, is Unknown."""
    (low, _), (least, _) = bounds(p), bounds(q)
    if low is None or low < 0 or least is None or least < 1:
        return Unknown()
    name = f"({poly_text(p)} {op} {poly_text(q)})"
    atom = Atom((op, p, q), name, 0, None)
    return from_poly((((atom,), 1),), *sources)


def constant(number: int) -> Poly:
    return (((), number),) if number else ()


def is_constant(poly: Poly) -> bool:
    return not poly or (len(poly) == 1 and not poly[0][0])


def constant_of(poly: Poly) -> int:
    """The constant term."""
    return next((n for atoms, n in poly if not atoms), 0)


def same(a: Value | None, b: Value | None) -> bool | None:
    """Are two sizes equal? None where it is not decided for all values of the symbols."""
    if type(a) is Const and type(b) is Const and type(a.value) is int and type(b.value) is int:
        return a.value == b.value
    combinations = pairs(a, b)
    if combinations:
        return agreed(combinations, same)
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None:
        return None
    if p == q:
        return True
    difference = normal((*p, *((atoms, -n) for atoms, n in q)))
    if is_constant(difference):
        return False
    low, high = bounds(difference)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return False
    return None


def at_least(a: Value | None, b: Value | None) -> bool | None:
    """`a >= b`, three-valued."""
    if type(a) is Const and type(b) is Const and type(a.value) is int and type(b.value) is int:
        return a.value >= b.value
    combinations = pairs(a, b)
    if combinations:
        return agreed(combinations, at_least)
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None:
        return None
    low, high = bounds(normal((*p, *((atoms, -n) for atoms, n in q))))
    if low is not None and low >= 0:
        return True
    if high is not None and high < 0:
        return False
    return None


def bounds(poly: Poly) -> tuple[int | None, int | None]:
    """The least and the greatest value of a polynomial over its atoms (each at least its `low`), None: no bound."""
    low: int | None = 0
    high: int | None = 0
    for atoms, factor in poly:
        least, most = term_bounds(atoms, factor)
        low = None if low is None or least is None else low + least
        high = None if high is None or most is None else high + most
    return low, high


def term_bounds(atoms: tuple[Atom, ...], factor: int) -> tuple[int | None, int | None]:
    """The least and the greatest value of one term."""
    if not atoms:
        return factor, factor
    extreme, other = factor, factor
    bounded = True
    for atom in atoms:
        if atom.low is None:
            return None, None
        extreme *= atom.low
        most = greatest(atom)
        bounded = bounded and most is not None
        other *= most or 0
    far = other if bounded else None
    return (extreme, far) if factor > 0 else (far, extreme)


def greatest(atom: Atom) -> int | None:
    """The greatest value of an atom: of the smaller of two sizes it is that of either; None: no bound."""
    if not (isinstance(atom.key, tuple) and len(atom.key) == 3 and atom.key[0] == "min"):
        return None
    tops = [top for poly in atom.key[1:] if (top := bounds(poly)[1]) is not None]
    return min(tops, default=None)


def smaller(a: Value | None, b: Value | None) -> Value:
    """The smaller of two sizes that are not negative; an atom where that is not decided."""
    if a is not None and b is not None:
        if at_least(a, b) is True:
            return b
        if at_least(b, a) is True:
            return a
    p, q = poly_of(a), poly_of(b)
    if p is None or q is None or any((low := bounds(poly)[0]) is None or low < 0 for poly in (p, q)):
        return Unknown()
    if poly_text(p) > poly_text(q):
        p, q = q, p
    atom = Atom(("min", p, q), f"min({poly_text(p)}, {poly_text(q)})", 0, None)
    return from_poly((((atom,), 1),), a, b)


def divisible(a: Value | None, b: Value | None) -> bool | None:
    """Does `b` divide `a`? None where it is not decided."""
    combinations = pairs(a, b)
    if combinations:
        return agreed(combinations, divisible)
    rest = poly_of(mod(a, b))
    if rest is None:
        return None
    if not rest:
        return True
    return False if is_constant(rest) else None


def usual(value: Value | None) -> int | None:
    """The integer that a size most often has: a constant, or a polynomial with each symbol at its usual value."""
    poly = poly_of(value)
    if poly is None:
        return None
    total = 0
    for atoms, factor in poly:
        for atom in atoms:
            number = usual_atom(atom)
            if number is None:
                return None
            factor *= number
        total += factor
    return total


def usual_atom(atom: Atom) -> int | None:
    if atom.value is not None:
        return usual(atom.value)
    if isinstance(atom.key, tuple) and len(atom.key) == 3 and atom.key[0] in ("//", "%"):
        op, p, q = atom.key
        left, right = usual(Sym.of(p)), usual(Sym.of(q))
        if left is None or not right:
            return None
        return left // right if op == "//" else left % right
    if isinstance(atom.key, tuple) and len(atom.key) == 3 and atom.key[0] == "min":
        both = [usual(Sym.of(poly)) if not is_constant(poly) else constant_of(poly) for poly in atom.key[1:]]
        return None if None in both else min(n for n in both if n is not None)
    return None


def varies(value: Value | None) -> bool:
    """Is a number another one in other rounds or at another batch size, so that its usual value decides nothing?

    Counters of loops and places in data, which have a `Round` as key, and batch sizes; quotients of them too.
    """
    return any(_varies(atom) for atoms, _ in poly_of(value) or () for atom in atoms)


def _varies(atom: Atom) -> bool:
    if isinstance(atom.key, tuple) and len(atom.key) == 3 and atom.key[0] in ("//", "%", "min"):
        return varies(Sym.of(atom.key[1])) or varies(Sym.of(atom.key[2]))
    return isinstance(atom.key, Round) or (isinstance(atom.key, tuple) and atom.key[0] == "batch")


def poly_text(poly: Poly) -> str:
    """`2*B+1` in the notation of jaxtyping (no spaces, so that it stays one axis)."""
    if not poly:
        return "0"
    text = ""
    for atoms, factor in poly:
        names = "*".join(atom.name for atom in atoms)
        if not names:
            part = str(abs(factor))
        elif abs(factor) == 1:
            part = names
        else:
            part = f"{abs(factor)}*{names}"
        sign = "-" if factor < 0 else "+" if text else ""
        text += sign + part
    return text


def text(value: Value | None) -> str:
    """One axis in jaxtyping notation: `64`, `B`, `2*B+1`, `_` where it is unknown."""
    if isinstance(value, OneOf):
        return "|".join(text(v) for v in value.values)
    poly = poly_of(value)
    return poly_text(poly) if poly is not None else "_"
