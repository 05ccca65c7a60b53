"""The skeleton of a text: its logical lines, found by one regular expression. Never fails, whatever the text.

A logical line that stays open (an unclosed bracket or string) is closed where the next statement evidently begins, so
that half-typed code breaks only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from trainlint.text.place import Comment

_TOKEN = re.compile(
    r"""("{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*')"""
    r"""|(\#[^\r\n]*)|([\(\[\{])|([\)\]\}])|(\\\r?\n)|(\r\n|\r|\n)""",
    re.S,
)
_HEAD = re.compile(r"[ \t\f]*(@|[^\W\d]\w*)?")
_NEWLINE = re.compile(r"\r\n|\r|\n")
# keywords that begin a statement and cannot continue an expression
_STARTERS = frozenset(
    {"def", "class", "import", "from", "return", "with", "while", "try", "raise", "@", "assert", "del"}
)
TAB = 8


class LogicalLine:
    """One logical line: `start:stop` are code point offsets, `line`..`end` 1-based lines, `indent` its width."""

    __slots__ = ("end", "indent", "keyword", "line", "start", "stop")

    def __init__(self, line: int, end: int, indent: int, keyword: str | None, start: int, stop: int) -> None:
        self.line = line
        self.end = end
        self.indent = indent
        self.keyword = keyword
        self.start = start
        self.stop = stop

    def __repr__(self) -> str:
        return f"LogicalLine({self.line}-{self.end}, {self.keyword})"


def scan(
    text: str, start: int = 0, line: int = 1, known: Callable[[int], bool] | None = None
) -> tuple[list[LogicalLine], int]:
    """The logical lines of `text` from `start` (a line start, on 1-based line `line`) on.

    Stops early at the first line start for which `known` is true. → (lines, offset where it stopped)
    """
    lines: list[LogicalLine] = []
    depth, first, begun = 0, line, start
    for token in _TOKEN.finditer(text, start):
        group = token.lastindex
        if group == 6:
            if depth and not _new_statement(text, begun, token.end()):
                line += 1
                continue
            depth = 0
            _add(lines, text, begun, token.start(), first, line)
            line += 1
            begun, first = token.end(), line
            if known is not None and known(begun):
                return lines, begun
        elif group == 3:
            depth += 1
        elif group == 4:
            depth = max(0, depth - 1)
        elif group == 1:
            line += len(_NEWLINE.findall(token.group())) if len(token.group()) > 1 else 0
        elif group == 5:
            line += 1
    _add(lines, text, begun, len(text), first, line)
    return lines, len(text)


def _new_statement(text: str, begun: int, next_line: int) -> bool:
    """Inside brackets: does the next physical line begin a statement that cannot belong to the expression?"""
    head = _HEAD.match(text, next_line)
    if head is None or head.group(1) not in _STARTERS:
        return False
    own = _HEAD.match(text, begun)
    base = own.start(1) - begun if own is not None and own.group(1) else 0
    return head.start(1) - next_line <= base


def _add(lines: list[LogicalLine], text: str, start: int, stop: int, first: int, last: int) -> None:
    head = _HEAD.match(text, start, stop)
    word = head.group(1) if head is not None else None
    if head is None:
        return
    at = head.end() if word is None else head.start(1)
    if word is None:
        rest = text[at:stop]
        if not rest.strip() or (rest[0] == "#" and "\n" not in rest):
            return
    white = text[start:at]
    indent = len(white) if "\t" not in white and "\f" not in white else _width(white)
    lines.append(LogicalLine(first, last, indent, word, start, stop))


def _width(white: str) -> int:
    width = 0
    for char in white:
        if char == "\t":
            width += TAB - width % TAB
        elif char == "\f":
            width = 0
        else:
            width += 1
    return width


class Skeleton:
    """The logical lines of a text, kept up to date over edits."""

    __slots__ = ("lines", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines, _ = scan(text)

    def edit(self, start: int, end: int, new: str) -> None:
        """Replace the code points `start:end`; only the lines around the edit are scanned again."""
        old = self.text
        self.text = text = old[:start] + new + old[end:]
        # quotes, escapes and carriage returns can change what stands before them: a string that was never closed is now
        around = old[max(0, start - 3) : end + 3] + new
        if any(char in around for char in "\"'\\\r"):
            self.lines, _ = scan(text)
            return
        lines = self.lines
        moved = len(new) - (end - start)
        # the number of lines depends on what stands beside a \r, so count in the texts rather than in the pieces
        first = self._line_before(start)
        if first < 0:
            self.lines, _ = scan(text)
            return
        origin = lines[first]
        later = {ll.start + moved: index for index, ll in enumerate(lines) if ll.start > end and index > first}
        found, stopped = scan(text, origin.start, origin.line, later.__contains__)
        index = later.get(stopped)
        if index is None:
            self.lines = lines[:first] + found
            return
        delta = origin.line + len(_NEWLINE.findall(text, origin.start, stopped)) - lines[index].line
        if delta or moved:
            for ll in lines[index:]:
                ll.start += moved
                ll.stop += moved
                ll.line += delta
                ll.end += delta
        self.lines = lines[:first] + found + lines[index:]

    def _line_before(self, offset: int) -> int:
        """Index of a logical line that starts well before `offset`, -1 for the beginning of the text."""
        low, high = 0, len(self.lines)
        while low < high:
            middle = (low + high) // 2
            if self.lines[middle].start < offset:
                low = middle + 1
            else:
                high = middle
        return low - 2 if low >= 2 else -1


def comments(text: str) -> list[Comment]:
    """Every comment of the text, in order."""
    if "#" not in text:
        return []
    result: list[Comment] = []
    line, line_start = 1, 0
    for token in _TOKEN.finditer(text):
        group = token.lastindex
        if group == 2:
            before = text[line_start : token.start()]
            result.append(Comment(line, len(before) + 1, token.group(), not before.strip()))
        elif group in (5, 6):
            line += 1
            line_start = token.end()
        elif group == 1:
            breaks = list(_NEWLINE.finditer(text, token.start(), token.end()))
            if breaks:
                line += len(breaks)
                line_start = breaks[-1].end()
    return result
