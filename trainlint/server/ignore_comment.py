"""Where `# trainlint: ignore[CODE]` goes for a finding, and which words an existing one names."""

from __future__ import annotations

import re
from typing import NamedTuple

from trainlint.server.positions import Body
from trainlint.text.place import Span
from trainlint.text.skeleton import Skeleton, comments

_IGNORE = re.compile(
    r"#\s*trainlint\s*:\s*ignore(?P<file>-file)?(?![\w-])(?:\s*\[(?P<words>[^\]#]*)\])?", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z0-9_-]+")


class Insertion(NamedTuple):
    """Insert `text` at the empty span `at`."""

    at: Span
    text: str


def ignore_insertion(body: Body, line: int, code: str) -> Insertion | None:
    """The edit that silences `code` on the 1-based line, or None where a comment there already names it or everything.

    A comment that ignores other codes is extended. Where the line ends in a backslash or inside a string no comment
    can follow the code; it then stands at the end of the statement.
    """
    places = [line] if _takes_comment(body, line) else []
    for number in [*places, *_last_lines(body, line)]:
        here = next((match for match in _IGNORE.finditer(body.lines.line(number)) if not match["file"]), None)
        if here is None:
            return Insertion(_at(number, len(body.lines.line(number).rstrip())), f"  # trainlint: ignore[{code}]")
        if here["words"] is None or code in (words := _WORD.findall(here["words"])):
            return None
        return Insertion(_at(number, here.end("words")), f", {code}" if words else code)
    return None


def _at(line: int, offset: int) -> Span:
    return Span(line, offset + 1, line, offset + 1)


def _last_lines(body: Body, line: int) -> list[int]:
    """The last line of the statement that the line is part of, if a comment can stand there."""
    ends = [each.end for each in Skeleton(body.text).lines if each.line <= line <= each.end]
    return [end for end in ends if end != line and _takes_comment(body, end)]


def _takes_comment(body: Body, line: int) -> bool:
    """Would a comment at the end of the line be one, and no part of a string or behind a backslash?"""
    text = body.lines.line(line)
    if text.rstrip().endswith("\\"):
        return False
    end = body.lines.offset(line, len(text) + 1)
    mark = "  # trainlint: ignore"
    found = comments(body.text[:end] + mark + body.text[end:])
    return any(each.line == line and each.text.endswith(mark.strip()) for each in found)


def word_in_ignore(body: Body, line: int, column: int) -> tuple[str, Span] | None:
    """The code, id or family under a 1-based place inside the brackets of an ignore comment, with its span."""
    text = body.lines.line(line)
    for comment in _IGNORE.finditer(text):
        if comment["words"] is None:
            continue
        for word in _WORD.finditer(text, comment.start("words"), comment.end("words")):
            if word.start() <= column - 1 <= word.end():
                return word[0], Span(line, word.start() + 1, line, word.end() + 1)
    return None
