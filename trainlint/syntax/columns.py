"""Exact columns, on demand: the unit is parsed again and its code generated, recording where each node falls.

The only file that leans on libcst's private code generation; a test compares it with libcst's own positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import libcst as cst
from libcst._nodes.internal import CodegenState

from trainlint.syntax import ir
from trainlint.syntax.lower import Lowering
from trainlint.syntax.parse import Parsed, readings
from trainlint.text.place import Span

_Place = tuple[int, int, int, int]


@dataclass(frozen=False)
class _Recorder(CodegenState):
    """Follows line (1-based) and column (0-based) of the generated code and keeps them per node."""

    line: int = 1
    column: int = 0
    found: dict[int, _Place] = field(default_factory=dict)
    # where the body of a compound statement starts: right after the colon of its header
    bodies: dict[int, tuple[int, int]] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)

    def add_indent_tokens(self) -> None:
        for token in self.indent_tokens:
            self.add_token(token)

    def add_token(self, value: str) -> None:
        breaks = value.count("\n")
        if breaks:
            self.line += breaks
            self.column = len(value) - value.rfind("\n") - 1
        else:
            self.column += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.starts.append((self.line, self.column))
        if isinstance(node, cst.BaseSuite):
            self.bodies[id(node)] = (self.line, self.column)

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self.starts.pop()
        if id(node) not in self.found:
            self.found[id(node)] = (*start, self.line, self.column)

    @contextmanager
    def record_syntactic_position(
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> Iterator[None]:
        start = (self.line, self.column)
        try:
            yield
        finally:
            end = (self.line, self.column)
            if start_node is not None and id(start_node) in self.found:
                start = self.found[id(start_node)][:2]
            if end_node is not None and id(end_node) in self.found:
                end = self.found[id(end_node)][2:]
            self.found[id(node)] = (*start, *end)


class ArgumentList(NamedTuple):
    """Where an argument list ends.

    `line` and `column` (1-based) are just before the closing parenthesis; `last` is the span of the last argument.
    """

    line: int
    column: int
    has_trailing_comma: bool
    last: Span | None


def span(node: ir.Expr | ir.Stmt) -> Span:
    """The exact place of a node, without parentheses around it.

    Of a compound statement it is the header up to its colon.  What does not parse by itself (a broken statement) has
    its lines for a place, without the white space around them.
    """
    if isinstance(node, ir.Expr):
        stmt, ordinal = node.stmt, node.ord
    else:
        stmt, ordinal = node, -1
    return _placed(stmt, (stmt.index, ordinal)) or _whole_lines(stmt)


def keyword_span(call: ir.Call, index: int) -> Span:
    """The place of the whole argument `name=value` (or `**value`) that is `call.keywords[index]`."""
    value = call.keywords[index][1]
    return _placed(call.stmt, _argument_key(call.stmt, value)) or span(value)


def argument_list_end(call: ir.Call) -> ArgumentList | None:
    """Where the argument list of a call ends, None where it is not known."""
    end = _placed(call.stmt, _closing_key(call.stmt, call))
    if end is None:
        return None
    values = [*call.args, *(value for _, value in call.keywords)]
    places = [_placed(call.stmt, _argument_key(call.stmt, value)) for value in values]
    last = max((place for place in places if place is not None), default=None)
    return ArgumentList(end.line, end.column, (end.end_line, end.end_column) != (end.line, end.column), last)


def _argument_key(stmt: ir.Stmt, value: ir.Expr) -> tuple[int, int]:
    return -1 - stmt.index, value.ord


def _closing_key(stmt: ir.Stmt, call: ir.Call) -> tuple[int, int]:
    return -1 - stmt.index, -2 - call.ord


def _placed(stmt: ir.Stmt, key: tuple[int, int]) -> Span | None:
    unit = stmt.unit
    if unit.spans is None:
        unit.spans = _record(unit)
    found = unit.spans.get(key)
    if found is None:
        return None
    line, column, end_line, end_column = found
    return Span(unit.file_line(line - 1), column, unit.file_line(end_line - 1), end_column)


def _whole_lines(stmt: ir.Stmt) -> Span:
    lines = stmt.unit.source_lines()
    first, last = lines[min(stmt.line, len(lines) - 1)], lines[min(stmt.end, len(lines) - 1)]
    column = len(first) - len(first.lstrip()) + 1
    return Span(stmt.first_line, column, stmt.last_line, max(column, len(last.rstrip()) + 1))


def _record(unit: ir.Unit) -> dict[tuple[int, int], _Place]:
    """(statement index, ordinal) → 1-based line in the unit's text, 1-based column, end line, end column.

    Arguments and ends of argument lists have keys of their own, see `_argument_key` and `_closing_key`.
    """
    for parsed in readings(unit.text):
        nodes: dict[tuple[int, int], cst.CSTNode] = {}
        lowering = Lowering(ir.Unit(unit.text, 1), (), nodes)
        try:
            if parsed.is_clause:
                lowering.clause(parsed.nodes[0])
            else:
                lowering.statements(parsed.nodes)
        except RecursionError:
            continue
        return _places(unit, parsed, nodes)
    return {}


def _header_end(node: cst.CSTNode, place: _Place, recorder: _Recorder, parsed: Parsed) -> tuple[int, int]:
    """The end of a statement, or past the colon of a compound one's header."""
    if isinstance(node, cst.Match):
        line, column = recorder.found.get(id(node.subject), place)[2:]
        colon = parsed.source.split("\n")[line - 1].find(":", column)
        return (line, colon + 1) if colon >= 0 else (line, column)
    return recorder.bodies.get(id(getattr(node, "body", None)), place[2:])


def _places(unit: ir.Unit, parsed: Parsed, nodes: dict[tuple[int, int], cst.CSTNode]) -> dict[tuple[int, int], _Place]:
    recorder = _Recorder(default_indent=parsed.module.default_indent, default_newline=parsed.module.default_newline)
    parsed.module._codegen(recorder)
    mark = 1 if unit.text.startswith("\ufeff") else 0
    ordinals = {(index, id(node)): ordinal for (index, ordinal), node in nodes.items()}
    result: dict[tuple[int, int], _Place] = {}

    def put(key: tuple[int, int], place: _Place) -> None:
        line, column, end_line, end_column = place
        line, end_line = line - parsed.shift, end_line - parsed.shift
        column += mark if line == 1 else 0
        end_column += mark if end_line == 1 else 0
        result[key] = (line, column + 1, end_line, end_column + 1)

    for (index, ordinal), node in nodes.items():
        place = recorder.found.get(id(node))
        if place is None:
            continue
        if ordinal == -1:
            put((index, ordinal), (*place[:2], *_header_end(node, place, recorder, parsed)))
            continue
        put((index, ordinal), place)
        if isinstance(node, cst.Call):
            for argument in node.args:
                value = ordinals.get((index, id(argument if argument.star == "*" else argument.value)))
                where = recorder.found.get(id(argument))
                if value is not None and where is not None:
                    put((-1 - index, value), where)
            end_line, end_column = place[2], place[3] - 1
            comma = bool(node.args) and isinstance(node.args[-1].comma, cst.Comma)
            put((-1 - index, -2 - ordinal), (end_line, end_column, end_line, end_column + comma))
    return result
