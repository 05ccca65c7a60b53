"""A document: text → skeleton → pieces → IR, kept up to date over edits. Parsing never fails.

Statements whose code did not change keep their IR objects, though they may move to another unit.  So does a compound
when something in its bodies changes: it is given a new `body` list (a large `else` or `finally` block is changed in
place).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from trainlint.syntax import ir
from trainlint.syntax.build import Builder, UnitPool
from trainlint.syntax.chunks import CLAUSES, nest
from trainlint.syntax.keeping import keep
from trainlint.syntax.pieces import Block, Chunk, Compound
from trainlint.text.lines import LineIndex
from trainlint.text.place import Comment
from trainlint.text.skeleton import Skeleton


class Document:
    """The text of one file and its IR in `module`."""

    def __init__(self, text: str) -> None:
        self._skeleton = Skeleton(text)
        self._pool = UnitPool()
        lines = self._skeleton.lines
        with _collector_paused():
            self._builder = Builder(text, lines, self._pool)
            self._root = self._builder.block(nest(lines, 0, len(lines)))
        self.module = ir.Module(self._root.statements())

    @property
    def text(self) -> str:
        return self._skeleton.text

    def edit(self, start: int, end: int, new: str) -> None:
        """Replace the code points `start:end` of the text by `new`. Offsets are clamped to the text."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        for name in ("broken", "comments", "line_index", "units"):
            self.__dict__.pop(name, None)
        i, j, k = self._skeleton.edit(start, end, new)
        self._builder.text = self._skeleton.text
        changed = self._splice(self._root, 0, i, j, k)
        self._root.relocate(self._skeleton.lines, 0)
        if changed:
            self.module = ir.Module(self._root.statements())

    @cached_property
    def comments(self) -> list[Comment]:
        """Every comment in order."""
        return self._skeleton.comments()

    @cached_property
    def line_index(self) -> LineIndex:
        return LineIndex(self.text)

    @cached_property
    def units(self) -> list[ir.Unit]:
        """The units in order of their text."""
        return list(self._root.units())

    @cached_property
    def broken(self) -> list[tuple[int, int]]:
        """The 1-based line ranges, last line included, of what does not parse."""
        return sorted((each.first_line, each.last_line) for each in self._root.broken())

    def source_line(self, line: int) -> str:
        """The text of a 1-based line, without its line end."""
        return self.line_index.line(line)

    # edits: the logical lines i:j of before are i:k now; `start` is the index of a block's first logical line.
    # Where i == j == k the edit was between two logical lines: a comment, or blank lines.

    def _splice(self, block: Block, start: int, i: int, j: int, k: int) -> bool:
        """Rebuild the pieces of a block that an edit touches. False where it touches none."""
        lines = self._skeleton.lines
        pieces = block.pieces
        moved = k - j
        low, at = 0, start
        while low < len(pieces) and at + pieces[low].count <= i:
            at += pieces[low].count
            low += 1
        high, stop = low, at
        while high < len(pieces) and stop < j:
            stop += pieces[high].count
            high += 1
        if low == high and j == k:
            return False
        inside = self._splice_inside(block, low, high, at, i, j, k)
        if inside is not None:
            return inside
        block.indent = min((block.indent, *(line.indent for line in lines[i:k])))
        while high < len(pieces) and self._continues(block, stop + moved, at):
            stop += pieces[high].count
            high += 1
        while low > 0 and at < stop + moved and self._continues(block, at, start):
            low -= 1
            at -= pieces[low].count
        old = [stmt for piece in pieces[low:high] for stmt in piece.statements]
        for piece in pieces[low:high]:
            self._retire(piece)
        pieces[low:high] = new = self._builder.pieces(nest(lines, at, stop + moved))
        keep(old, new)
        block.count += moved
        if block is self._root:
            block.indent = self._indent(block, start)
        return True

    def _indent(self, block: Block, start: int) -> int:
        lines = self._skeleton.lines
        indents = []
        for piece in block.pieces:
            indents.append(lines[start].indent)
            start += piece.count
        return min(indents, default=0)

    def _continues(self, block: Block, index: int, first: int) -> bool:
        """May the logical line `index` belong to the statement before it?"""
        line = self._skeleton.lines[index]
        before = self._skeleton.lines[index - 1] if index > first else None
        return line.keyword in CLAUSES or line.indent != block.indent or (before is not None and before.keyword == "@")

    def _splice_inside(self, block: Block, low: int, high: int, at: int, i: int, j: int, k: int) -> bool | None:
        """Take an edit into the one body that it touches; None if it may matter outside of it."""
        lines = self._skeleton.lines
        if low > 0 and i == j == at and k > i and lines[i].indent > block.indent:
            # lines were added after the last one of the statement before
            low -= 1
            at -= block.pieces[low].count
        elif high - low != 1:
            return None
        piece = block.pieces[low]
        if not isinstance(piece, Compound):
            return None
        for body, first in piece.blocks(at):
            if not first <= i <= j <= first + body.count:
                continue
            if i == j == k and i in (first, first + body.count):
                return False
            # the first line of a body gives it its indent
            keeps_first = first < i or (i < k and lines[i].indent == body.indent)
            if not keeps_first or any(line.indent < body.indent for line in lines[i:k]):
                return None
            if not self._splice(body, first, i, j, k):
                return False
            piece.count += k - j
            block.count += k - j
            if not piece.refill(body):
                self._builder.assemble(piece, at)
            return True
        return None

    def _retire(self, piece: Chunk | Compound) -> None:
        if isinstance(piece, Compound):
            blocks = [block for block, _ in piece.blocks(0)]
        elif piece.rest is not None:
            blocks = [piece.rest]
        else:
            blocks = []
            if not piece.broken:
                self._pool.put(piece.units[0][0])
        for block in blocks:
            for inner in block.pieces:
                self._retire(inner)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """The trees of a whole file would only make the garbage collector look for garbage that is not there."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
