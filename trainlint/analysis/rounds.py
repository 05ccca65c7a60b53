"""Rounds of an unrolled loop that do what the round before did: the micro-batches of gradient accumulation.

Forty of them with a twelve-layer model are tens of thousands of operations. What is alive after the third round is what
was alive after the second, so that the memory of the rest is known; only the last round is followed again, which may be
shorter.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.builtin_names import BUILTINS
from trainlint.analysis.tape import Entry, Mark, Returned, Round, Settled, Site, Tape
from trainlint.analysis.unrolling import parts_in, parts_of
from trainlint.analysis.values import Const, Value
from trainlint.syntax import ir

# as many rounds are followed before others count as the same: the first one finds no gradients
FOLLOWED = 3


class Rounds:
    """The rounds of one loop as they come onto the tape."""

    def __init__(self, tape: Tape, stmt: ir.For) -> None:
        self.tape = tape
        self.stmt = stmt
        self.own = names_in(stmt.target)
        self.start = len(tape.entries)
        self.count = 0
        # what the round before recorded, and the numbers after it
        self.last: tuple[list[Entry], dict[str, object]] = ([], {})

    def repeats(self, names: dict[str, Value]) -> bool:
        """A round has ended with these names in the scope: was it like the one before, with a backward of its own?"""
        this = self.tape.entries[self.start :]
        self.start, self.count = len(self.tape.entries), self.count + 1
        if not any(map(is_backward, this)):
            return False
        numbers = self._numbers(names)
        last, before = self.last
        self.last = this, numbers
        if self.count < FOLLOWED or numbers != before or len(this) != len(last):
            return False
        return all(map(alike, this, last)) and not decided_by_round(self.stmt)

    def _numbers(self, names: dict[str, Value]) -> dict[str, object]:
        """The numbers and strings of the scope but for what the loop itself counts."""
        known = {name: value.value for name, value in names.items() if isinstance(value, Const)}
        return {name: value for name, value in known.items() if name not in self.own}


def decided_by_round(stmt: ir.For) -> bool:
    """Does a condition in the loop ask which round it is, or may a function that is given it?"""
    own = names_in(stmt.target)
    for part in parts_of(stmt):
        if isinstance(part, (ir.If, ir.While, ir.IfExp)) and own & names_in(part.test):
            return True
        if isinstance(part, ir.Call) and not (isinstance(part.func, ir.Name) and part.func.id in BUILTINS):
            given = (*part.args, *(value for _, value in part.keywords))
            if any(isinstance(value, ir.Name) and value.id in own for value in given):
                return True
    return False


def names_in(expr: ir.Expr) -> set[str]:
    """The names in an expression."""
    return {part.id for part in parts_in(expr) if isinstance(part, ir.Name)}


def is_backward(entry: Entry) -> bool:
    return isinstance(entry, Mark) and entry.event.kind == "backward"


def alike(a: Entry, b: Entry) -> bool:
    """Do two entries do the same, with as much alive around them?"""
    if isinstance(a, Returned) or isinstance(b, Returned):
        return isinstance(a, Returned) and isinstance(b, Returned) and sizes_alike(a.values, b.values)
    if isinstance(a, (Round, Settled)) or isinstance(b, (Round, Settled)):
        return type(a) is type(b)
    if {key: len(held) for key, held in counted(a)} != {key: len(held) for key, held in counted(b)}:
        return False
    if isinstance(a, Mark) or isinstance(b, Mark):
        return isinstance(a, Mark) and isinstance(b, Mark) and a.event.kind == b.event.kind
    same = a.op == b.op and a.node is b.node and a.grad == b.grad
    return same and sizes_alike(a.operands, b.operands) and sizes_alike(a.results, b.results)


def counted(entry: Site | Mark) -> list[tuple[str, Sequence[Array]]]:
    """What the names hold around an entry; the scopes of calls are new ones in each round."""
    return [(f"{number} {name}", held) for number, ((_, name), held) in enumerate(entry.live.items())]


def sizes_alike(a: Sequence[Array], b: Sequence[Array]) -> bool:
    return len(a) == len(b) and all(map(shapes_alike, a, b))


def shapes_alike(a: Array, b: Array) -> bool:
    if a is b or a.shape is None or b.shape is None:
        return a.shape is b.shape
    return len(a.shape) == len(b.shape) and a.dtype == b.dtype and all(map(axes_alike, a.shape, b.shape))


def axes_alike(a: Value, b: Value) -> bool:
    """The same size, or two that nobody knows, of which none is counted."""
    return a is b or dims.same(a, b) is True or (dims.usual(a) is None and dims.usual(b) is None)
