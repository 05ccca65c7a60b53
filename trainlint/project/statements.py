"""The statements of a module in a flat row, and what could not be parsed among them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlint.syntax.ir import Broken, Module, Stmt

# not `except A, e:`, which is Python again since 3.14
_PYTHON2 = re.compile(r"""[ \t]*(?:print[ \t]+(?![=(.,\[])\S|exec[ \t]+["']|raise[ \t]+\w+,)""")


def statements(module: Module) -> Iterator[Stmt]:
    """Every statement, compound ones before what is inside them."""
    stack: list[Stmt] = list(reversed(module.body))
    while stack:
        statement = stack.pop()
        yield statement
        inner: list[Stmt] = list(getattr(statement, "body", ()))
        for handler in getattr(statement, "handlers", ()):
            inner += handler.body
        for case in getattr(statement, "cases", ()):
            inner += case.body
        inner += getattr(statement, "orelse", ())
        inner += getattr(statement, "final", ())
        stack.extend(reversed(inner))


def broken_lines(module: Module) -> tuple[list[int], int]:
    """The first lines of the statements that do not parse, in order, and the number of all statements."""
    lines, count = [], 0
    for statement in statements(module):
        count += 1
        if isinstance(statement, Broken):
            lines.append(statement.first_line)
    return sorted(lines), count


def is_python2(text: str, lines: list[int], count: int) -> bool:
    """Is a file with broken statements no Python 3 at all: most of it broken, or a broken Python 2 statement?"""
    if not lines:
        return False
    if len(lines) * 2 > count:
        return True
    source = re.split(r"\r\n|\r|\n", text)
    return any(line <= len(source) and _PYTHON2.match(source[line - 1]) for line in lines)
