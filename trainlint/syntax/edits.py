"""Text edits for fixes, as (span, new text). None where an edit would not be safe to make."""

from __future__ import annotations

from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.text.place import Span


def replace(node: ir.Expr | ir.Stmt, text: str) -> tuple[Span, str]:
    return span(node), text


def wrap(node: ir.Expr | ir.Stmt, before: str, after: str) -> list[tuple[Span, str]]:
    """Insert text on both sides of a node."""
    where = span(node)
    start = Span(where.line, where.column, where.line, where.column)
    end = Span(where.end_line, where.end_column, where.end_line, where.end_column)
    return [(start, before), (end, after)]


def source(node: ir.Expr | ir.Stmt) -> str:
    """The source text of a node, as written."""
    stmt = node.stmt if isinstance(node, ir.Expr) else node
    unit = stmt.unit
    where = span(node)
    lines = unit.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((i for i in range(len(lines)) if unit.file_line(i) == where.line), None)
    if first is None:
        return ""
    last = first + (where.end_line - where.line)
    if first == last:
        return lines[first][where.column - 1 : where.end_column - 1]
    middle = lines[first + 1 : last]
    return "\n".join([lines[first][where.column - 1 :], *middle, lines[last][: where.end_column - 1]])


def shares_line(stmt: ir.Stmt) -> bool:
    """Does something else stand on the lines of the statement (a one-line suite, a semicolon)?"""
    lines = _lines(stmt)
    where = span(stmt)
    if lines[stmt.line][: where.column - 1].strip():
        return True
    tail = lines[stmt.end][where.end_column - 1 :].strip() if where.end_line == stmt.last_line else ""
    return bool(tail) and not tail.startswith("#") and not isinstance(stmt, (ir.For, ir.While, ir.If, ir.With))


def _lines(stmt: ir.Stmt) -> list[str]:
    return stmt.unit.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _newline(stmt: ir.Stmt) -> str:
    return "\r\n" if "\r\n" in stmt.unit.text else "\n"


def _indent(stmt: ir.Stmt) -> str:
    line = _lines(stmt)[stmt.line]
    return line[: len(line) - len(line.lstrip())]


def insert_line_before(stmt: ir.Stmt, text: str) -> tuple[Span, str] | None:
    """A line of its own before the statement, with its indentation."""
    if shares_line(stmt):
        return None
    line = stmt.first_line
    return Span(line, 1, line, 1), f"{_indent(stmt)}{text}{_newline(stmt)}"


def insert_line_after(stmt: ir.Stmt, text: str) -> tuple[Span, str] | None:
    """A line of its own after a simple statement, with its indentation."""
    if shares_line(stmt) or isinstance(stmt, (ir.For, ir.While, ir.If, ir.With, ir.Try, ir.FunctionDef, ir.ClassDef)):
        return None
    last = _lines(stmt)[stmt.end].rstrip("\r\n")
    where = Span(stmt.last_line, len(last) + 1, stmt.last_line, len(last) + 1)
    return where, f"{_newline(stmt)}{_indent(stmt)}{text}"


def insert_argument(call: ir.Call, text: str) -> tuple[Span, str] | None:
    """A new last argument before the closing parenthesis."""
    written = source(call)
    if not written.endswith(")"):
        return None
    inside = written[:-1].rstrip()
    where = span(call)
    at = Span(where.end_line, where.end_column - 1, where.end_line, where.end_column - 1)
    if "#" in inside.rpartition("\n")[2]:
        return None
    if inside.endswith("("):
        return at, text
    if inside.endswith(","):
        return at, f" {text}" if not written[:-1].endswith((" ", "\n")) else text
    if "\n" in written[len(inside) : -1]:
        # the parenthesis stands on a line of its own: the argument goes after the last one
        trimmed = inside.count("\n")
        line = where.line + trimmed
        column = len(inside.rpartition("\n")[2]) + (where.column if trimmed == 0 else 1)
        return Span(line, column, line, column), f", {text}"
    return at, f", {text}"
