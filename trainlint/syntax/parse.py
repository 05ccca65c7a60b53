"""Parses the text of one unit with libcst and lowers it; the tree does not outlive the call."""

from __future__ import annotations

import re

import libcst as cst
from libcst import native  # type: ignore[attr-defined]  # a compiled module without stubs

from trainlint.syntax import ir
from trainlint.syntax.lower import Lowering
from trainlint.text.skeleton import scan

WRAPPER = "if 1:\n"
MAX_DEPTH = 100
MAX_OPERATORS = 500
_OPERATORS = re.compile(r"[-+*/%@&|^~.]|\bnot\b|\band\b|\bor\b|\bif\b|\blambda\b")


def parse_unit(text: str, indented: bool) -> ir.Unit | None:
    """The unit of a piece of text, None where it does not parse. Its `line` is for the caller to set."""
    unit = ir.Unit(text, 1)
    body = parse_body(text, indented)
    if body is None:
        return None
    lines = [(ll.line - 1, ll.end - 1) for ll in scan(text)[0]]
    try:
        unit.statements = Lowering(unit, lines).module(body)
    except RecursionError:
        return None
    return unit


def parse_body(text: str, indented: bool) -> list[cst.CSTNode] | None:
    """The libcst statements of a piece of text; an indented piece is parsed inside `if 1:`."""
    module = parse_module(text, indented)
    if module is None:
        return None
    if not indented:
        return list(module.body)
    outer = module.body[0]
    if len(module.body) != 1 or not isinstance(outer, cst.If) or not isinstance(outer.body, cst.IndentedBlock):
        return None
    return list(outer.body.body)


def too_deep(text: str) -> bool:
    """Do brackets or operators nest beyond what the native parser's stack bears? CPython stops at 200 brackets."""
    if text.count("(") + text.count("[") + text.count("{") > MAX_DEPTH:
        depth = deepest = 0
        for char in text:
            if char in "([{":
                depth += 1
                deepest = max(deepest, depth)
            elif char in ")]}":
                depth -= 1
        if deepest > MAX_DEPTH:
            return True
    return max((len(_OPERATORS.findall(line)) for line in text.split("\n") if len(line) > MAX_OPERATORS), default=0) > (
        MAX_OPERATORS
    )


def parse_module(text: str, indented: bool) -> cst.Module | None:
    if too_deep(text):
        return None
    source = f"{WRAPPER}{text}\n" if indented else f"{text}\n"
    try:
        return native.parse_module(source)  # type: ignore[no-any-return]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:
        # ParserSyntaxError, RecursionError, and the panics of the native parser, which are no Exceptions
        return None
