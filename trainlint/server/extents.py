"""The piece of a text that a measured line belongs to: its function, or its statement at the top of the file."""

from __future__ import annotations

from bisect import bisect_right

from trainlint.text.skeleton import LogicalLine, Skeleton

BRANCHES = ("else", "elif", "except", "finally")


class Extents:
    """Finds the pieces of one text, by indentation: half-typed code has them too."""

    def __init__(self, text: str) -> None:
        self._lines = Skeleton(text).lines
        self._text = text

    def around(self, line: int) -> tuple[int, int, int] | None:
        """(first line, start, end) of the innermost function around a 1-based line, else of the whole top statement.

        Offsets are code points, the end exclusive. None where there is no statement on the line.
        """
        at = bisect_right(self._lines, line, key=lambda each: each.line) - 1
        if at < 0 or not self._lines[at].line <= line <= self._lines[at].end:
            return None
        head = self._head(at)
        end = head
        while end + 1 < len(self._lines) and self._inside(self._lines[end + 1], self._lines[head]):
            end += 1
        first = self._lines[head]
        return first.line, first.start, self._lines[end].stop

    def _head(self, at: int) -> int:
        """The index of the line that begins the piece."""
        indent = self._lines[at].indent
        top = at
        for index in range(at, -1, -1):
            line = self._lines[index]
            if index != at and line.indent >= indent:
                continue
            indent, top = line.indent, index
            if self._defines(line):
                return index
            if line.keyword in BRANCHES:
                # a branch goes on with the statement above it, which has the same indent
                indent += 1
            elif indent == 0:
                break
        return top

    def _defines(self, line: LogicalLine) -> bool:
        return line.keyword == "def" or self._text[line.start : line.stop].lstrip().startswith("async def")

    def _inside(self, line: LogicalLine, head: LogicalLine) -> bool:
        if line.indent > head.indent:
            return True
        # branches of the statement go on with it: a loop's `else`, an `except`
        return line.indent == head.indent and line.keyword in BRANCHES
