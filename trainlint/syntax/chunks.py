"""Cuts the skeleton into chunks of at most 24 lines; larger compound statements are hollowed."""

from __future__ import annotations

from trainlint.text.skeleton import LogicalLine

MAX_LINES = 24
_CLAUSES = frozenset({"elif", "else", "except", "finally"})


class Clause:
    """A clause of a statement: its header's logical lines `first..header` (decorators included) and its body."""

    __slots__ = ("body", "first", "header")

    def __init__(self, first: int, header: int) -> None:
        self.first = first
        self.header = header
        self.body: list[Statement] = []


class Statement:
    """A statement of the skeleton: logical lines `first..last`, as clauses."""

    __slots__ = ("clauses", "first", "last")

    def __init__(self, first: int) -> None:
        self.first = first
        self.last = first
        self.clauses: list[Clause] = []


def nest(lines: list[LogicalLine]) -> list[Statement]:
    """Statements by indentation; `else` and its kin join the statement before them."""
    root: list[Statement] = []
    # open blocks: (indent of the block's statements, its statements)
    stack: list[tuple[int, list[Statement]]] = [(lines[0].indent if lines else 0, root)]
    index, count = 0, len(lines)
    while index < count:
        line = lines[index]
        while len(stack) > 1 and line.indent < stack[-1][0]:
            _close(stack, index)
        block = stack[-1][1]
        if line.indent > stack[-1][0] and block:
            clause = block[-1].clauses[-1]
            clause.body = []
            stack.append((line.indent, clause.body))
            block = clause.body
        first = index
        while lines[index].keyword == "@" and index + 1 < count and lines[index + 1].indent == line.indent:
            index += 1
        joins = line.keyword in _CLAUSES and block and lines[block[-1].first].indent == line.indent
        if not joins:
            block.append(Statement(first))
        statement = block[-1]
        statement.clauses.append(Clause(first, index))
        index += 1
        for _, opened in stack:
            opened[-1].last = index - 1
    return root


def _close(stack: list[tuple[int, list[Statement]]], index: int) -> None:
    stack.pop()


def extent(lines: list[LogicalLine], first: int, last: int) -> int:
    """Physical lines that the logical lines first..last span."""
    return lines[last].end - lines[first].line + 1


def is_atomic(lines: list[LogicalLine], statement: Statement) -> bool:
    """A statement that is parsed whole whatever its size: one without a body, or a `match`, whose body is not made of
    statements."""
    bodies = [clause.body for clause in statement.clauses if clause.body]
    if not bodies:
        return True
    return lines[statement.first].keyword == "match" and lines[bodies[0][0].first].keyword == "case"
