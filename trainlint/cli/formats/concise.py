"""`concise`: `path:line:column: CODE message`, one finding a line."""

from __future__ import annotations

from trainlint.cli.result import Result, place
from trainlint.cli.style import one_line


def render(result: Result) -> str:
    return "".join(f"{place(each)}: {each.code} {one_line(each.message)}\n" for each in result.shown)
