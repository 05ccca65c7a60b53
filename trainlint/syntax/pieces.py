"""The pieces of a document: its blocks, chunks and hollowed compounds, and the IR that each of them gives.

A `Block` holds pieces in order; a piece knows how many logical lines it covers and nothing of what comes before it, so
an edit touches only the pieces on its path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from trainlint.syntax import ir
from trainlint.text.skeleton import LogicalLine


class Chunk:
    """Statements parsed together, or one that does not parse with what could be saved of it.

    `units` are pairs (unit, line offset from the first line of the chunk); `rest` is what could be saved, in pieces.
    """

    __slots__ = ("broken", "count", "rest", "statements", "units")

    def __init__(self, count: int) -> None:
        self.count = count
        self.rest: Block | None = None
        self.units: list[tuple[ir.Unit, int]] = []
        self.statements: list[ir.Stmt] = []
        self.broken: list[ir.Broken] = []


class Part:
    """A clause of a hollowed compound: the `count` logical lines of its header, and its body, if it has one."""

    __slots__ = ("block", "count", "keyword")

    def __init__(self, count: int, keyword: str, block: Block | None) -> None:
        self.count = count
        self.keyword = keyword
        self.block = block


Clause: TypeAlias = ir.Stmt | ir.Handler | ir.Case | list[ir.Stmt]


class Compound:
    """A compound statement whose headers and bodies are parsed apart.

    `headers` are the units of its headers and `made` their IR, one a part; the block of an `else` or a `finally` is a
    list.  `statements` is the compound itself; a header that does not parse gives a Broken (its `made` is None) and
    leaves the statements of its body in its place.
    """

    __slots__ = ("broken", "count", "headers", "made", "parts", "statements")

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.count: int = sum(part.count for part in parts)
        self.count += sum(part.block.count for part in parts if part.block is not None)
        self.headers: list[ir.Unit] = []
        self.made: list[Clause | None] = []
        self.statements: list[ir.Stmt] = []
        self.broken: list[ir.Broken] = []

    def blocks(self, index: int) -> Iterator[tuple[Block, int]]:
        """The bodies with the index of their first logical line; `index` is that of the compound."""
        for part in self.parts:
            index += part.count
            if part.block is not None:
                yield part.block, index
                index += part.block.count

    def refill(self, block: Block) -> bool:
        """Put the statements of a body that changed under its header again. False where it has none."""
        for part, made in zip(self.parts, self.made, strict=True):
            if part.block is block and made is not None:
                fill(made, block.statements())
                return True
        return False


class Block:
    """Statements at one indent."""

    __slots__ = ("count", "indent", "pieces")

    def __init__(self, indent: int, pieces: list[Chunk | Compound]) -> None:
        self.indent = indent
        self.pieces = pieces
        self.count: int = sum(piece.count for piece in pieces)

    def statements(self) -> list[ir.Stmt]:
        return [stmt for piece in self.pieces for stmt in piece.statements]

    def relocate(self, lines: list[LogicalLine], index: int) -> None:
        """Set the lines of all units anew; the block starts with the logical line `index`."""
        for piece in self.pieces:
            if isinstance(piece, Chunk):
                first = lines[index].line if index < len(lines) else 1
                for unit, offset in piece.units:
                    unit.line = first + offset
            else:
                at = index
                for part, unit in zip(piece.parts, piece.headers, strict=True):
                    unit.line = lines[at].line
                    at += part.count
                    if part.block is not None:
                        part.block.relocate(lines, at)
                        at += part.block.count
            index += piece.count

    def units(self) -> Iterator[ir.Unit]:
        """Every unit in order of its text."""
        for piece in self.pieces:
            if isinstance(piece, Chunk):
                yield from (unit for unit, _ in piece.units)
            else:
                for part, unit in zip(piece.parts, piece.headers, strict=True):
                    yield unit
                    if part.block is not None:
                        yield from part.block.units()

    def broken(self) -> Iterator[ir.Broken]:
        """Every broken statement."""
        for piece in self.pieces:
            yield from piece.broken
            if isinstance(piece, Compound):
                for block, _ in piece.blocks(0):
                    yield from block.broken()


def fill(clause: Clause, body: list[ir.Stmt]) -> bool:
    """Put a body under a header that was parsed without one. False where it takes none."""
    if isinstance(clause, list):
        clause[:] = body
    elif isinstance(
        clause,
        (ir.If, ir.For, ir.While, ir.With, ir.Try, ir.FunctionDef, ir.ClassDef, ir.Handler, ir.Case),
    ):
        clause.body = body
    else:
        return False
    return True


class Assembly:
    """Joins the clauses of a hollowed compound to one statement."""

    def __init__(self) -> None:
        self._owner: ir.Stmt | None = None
        self._last: ir.If | None = None  # where a further `elif` or `else` of an `if` goes

    def start(self, stmt: ir.Stmt) -> None:
        self._owner = stmt
        self._last = stmt if isinstance(stmt, ir.If) else None

    def join(self, keyword: str, clause: Clause) -> bool:
        """Add a clause. False where the compound cannot take it."""
        owner = self._owner
        if isinstance(clause, ir.Handler):
            if not isinstance(owner, ir.Try):
                return False
            owner.handlers += (clause,)
        elif isinstance(clause, ir.Case):
            if not isinstance(owner, ir.Match):
                return False
            owner.cases += (clause,)
        elif isinstance(clause, ir.If):
            if self._last is None:
                return False
            self._last.orelse = [clause]
            self._last = clause
        elif isinstance(clause, list):
            return self._join_block(keyword, clause)
        else:
            return False
        return True

    def _join_block(self, keyword: str, block: list[ir.Stmt]) -> bool:
        owner = self._owner
        if keyword == "finally":
            if not isinstance(owner, ir.Try):
                return False
            owner.final = block
        elif self._last is not None:
            self._last.orelse = block
            self._last = None
        elif isinstance(owner, (ir.For, ir.While, ir.Try)):
            owner.orelse = block
        else:
            return False
        return True
