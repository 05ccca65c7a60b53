"""Text edits for fixes, as (span, new text). None where an edit would not be safe to make."""

from __future__ import annotations

from trainlint.syntax import ir
from trainlint.syntax.columns import argument_list_end, span
from trainlint.text.place import Span

_COMPOUND = (ir.For, ir.While, ir.If, ir.With, ir.Try, ir.Match, ir.FunctionDef, ir.ClassDef)


def replace(node: ir.Expr | ir.Stmt, text: str) -> tuple[Span, str]:
    return span(node), text


def wrap(node: ir.Expr | ir.Stmt, before: str, after: str) -> list[tuple[Span, str]]:
    """Insert text on both sides of a node."""
    where = span(node)
    return [(_point(where.line, where.column), before), (_point(where.end_line, where.end_column), after)]


def source(node: ir.Expr | ir.Stmt) -> str:
    """The source text of a node, as written but for line ends, which are `\\n`."""
    unit = (node.stmt if isinstance(node, ir.Expr) else node).unit
    where = span(node)
    lines = unit.source_lines()[where.line - unit.line : where.end_line - unit.line + 1]
    if not lines:
        return ""
    lines[-1] = lines[-1][: where.end_column - 1]
    lines[0] = lines[0][where.column - 1 :]
    return "\n".join(lines)


def shares_line(stmt: ir.Stmt) -> bool:
    """Does something else stand on the lines of the statement (a one-line suite, a semicolon)?"""
    where = span(stmt)
    if _line(stmt, stmt.line)[: where.column - 1].strip("\ufeff \t\f"):
        return True
    tail = _line(stmt, stmt.end)[where.end_column - 1 :].strip() if where.end_line == stmt.last_line else ""
    return bool(tail) and not tail.startswith("#")


def insert_line_before(stmt: ir.Stmt, text: str) -> tuple[Span, str] | None:
    """A line of its own before the statement and its decorators, with its indentation.

    None before an `elif` or a statement that shares its line, and in a text that continues the line before.
    """
    if shares_line(stmt) and not _starts_line(stmt):
        return None
    line = stmt.first_line
    if isinstance(stmt, (ir.FunctionDef, ir.ClassDef)) and stmt.decorators:
        line = min(span(each).line for each in stmt.decorators)
    if isinstance(stmt, ir.If) and source(stmt).startswith("elif"):
        return None
    return _point(line, 1), f"{_indent(stmt)}{text}{_newline(stmt)}"


def insert_line_after(stmt: ir.Stmt, text: str) -> tuple[Span, str] | None:
    """A line of its own after a simple statement, with its indentation."""
    if shares_line(stmt) or isinstance(stmt, _COMPOUND):
        return None
    return _point(stmt.last_line, len(_line(stmt, stmt.end)) + 1), f"{_newline(stmt)}{_indent(stmt)}{text}"


def insert_argument(call: ir.Call, text: str) -> tuple[Span, str] | None:
    """A new last argument: after the last one, before a trailing comma if there is one."""
    end = argument_list_end(call)
    if end is None:
        return None
    if end.last is None:
        return _point(end.line, end.column), text
    first = call.args[0] if call.args else None
    if isinstance(first, ir.Comp) and first.kind == "generator" and end.last == span(first):
        return None  # `f(x for x in y)`: the generator would need parentheses of its own
    return _point(end.last.end_line, end.last.end_column), f", {text}"


def delete_last_argument(call: ir.Call) -> tuple[Span, str] | None:
    """Without the last positional argument. None where it is the only one, or where a comment stands before it."""
    if len(call.args) < 2 or call.keywords:
        return None
    before, last = span(call.args[-2]), span(call.args[-1])
    lines = call.stmt.unit.source_lines()[before.end_line - call.stmt.unit.line : last.line - call.stmt.unit.line + 1]
    if any("#" in line for line in (lines if before.end_line < last.line else ())):
        return None
    return Span(before.end_line, before.end_column, last.end_line, last.end_column), ""


def delete_statement(stmt: ir.Stmt) -> tuple[Span, str] | None:
    """Without the lines of a simple statement. None where something else stands on them.

    The caller makes sure that the statement is not the only one of its block.
    """
    if shares_line(stmt) or isinstance(stmt, _COMPOUND):
        return None
    return Span(stmt.first_line, 1, stmt.last_line + 1, 1), ""


def _starts_line(stmt: ir.Stmt) -> bool:
    """Is nothing but white space before a compound statement (its one-line suite may follow)?"""
    return isinstance(stmt, _COMPOUND) and not _line(stmt, stmt.line)[: span(stmt).column - 1].strip("\ufeff \t\f")


def _point(line: int, column: int) -> Span:
    return Span(line, column, line, column)


def _line(stmt: ir.Stmt, offset: int) -> str:
    lines = stmt.unit.source_lines()
    return lines[min(offset, len(lines) - 1)]


def _newline(stmt: ir.Stmt) -> str:
    return "\r\n" if "\r\n" in stmt.unit.text else "\n"


def _indent(stmt: ir.Stmt) -> str:
    line = _line(stmt, stmt.line)
    return line[: len(line) - len(line.lstrip(" \t\f"))]
