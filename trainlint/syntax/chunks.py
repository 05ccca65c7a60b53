"""Nests logical lines into statements and groups the small ones into chunks of at most 24 lines."""

from __future__ import annotations

from collections.abc import Iterable

from trainlint.text.skeleton import LogicalLine

MAX_LINES = 24
# Deeper blocks are read as if not indented further: Python itself allows 100 levels.
MAX_DEPTH = 60
# Clause keywords and the keywords of the clause 0 that they may follow.
CLAUSES: dict[str, frozenset[str]] = {
    "elif": frozenset({"if"}),
    "else": frozenset({"if", "for", "while", "try", "async"}),
    "except": frozenset({"try"}),
    "finally": frozenset({"try"}),
}
COMPOUND = frozenset(
    {"if", "for", "while", "with", "try", "def", "class", "async", "match", "case", "elif", "else", "except", "finally"}
)


class Clause:
    """A clause: the logical lines `first..header` of its header (decorators included) and its body."""

    __slots__ = ("body", "first", "header")

    def __init__(self, first: int, header: int) -> None:
        self.first = first
        self.header = header
        self.body: list[Statement] = []


class Statement:
    """A statement of the skeleton: the logical lines `first..last`, as clauses."""

    __slots__ = ("clauses", "first", "last")

    def __init__(self, first: int) -> None:
        self.first = first
        self.last = first
        self.clauses: list[Clause] = []


class _Open:
    """A block being filled: the indent of its first statement."""

    __slots__ = ("indent", "statements")

    def __init__(self, indent: int, statements: list[Statement]) -> None:
        self.indent = indent
        self.statements = statements


def nest(lines: list[LogicalLine], first: int, stop: int) -> list[Statement]:
    """The statements of the logical lines `first:stop` by indentation; `else` and its kin join the one before."""
    root: list[Statement] = []
    if first >= stop:
        return root
    stack = [_Open(lines[first].indent, root)]
    index = first
    while index < stop:
        line = lines[index]
        while len(stack) > 1 and line.indent < stack[-1].indent:
            stack.pop()
        block = stack[-1]
        if len(stack) < MAX_DEPTH and _takes_body(lines, block, line.indent):
            block = _Open(line.indent, block.statements[-1].clauses[-1].body)
            stack.append(block)
        start = index
        while lines[index].keyword == "@" and index + 1 < stop and lines[index + 1].indent == line.indent:
            index += 1
        if not _joins(lines, block, start):
            block.statements.append(Statement(start))
        block.statements[-1].clauses.append(Clause(start, index))
        for each in stack:
            each.statements[-1].last = index
        index += 1
    return root


def _takes_body(lines: list[LogicalLine], block: _Open, indent: int) -> bool:
    """Is the last statement of the block a header still without a body, for which a line with this indent is one?"""
    if not block.statements:
        return False
    clause = block.statements[-1].clauses[-1]
    header = lines[clause.header]
    return indent > header.indent and header.keyword in COMPOUND and not clause.body


def _joins(lines: list[LogicalLine], block: _Open, index: int) -> bool:
    after = CLAUSES.get(lines[index].keyword)
    if after is None or not block.statements:
        return False
    owner = lines[block.statements[-1].clauses[0].header]
    return owner.keyword in after and owner.indent == lines[index].indent


def extent(lines: list[LogicalLine], first: int, last: int) -> int:
    """Physical lines that the logical lines first..last span."""
    return lines[last].end - lines[first].line + 1


def is_atomic(statement: Statement) -> bool:
    """Has the statement no body of its own, so that it is parsed whole whatever its size?"""
    return len(statement.clauses) == 1 and not statement.clauses[0].body


def groups(lines: list[LogicalLine], statements: Iterable[Statement]) -> list[list[Statement]]:
    """Runs of small statements, cut evenly into chunks of at most 24 lines; every larger statement by itself."""
    result: list[list[Statement]] = []
    run: list[Statement] = []
    for statement in statements:
        if extent(lines, statement.first, statement.last) > MAX_LINES:
            result += _cut(lines, run)
            run = []
            result.append([statement])
            continue
        if run and lines[run[0].first].indent != lines[statement.first].indent:
            result += _cut(lines, run)
            run = []
        run.append(statement)
    return result + _cut(lines, run)


def _cut(lines: list[LogicalLine], run: list[Statement]) -> list[list[Statement]]:
    if not run:
        return []
    total = extent(lines, run[0].first, run[-1].last)
    if total <= MAX_LINES:
        return [run]
    # Even pieces leave each of them room to grow before an edit has to cut it again.
    size = total / -(-total // MAX_LINES)
    result: list[list[Statement]] = []
    for statement in run:
        if result and extent(lines, result[-1][0].first, statement.last) <= size:
            result[-1].append(statement)
        else:
            result.append([statement])
    return result
