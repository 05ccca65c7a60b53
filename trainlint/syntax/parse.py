"""Parses the text of one unit with libcst; nothing of a tree outlives the lowering that asked for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst
from libcst import native  # type: ignore[attr-defined]  # a compiled module without stubs

from trainlint.text.skeleton import indentation

# What a clause needs around itself to be parsed alone: text before (its indentation is put in front) and after.
_FRAMES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "elif": ("if 1: pass\n", ""),
    "else": ("if 1: pass\n", ""),
    "except": ("try: pass\n", ""),
    "finally": ("try: pass\n", ""),
    "try": ("", "finally: pass\n"),
    "case": ("match 1:\n", ""),
    "match": ("", " case _: pass\n"),
}
_HEAD = re.compile(r"\ufeff?([ \t\f]*)(\w*)")
_LONE_RETURN = re.compile(r"\r\n?")
# The native parser recurses, and takes quadratic time on long chains; a stack overflow there ends the process.
_MAX_BRACKETS = 90
_MAX_CHAIN = 400
_CHAINING = ("(", "[", "{", "+", "-", "*", "/", ".", "%", "@", "&", "|", "^", "~", "<", ">", "=", '"', "'")
_CHAINING_WORDS = ("not ", "if ", "and ", "or ", "lambda", "await ", " in ", " is ")
_TOKEN = re.compile(
    r"(\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')|(\#[^\n]*)|([(\[{])|([)\]}])|([,;\n])"
    r"|([-+*/%@&|^~<>.=]|\b(?:and|or|not|if|lambda|await|is|in)\b)",
    re.S,
)


class Parsed(NamedTuple):
    """A parsed piece: its statements or the one clause. `source` is what was parsed, with `shift` lines before it."""

    source: str
    module: cst.Module
    nodes: Sequence[cst.CSTNode]
    is_clause: bool
    shift: int


class Failure(NamedTuple):
    """The 0-based line of the piece where parsing stopped; it can be late."""

    line: int


def parse(text: str, frame: str = "", is_hollow: bool = False) -> Parsed | Failure:
    """Parse a piece of a file as it stands there, indentation included.

    `frame` is "" for statements, or the keyword of the clause that the piece is. A hollow piece lacks its body.
    """
    head = _HEAD.match(text)
    assert head is not None
    white = head.group(1)
    is_indented = indentation(white) > 0
    source = text[1:] if text.startswith("\ufeff") else text
    if "\r" in source:
        source = _LONE_RETURN.sub("\n", source)
    if is_too_deep(source):
        return Failure(0)
    before, after = _FRAMES[frame]
    if before and frame != "case":
        before = white + before
    if is_indented and frame != "case":
        before = "if 1:\n" + before
    source = f"{before}{source}\n"
    if is_hollow:
        source += f"{white} pass\n"
    if after:
        source += white + after
    shift = before.count("\n")
    try:
        module: cst.Module = native.parse_module(source)
        return _pick(source, module, frame, is_indented, shift) or Failure(0)
    except cst.ParserSyntaxError as error:
        return Failure(max(0, error.raw_line - 1 - shift))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        # UnicodeEncodeError, RecursionError, and the panics of the native parser, which are no Exceptions
        return Failure(0)


def _pick(source: str, module: cst.Module, frame: str, is_indented: bool, shift: int) -> Parsed | None:
    body: Sequence[cst.CSTNode] = module.body
    if is_indented and frame != "case":
        outer = body[0]
        if len(body) != 1 or not isinstance(outer, cst.If) or not isinstance(outer.body, cst.IndentedBlock):
            return None
        body = outer.body.body
    if frame in ("", "try", "match"):
        return Parsed(source, module, body, False, shift)
    holder = body[0]
    clause: cst.CSTNode | None = None
    if len(body) == 1:
        if isinstance(holder, cst.If):
            clause = holder.orelse
        elif isinstance(holder, (cst.Try, cst.TryStar)):
            clause = holder.handlers[0] if holder.handlers else holder.finalbody
        elif isinstance(holder, cst.Match) and len(holder.cases) == 1:
            clause = holder.cases[0]
    return Parsed(source, module, (clause,), True, shift) if clause is not None else None


def is_too_deep(text: str) -> bool:
    """Would the parser need a deep stack: many nested brackets, or one very long chain of operators?"""
    if sum(map(text.count, _CHAINING)) + sum(map(text.count, _CHAINING_WORDS)) < _MAX_BRACKETS:
        return False
    # operators since the last comma, one count for every open bracket
    counts = [0]
    total = 0
    for token in _TOKEN.finditer(text):
        string, comment, opening, closing, separator, _ = token.groups()
        if comment:
            continue
        if opening:
            counts.append(0)
        elif separator:
            if separator != "\n" or len(counts) == 1:
                total -= counts[-1]
                counts[-1] = 0
        else:
            if closing and len(counts) > 1:
                total -= counts.pop()
            counts[-1] += 1
            total += 1
        if len(counts) > _MAX_BRACKETS or total > _MAX_CHAIN:
            return True
        if string and text[max(0, token.start() - 1) : token.start()].lower() in ("f", "t", "r"):
            if _has_deep_field(string):
                return True
    return False


def _has_deep_field(string: str) -> bool:
    return "{" in string and sum(map(string.count, "([{-~+*")) > _MAX_CHAIN


def readings(text: str) -> Iterator[Parsed]:
    """The ways in which the text of a unit, a chunk or the header of a clause, parses: most likely first."""
    head = _HEAD.match(text)
    keyword = head.group(2) if head is not None else ""
    frames = ("", keyword) if keyword in _FRAMES and keyword else ("",)
    for is_hollow in (False, True):
        for frame in frames:
            parsed = parse(text, frame, is_hollow)
            if isinstance(parsed, Parsed):
                yield parsed
