"""Notebook syntax that is not Python (magics, shell lines, help) replaced by Python that does nothing.

Every line stays a line; what is replaced becomes `pass` or a call of an unknown function at the same column.
"""

from __future__ import annotations

import re

# cell magics whose body is Python that runs in the notebook's own namespace
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy"})
_LINE_END = re.compile(r"\r\n|\r|\n")
_MAGIC = re.compile(r"([ \t]*)(?:[%!]|\?|,(?=\w)|/(?=\w))")
_HELP = re.compile(r"([ \t]*)[\w.*]*\w[\w.*]*\?{1,2}[ \t]*(?:#.*)?")
_ASSIGNED = re.compile(r"([ \t]*[\w.,* \t\[\]()]+=[ \t]*)[!%](?=[\w(])")
_TOKEN = re.compile(
    r"""#[^\r\n]*|(?:[rbfuRBFU]{0,3})(\"\"\"|'{3}|["'])|[\[({]|[])}]|\\(?=\r|\n|$)""",
)
UNKNOWN_CALL = "__notebook_magic__()"


def neutralise(source: str) -> str:
    """The cell with every magic neutralised; the same number of lines."""
    lines = _split(source)
    first = next((i for i, (line, _) in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first][0].startswith("%%"):
        name = re.match(r"%%(\w*)", lines[first][0])
        if name is None or name[1] not in _PYTHON_CELLS:
            return "".join(("pass" if i == first else "") + end for i, (_, end) in enumerate(lines))
        lines[first] = ("pass", lines[first][1])
    return "".join(line + end for line, end in _neutralise_lines(lines))


def _split(source: str) -> list[tuple[str, str]]:
    ends = _LINE_END.findall(source)
    return list(zip(_LINE_END.split(source), [*ends, ""], strict=True))


def _neutralise_lines(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    done: list[tuple[str, str]] = []
    state = _State()
    in_magic = False
    for line, end in lines:
        new = line
        if in_magic:
            in_magic, new = line.endswith("\\"), ""
        elif state.fresh:
            replaced = _neutral_line(line)
            if replaced is None:
                state.read(line)
            else:
                in_magic, new = line.endswith("\\"), replaced
        else:
            state.read(line)
        done.append((new, end))
    return done


def _neutral_line(line: str) -> str | None:
    """The replacement of a line that starts a statement; None where it is Python."""
    match = _MAGIC.match(line) or _HELP.fullmatch(line)
    if match:
        return match[1] + "pass"
    match = _ASSIGNED.match(line)
    return match[1] + UNKNOWN_CALL if match else None


class _State:
    """Where a line starts: inside brackets, a string or a continued line, or afresh."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""
        self.continued = False

    @property
    def fresh(self) -> bool:
        return not (self.depth or self.quote or self.continued)

    def read(self, line: str) -> None:
        self.continued = False
        position = 0
        while position < len(line):
            if self.quote:
                position = self._leave_string(line, position)
                continue
            match = _TOKEN.search(line, position)
            if match is None:
                return
            position = match.end()
            token = match[0]
            if match[1]:
                self.quote = match[1]
            elif token in "[({":
                self.depth += 1
            elif token in "])}":
                self.depth = max(0, self.depth - 1)
            elif token == "\\":
                self.continued = True
        if len(self.quote) == 1 and not line.endswith("\\"):
            self.quote = ""  # never closed on its line: broken, and over

    def _leave_string(self, line: str, position: int) -> int:
        while position < len(line):
            if line[position] == "\\":
                position += 2
            elif line.startswith(self.quote, position):
                position += len(self.quote)
                self.quote = ""
                return position
            else:
                position += 1
        return position
