"""Places in a text: 1-based lines, 1-based columns counted in Unicode code points, ends exclusive."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A range of a file. Lines and columns are 1-based, columns count code points, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Comment(NamedTuple):
    """A comment: where it starts (1-based) and its text from the `#` to the end of the line.

    `own_line` is true where nothing but white space stands before it.
    """

    line: int
    column: int
    text: str
    own_line: bool
