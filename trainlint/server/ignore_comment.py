"""Where `# trainlint: ignore[CODE]` goes for a finding, and which words an existing one names."""

from __future__ import annotations

import re
from typing import NamedTuple

from trainlint.server.positions import Body
from trainlint.text.place import Span

_IGNORE = re.compile(r"#\s*trainlint:\s*ignore(?P<file>-file)?(?:\s*\[(?P<words>[^\]]*)\])?")
_WORD = re.compile(r"[A-Za-z0-9_-]+")


class Insertion(NamedTuple):
    """Insert `text` at the empty span `at`."""

    at: Span
    text: str


def ignore_insertion(body: Body, line: int, code: str) -> Insertion | None:
    """The edit that silences `code` on the 1-based line, or None where a comment there already silences everything.

    A comment that ignores other codes is extended. Where the line ends in a backslash or inside a string no comment
    can follow the code; it then stands on a line of its own above.
    """
    text = body.line(line - 1)
    here = _IGNORE.search(text)
    if here and not here["file"]:
        if here["words"] is None:
            return None
        words = _WORD.findall(here["words"])
        at = here.end("words")
        return None if code in words else Insertion(_at(line, at), f", {code}" if words else code)
    if _takes_comment(body, line):
        return Insertion(_at(line, len(text.rstrip())), f"  # trainlint: ignore[{code}]")
    indent = text[: len(text) - len(text.lstrip())]
    return Insertion(_at(line, 0), f"{indent}# trainlint: ignore[{code}]{_line_end(body)}")


def _at(line: int, offset: int) -> Span:
    return Span(line, offset + 1, line, offset + 1)


def _line_end(body: Body) -> str:
    return "\r\n" if "\r\n" in body.text[:10_000] else "\n"


def _takes_comment(body: Body, line: int) -> bool:
    return not body.line(line - 1).endswith("\\")


def word_in_ignore(body: Body, line: int, column: int) -> tuple[str, Span] | None:
    """The code, id or family under a 1-based place inside the brackets of an ignore comment, with its span."""
    for comment in _IGNORE.finditer(body.line(line - 1)):
        if comment["words"] is None:
            continue
        for word in _WORD.finditer(body.line(line - 1), comment.start("words"), comment.end("words")):
            if word.start() <= column - 1 <= word.end():
                return word[0], Span(line, word.start() + 1, line, word.end() + 1)
    return None
