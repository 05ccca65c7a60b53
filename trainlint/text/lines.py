"""Offsets and positions: lines are 1-based; columns 1-based in code points, or 0-based units of an LSP encoding."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

_NEWLINE = re.compile(r"\r\n|\r|\n")


class LineIndex:
    """The line starts of a text. Line ends are \\n, \\r\\n and \\r, as in LSP and Python.

    Places outside the text or past the end of a line are clamped, as LSP asks for.
    """

    __slots__ = ("starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(m.end() for m in _NEWLINE.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """Code point offset of a 1-based line and column."""
        if line < 1:
            return 0
        if line > len(self.starts):
            return len(self.text)
        start = self.starts[line - 1]
        return min(start + max(0, column - 1), start + len(self.line(line)))

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and code point column of an offset. Between `\\r` and `\\n` it is the end of the line."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self.starts, offset)
        return line, min(offset - self.starts[line - 1], len(self.line(line))) + 1

    def line(self, line: int) -> str:
        """The text of a 1-based line without its line end; empty outside the text."""
        if not 1 <= line <= len(self.starts):
            return ""
        start = self.starts[line - 1]
        if line == len(self.starts):
            return self.text[start:]
        stop = self.starts[line] - 1
        if stop > start and self.text[stop] == "\n" and self.text[stop - 1] == "\r":
            stop -= 1
        return self.text[start:stop]

    def encoded_column(self, line: int, column: int, encoding: str) -> int:
        """0-based column of an LSP encoding (utf-8, utf-16, utf-32) from a 1-based code point column."""
        return units(self.line(line)[: max(0, column - 1)], encoding)

    def column_of(self, line: int, character: int, encoding: str) -> int:
        """1-based code point column from a 0-based column of an LSP encoding.

        A column inside a code point means its start.
        """
        text = self.line(line)
        if text.isascii() or encoding == "utf-32":
            return min(max(0, character), len(text)) + 1
        count = 0
        for index, char in enumerate(text):
            count += units(char, encoding)
            if count > character:
                return index + 1
        return len(text) + 1


def units(text: str, encoding: str) -> int:
    """The length of a text in the units of an LSP encoding."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def apply_edits(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text after edits `(start, end, new)`, given in offsets of the original text.

    Insertions at the same offset keep their order. Raises ValueError where edits overlap or lie outside the text.
    """
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        if not done <= start <= end <= len(text):
            raise ValueError(f"the edit at {start}:{end} overlaps another one or lies outside the text")
        pieces += (text[done:start], new)
        done = end
    return "".join((*pieces, text[done:]))
