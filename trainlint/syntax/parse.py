"""Parses the text of one unit with libcst and lowers it; the tree does not outlive the call."""

from __future__ import annotations

import libcst as cst
from libcst import native  # type: ignore[attr-defined]  # a compiled module without stubs

from trainlint.syntax import ir
from trainlint.syntax.lower import Lowering
from trainlint.text.skeleton import scan

WRAPPER = "if 1:\n"


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


def parse_module(text: str, indented: bool) -> cst.Module | None:
    source = f"{WRAPPER}{text}\n" if indented else f"{text}\n"
    try:
        return native.parse_module(source)  # type: ignore[no-any-return]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:
        # ParserSyntaxError, RecursionError, and the panics of the native parser, which are no Exceptions
        return None
