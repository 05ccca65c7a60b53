"""Prints an IR module: kinds, fields, lines and ordinals, but nothing of how the text was cut into units."""

from __future__ import annotations

from trainlint.syntax import ir
from trainlint.syntax.lower import Lowering
from trainlint.syntax.parse import Parsed, parse
from trainlint.text.skeleton import Skeleton

_HIDDEN_OF_STATEMENTS = {"unit", "index", "line", "end"}
_HIDDEN_OF_EXPRESSIONS = {"stmt", "ord"}
_PLACED = (ir.CompFor, ir.Param, ir.Handler, ir.Case)


def dump(module: ir.Module) -> str:
    """One line for each statement, clause and expression, indented by nesting."""
    lines: list[str] = []
    for stmt in module.body:
        _add(stmt, 0, lines)
    return "\n".join(lines)


def _add(value: object, depth: int, lines: list[str], label: str = "") -> None:
    pad = "  " * depth
    if isinstance(value, (list, tuple)):
        lines.append(f"{pad}{label}{type(value).__name__} of {len(value)}")
        for each in value:
            _add(each, depth + 1, lines)
    elif isinstance(value, (ir.Stmt, ir.Expr, *_PLACED)):
        lines.append(f"{pad}{label}{type(value).__name__}{_place(value)}")
        for name in _fields(value):
            _add(getattr(value, name), depth + 1, lines, f"{name}=")
    else:
        lines.append(f"{pad}{label}{value!r}")


def _place(value: object) -> str:
    if isinstance(value, ir.Stmt):
        return f" @{value.first_line}-{value.last_line}"
    if isinstance(value, ir.Expr):
        return f" @{value.stmt.first_line} #{value.ord}"
    return ""


def _fields(value: object) -> list[str]:
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    return sorted(set(names) - (_HIDDEN_OF_STATEMENTS if isinstance(value, ir.Stmt) else _HIDDEN_OF_EXPRESSIONS))


def whole(text: str) -> ir.Module | None:
    """The IR of a text lowered in one piece, without chunks; None where it does not parse."""
    parsed = parse(text)
    if not isinstance(parsed, Parsed):
        return None
    lines = [(line.line - 1, line.end - 1) for line in Skeleton(text).lines]
    return ir.Module(Lowering(ir.Unit(text, 1), lines).statements(parsed.nodes))
