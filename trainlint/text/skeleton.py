"""The skeleton of a text: its logical lines and comments, found with one regular expression. Never fails.

A logical line that stays open (an unclosed bracket or string) is closed where the next statement evidently begins, so
that half-typed code breaks only itself.  A `Skeleton` follows edits by scanning only what they touch; the result
equals a scan from scratch.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from operator import attrgetter

from trainlint.text.place import Comment

_NEWLINE = r"(?:\r\n|\n|\r)"
_ESCAPED = r"\\(?:\r\n|.)"
_TOKEN = re.compile(
    rf'("""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""|'
    rf"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''|"
    rf'"(?!"")[^"\\\r\n]*(?:{_ESCAPED}[^"\\\r\n]*)*"|'
    rf"'(?!'')[^'\\\r\n]*(?:{_ESCAPED}[^'\\\r\n]*)*')"  # 1 a whole string
    r"|(\#[^\r\n]*)"  # 2 a comment
    r"|([(\[{])"  # 3 an opening bracket
    r"|([)\]}])"  # 4 a closing bracket
    rf"|(\\{_NEWLINE})"  # 5 a continued line
    rf"|({_NEWLINE})"  # 6 the end of a line
    r"|(\"\"\"[^\r\n]*|'''[^\r\n]*)"  # 7 a triple quote that is never closed
    r"|([\"'][^\r\n]*)",  # 8 a quote that is not closed on its line
    re.S,
)
_STRING, _COMMENT, _OPEN, _CLOSE, _CONTINUED, _END, _UNCLOSED_TRIPLE, _UNCLOSED_QUOTE = range(1, 9)
# How a line starts: white space (a byte order mark counts as such), then a word or the `@` of a decorator.
_HEAD = re.compile(r"([\ufeff \t\f]*)(@(?=[^\W\d])|[^\W\d]\w*)?")
# Words that start a statement and cannot continue an expression on a new line.
_STARTERS = frozenset(
    ("def", "class", "import", "from", "return", "with", "while", "try", "raise", "@", "assert", "del")
)
_LINE_END = re.compile(_NEWLINE)
_FIELD = re.compile(r"\r\n|\n|\r|\{\{|\}\}|\{|\}|\\.|[\"']|\[|\(|\]|\)", re.S)
_NESTED_QUOTES = 8
# Characters: a field that is still open after so many was rather never closed.
_FIELD_LOOKAHEAD = 1500
_TAB = 8


class LogicalLine:
    """One logical line, the 1-based physical lines `line`..`end`, holding one statement or one header.

    `start` and `stop` are the code point offsets of its first character (its indentation included) and past its last
    one (the line break excluded).  `indent` is its indentation in columns, tabs going to multiples of 8.
    `keyword` is its first word, `@` for a decorator, "" where it starts with something else.
    """

    __slots__ = ("end", "indent", "keyword", "line", "start", "stop")

    def __init__(self, line: int, end: int, indent: int, keyword: str, start: int, stop: int) -> None:
        self.line = line
        self.end = end
        self.indent = indent
        self.keyword = keyword
        self.start = start
        self.stop = stop

    def __repr__(self) -> str:
        return f"LogicalLine({self.line}-{self.end}, {self.indent}, {self.keyword!r}, {self.start}:{self.stop})"


class _Remark:
    """A comment that can move: offset, 1-based line, 1-based column, text, whether it has its line to itself."""

    __slots__ = ("column", "line", "own_line", "start", "text")

    def __init__(self, start: int, line: int, column: int, text: str, own_line: bool) -> None:
        self.start = start
        self.line = line
        self.column = column
        self.text = text
        self.own_line = own_line


class _Scan:
    """What a scan found: logical lines, comments, lines with a string that is never closed, and where it stopped."""

    __slots__ = ("end", "end_line", "lines", "remarks", "unclosed")

    def __init__(self) -> None:
        self.lines: list[LogicalLine] = []
        self.remarks: list[_Remark] = []
        self.unclosed: list[int] = []
        self.end = 0
        self.end_line = 0


def scan(text: str, start: int = 0, line: int = 1, known: Callable[[int], bool] | None = None) -> _Scan:
    """Scan `text` from the offset `start`, the start of the 1-based line `line`, with no construct open there.

    Ends early at the start of the first physical line outside brackets and strings for which `known(offset)` is true.
    """
    found = _Scan()
    depth = 0
    begun = row = start  # where this logical line and this physical line start
    first = line
    position: int | None = start
    while position is not None:
        resume = None
        for token in _TOKEN.finditer(text, position):
            kind = token.lastindex
            if kind == _END:
                after = token.end()
                if depth and not _starts_statement(text, begun, after):
                    line += 1
                    row = after
                    continue
                depth = 0
                _add(found.lines, text, begun, token.start(), first, line)
                line += 1
                begun = row = after
                first = line
                if known is not None and known(after):
                    found.end, found.end_line = after, line
                    return found
            elif kind == _OPEN:
                depth += 1
            elif kind == _CLOSE:
                depth = depth - 1 if depth else 0
            elif kind in (_STRING, _UNCLOSED_QUOTE):
                at, end = token.span()
                if _is_open_formatted(text, at, end):
                    resume = _formatted_end(text, at)
                    if resume is None:
                        found.unclosed.append(begun)
                    else:
                        end = resume
                if end - at > 2:
                    line += len(_LINE_END.findall(text, at, end))
                    row = max(row, text.rfind("\n", row, end) + 1, text.rfind("\r", row, end) + 1)
                if resume is not None:
                    break
            elif kind == _COMMENT:
                at = token.start()
                own = not text[row:at].strip("\ufeff \t\f")
                found.remarks.append(_Remark(at, line, at - row + 1, token.group(), own))
            elif kind == _CONTINUED:
                line += 1
                row = token.end()
            elif kind == _UNCLOSED_TRIPLE:
                # only this physical line is broken: whatever is open ends with it
                depth = 0
                found.unclosed.append(begun)
        position = resume
    _add(found.lines, text, begun, len(text), first, line)
    found.end, found.end_line = len(text), line
    return found


def _starts_statement(text: str, begun: int, next_line: int) -> bool:
    """Inside brackets: does the next physical line begin a statement that cannot belong to the expression?"""
    head = _HEAD.match(text, next_line)
    if head is None or head.group(2) not in _STARTERS:
        return False
    own = _HEAD.match(text, begun)
    return own is not None and indentation(head.group(1)) <= indentation(own.group(1))


def _add(lines: list[LogicalLine], text: str, start: int, stop: int, first: int, last: int) -> None:
    head = _HEAD.match(text, start, stop)
    if head is None:
        return
    if head.group(2) is None:
        at = head.end()
        if at >= stop or text[at] == "#" or (text[at] == "\\" and not text[at:stop].strip("\\ \t\f\r\n")):
            return
    lines.append(LogicalLine(first, last, indentation(head.group(1)), head.group(2) or "", start, stop))


def indentation(white: str) -> int:
    """Columns of leading white space as Python counts them: tabs to multiples of 8, a form feed starts over."""
    if not white.strip(" "):
        return len(white)
    width = 0
    for char in white:
        if char == "\t":
            width += _TAB - width % _TAB
        elif char == "\f":
            width = 0
        elif char == " ":
            width += 1
    return width


def _formatted_end(text: str, start: int) -> int | None:
    """The end of the f-string whose quote is at `start`, read so that a field may hold its quote and line breaks.

    None where no end is found that way. Triple-quoted ones are always read the simple way.
    """
    return _string_end(text, start + 1, min(len(text), start + _FIELD_LOOKAHEAD), text[start], _NESTED_QUOTES)


def _is_open_formatted(text: str, start: int, end: int) -> bool:
    """Is the string that seems to go from `start` to `end` an f-string with a field still open there?"""
    before = text[max(0, start - 2) : start].lower()
    if before[-1:] not in ("f", "t") and before not in ("fr", "tr"):
        return False
    if text.startswith(('"""', "'''"), start):
        return False
    return text.count("{", start, end) > text.count("}", start, end)


def _string_end(text: str, position: int, stop: int, quote: str, levels: int) -> int | None:
    """Past the closing quote of a string whose replacement fields may hold strings with any quotes."""
    depth = 0
    for _ in range(stop - position):
        token = _FIELD.search(text, position, stop)
        if token is None:
            return None
        position = token.end()
        what = token.group()
        if what[0] in "\r\n":
            head = _HEAD.match(text, position)
            if depth == 0 or (head is not None and head.group(2) in _STARTERS):
                return None
        elif depth == 0:
            if what == quote:
                return position
            depth = 1 if what == "{" else 0
        elif what[0] in "{[(":
            depth += len(what)
        elif what[0] in "}])":
            depth = max(0, depth - len(what))
        elif what[0] in "\"'":
            inner = _string_end(text, position, stop, what, levels - 1) if levels else None
            if inner is None:
                return None
            position = inner
    return None


_start_of = attrgetter("start")


class _OldLine:
    """Recognises the starts of old logical lines that an edit only moved; `index` is the one it stopped at."""

    __slots__ = ("index", "lines", "met", "moved")

    def __init__(self, lines: list[LogicalLine], index: int, moved: int) -> None:
        self.lines = lines
        self.index = index
        self.moved = moved
        self.met = False

    def __call__(self, offset: int) -> bool:
        old = offset - self.moved
        while self.index < len(self.lines) and self.lines[self.index].start < old:
            self.index += 1
        self.met = self.index < len(self.lines) and self.lines[self.index].start == old
        return self.met


class Skeleton:
    """The logical lines and comments of a text, kept up to date over edits."""

    __slots__ = ("_remarks", "_unclosed", "lines", "text")

    def __init__(self, text: str) -> None:
        found = scan(text)
        self.text = text
        self.lines = found.lines
        self._remarks = found.remarks
        self._unclosed = found.unclosed

    def comments(self) -> list[Comment]:
        """Every comment of the text, in order."""
        return [Comment(each.line, each.column, each.text, each.own_line) for each in self._remarks]

    def edit(self, start: int, end: int, new: str) -> tuple[int, int, int]:
        """Replace the code points `start:end` by `new`. Returns (i, j, k): `lines[i:j]` have become `lines[i:k]`.

        The lines before are untouched, those after have only moved.
        """
        old, lines = self.text, self.lines
        self.text = text = old[:start] + new + old[end:]
        moved = len(new) - (end - start)
        first = self._resume_at(start)
        origin, line = (lines[first].start, lines[first].line) if first >= 0 else (0, 1)
        first = max(first, 0)
        # A line that starts right at the end of the edit may have got another start: `\r` before `\n`, an indent.
        later = _OldLine(lines, bisect_right(lines, end, first, key=_start_of), moved)
        found = scan(text, origin, line, later)
        cut = later.index if later.met else len(lines)
        shift = found.end_line - lines[cut].line if later.met else 0
        old_end = found.end - moved if later.met else len(old) + 1
        if moved or shift:
            for each in lines[cut:]:
                each.start += moved
                each.stop += moved
                each.line += shift
                each.end += shift
        self._edit_remarks(found, origin, old_end, moved, shift)
        same = _common(lines, first, cut, found.lines, start)
        lines[first + same : cut] = found.lines[same:]
        return first + same, cut, first + len(found.lines)

    def _resume_at(self, offset: int) -> int:
        """Index of the logical line where scanning can resume for an edit at `offset`; -1: start of the text.

        That is the line before the touched one, whose end depends on how the touched one begins. What follows a string
        that is never closed may close it, so scanning then resumes there.
        """
        index = bisect_right(self.lines, offset, key=_start_of) - 2
        if self._unclosed and self._unclosed[0] < offset:
            index = min(index, bisect_left(self.lines, self._unclosed[0], key=_start_of) - 1)
        return index if index >= 0 else -1

    def _edit_remarks(self, found: _Scan, origin: int, old_end: int, moved: int, shift: int) -> None:
        remarks = self._remarks
        low = bisect_left(remarks, origin, key=_start_of)
        high = bisect_left(remarks, old_end, low, key=_start_of)
        if moved or shift:
            for each in remarks[high:]:
                each.start += moved
                each.line += shift
        remarks[low:high] = found.remarks
        before = [each for each in self._unclosed if each < origin]
        after = [each + moved for each in self._unclosed if each >= old_end]
        self._unclosed = before + found.unclosed + after


def _common(lines: list[LogicalLine], first: int, stop: int, found: list[LogicalLine], edit: int) -> int:
    """How many of the lines found again, from `first` on, end before the edit and are as they were."""
    count = 0
    for old, new in zip(lines[first:stop], found, strict=False):
        if new.stop >= edit or (old.start, old.stop, old.end) != (new.start, new.stop, new.end):
            break
        count += 1
    return count


def comments(text: str) -> list[Comment]:
    """Every comment of the text, in order."""
    return Skeleton(text).comments() if "#" in text else []
