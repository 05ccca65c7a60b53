"""Exact columns, on demand: the unit is parsed again and its code generated with the position recorded at each node.

The only file that leans on libcst's private code generation; a test compares it with libcst's own positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import libcst as cst
from libcst._nodes.internal import CodegenState

from trainlint.syntax import ir
from trainlint.syntax.lower import Lowering
from trainlint.syntax.parse import WRAPPER, parse_module
from trainlint.text.place import Span
from trainlint.text.skeleton import scan


@dataclass(frozen=False)
class _Recorder(CodegenState):
    """Follows line (1-based) and column (0-based) of the generated code and keeps them per node."""

    line: int = 1
    column: int = 0
    found: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)

    def add_indent_tokens(self) -> None:
        for token in self.indent_tokens:
            self.add_token(token)

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        breaks = value.count("\n")
        if breaks or "\r" in value:
            normal = value.replace("\r\n", "\n").replace("\r", "\n")
            self.line += normal.count("\n")
            self.column = len(normal) - normal.rfind("\n") - 1
        else:
            self.column += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.starts.append((self.line, self.column))

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


def span(node: ir.Expr | ir.Stmt) -> Span:
    """The exact place of a node: of a compound statement, its header."""
    stmt = node.stmt if isinstance(node, ir.Expr) else node
    unit = stmt.unit
    if unit.spans is None:
        unit.spans = _record(unit)
    found = unit.spans.get((stmt.index, node.ord if isinstance(node, ir.Expr) else -1))
    if found is None:
        return _whole_lines(stmt)
    line, column, end_line, end_column = found
    if isinstance(node, ir.Stmt) and end_line - 1 > stmt.end:
        # a compound: only its header
        end_line, end_column = stmt.end + 1, len(_line(unit, stmt.end).rstrip()) + 1
    return Span(unit.file_line(line - 1), column, unit.file_line(end_line - 1), end_column)


def _line(unit: ir.Unit, offset: int) -> str:
    lines = unit.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[offset] if offset < len(lines) else ""


def _whole_lines(stmt: ir.Stmt) -> Span:
    first, last = _line(stmt.unit, stmt.line), _line(stmt.unit, stmt.end)
    column = len(first) - len(first.lstrip()) + 1
    return Span(stmt.first_line, column, stmt.last_line, max(column, len(last.rstrip()) + 1))


def _record(unit: ir.Unit) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    """(statement index, ordinal) → 1-based line in the unit's text, 1-based column, end line, end column."""
    lines = scan(unit.text)[0]
    indented = bool(lines) and lines[0].indent > 0
    module = parse_module(unit.text, indented)
    if module is None:
        return {}
    body: list[cst.CSTNode] = list(module.body)
    if indented:
        outer = body[0]
        if not isinstance(outer, cst.If) or not isinstance(outer.body, cst.IndentedBlock):
            return {}
        body = list(outer.body.body)
    nodes: list[tuple[cst.CSTNode, int, int]] = []
    scratch = ir.Unit(unit.text, 1)
    Lowering(scratch, [(ll.line - 1, ll.end - 1) for ll in lines], nodes).module(body)
    recorder = _Recorder(default_indent=module.default_indent, default_newline=module.default_newline)
    module._codegen(recorder)
    shift = WRAPPER.count("\n") if indented else 0
    result = {}
    for node, index, ordinal in nodes:
        found = recorder.found.get(id(node))
        if found is not None:
            line, column, end_line, end_column = found
            result[index, ordinal] = (line - shift, column + 1, end_line - shift, end_column + 1)
    return result
