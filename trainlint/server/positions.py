"""Between LSP positions (0-based, in the negotiated units) and offsets or places in a text (code points)."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from lsprotocol import types as lsp

from trainlint.project.texts import text_hash
from trainlint.text.lines import LineIndex
from trainlint.text.place import Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]


class Body:
    """An immutable text with its line starts and its hash."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def hash(self) -> str:
        """What tells whether a measurement is about this text."""
        return text_hash(self.text)

    @cached_property
    def lines(self) -> LineIndex:
        return LineIndex(self.text)

    def offset(self, position: lsp.Position, encoding: Encoding) -> int:
        """The code point offset of an LSP position; behind the end of a line or of the text it is that end."""
        line = position.line + 1
        return self.lines.offset(line, self.lines.column_of(line, position.character, encoding))

    def position(self, line: int, column: int, encoding: Encoding) -> lsp.Position:
        """The LSP position of a 1-based line and code point column, kept inside the text."""
        line, column = self.lines.position(self.lines.offset(line, column))
        return lsp.Position(line - 1, self.lines.encoded_column(line, column, encoding))

    def range(self, span: Span, encoding: Encoding) -> lsp.Range:
        return lsp.Range(
            self.position(span.line, span.column, encoding), self.position(span.end_line, span.end_column, encoding)
        )
