"""Between LSP positions (0-based, in the negotiated units) and offsets or places in a text (code points)."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import Literal

from lsprotocol import types as lsp

from trainlint.text.place import Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]

# The line ends of LSP and of Python source. Not `str.splitlines`, which also breaks at form feeds and U+2028.
_LINE_END = re.compile(r"\r\n|\n|\r")


def width(text: str, encoding: Encoding) -> int:
    """The length of `text` in the units of the encoding."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text) + sum(character > "\uffff" for character in text)
    return len(text.encode("utf-8", "surrogatepass"))


def code_points(text: str, units: int, encoding: Encoding) -> int:
    """How many code points of `text` lie before `units` units; a position inside a character counts as behind it."""
    if encoding == "utf-32" or text.isascii():
        return min(units, len(text))
    seen = 0
    for count, character in enumerate(text):
        if seen >= units:
            return count
        seen += width(character, encoding)
    return len(text)


class Body:
    """An immutable text with its line starts."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def line(self, number: int) -> str:
        """The text of the 0-based line without its end; empty behind the last line."""
        if not 0 <= number < len(self.starts):
            return ""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[number] : end].rstrip("\r\n")

    def offset(self, position: lsp.Position, encoding: Encoding) -> int:
        """The code point offset of an LSP position; behind the end of a line or the text it is that end."""
        if position.line >= len(self.starts):
            return len(self.text)
        return self.starts[position.line] + code_points(self.line(position.line), position.character, encoding)

    def place(self, offset: int) -> tuple[int, int]:
        """1-based line and column of an offset."""
        number = bisect_right(self.starts, offset) - 1
        return number + 1, offset - self.starts[number] + 1

    def position(self, line: int, column: int, encoding: Encoding) -> lsp.Position:
        """The LSP position of a 1-based line and code point column, kept inside the text."""
        number = max(line, 1) - 1
        if number >= len(self.starts):
            last = len(self.starts) - 1
            return lsp.Position(last, width(self.line(last), encoding))
        return lsp.Position(number, width(self.line(number)[: max(column, 1) - 1], encoding))

    def range(self, span: Span, encoding: Encoding) -> lsp.Range:
        return lsp.Range(
            self.position(span.line, span.column, encoding), self.position(span.end_line, span.end_column, encoding)
        )
