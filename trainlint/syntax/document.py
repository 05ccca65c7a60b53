"""A document: text → skeleton → chunks → IR, kept up to date over edits. Parsing never fails.

Units whose text did not change keep their IR objects, so that what is known about them stays known.
"""

from __future__ import annotations

import keyword
import re
from functools import cached_property

from trainlint.syntax import ir
from trainlint.syntax.chunks import MAX_LINES, Statement, extent, is_atomic, nest
from trainlint.syntax.parse import parse_unit
from trainlint.text.lines import LineIndex
from trainlint.text.place import Comment
from trainlint.text.skeleton import LogicalLine, Skeleton, comments, scan

_WORD = re.compile(r"[^\W\d]\w*")
_NEWLINE = re.compile(r"\r\n|\r|\n")
MAX_NESTING = 60
_KEYWORDS = frozenset(keyword.kwlist)


class Document:
    """The text of one file and its IR. `broken` lists the 1-based line ranges of statements that do not parse."""

    def __init__(self, text: str) -> None:
        self._skeleton = Skeleton(text)
        self._pool: dict[str, list[ir.Unit]] = {}
        self._used: dict[str, list[ir.Unit]] = {}
        self._failed: dict[str, bool] = {}
        self.broken: list[tuple[int, int]] = []
        self.module = ir.Module([])
        self.units: list[ir.Unit] = []
        self._update()

    @property
    def text(self) -> str:
        return self._skeleton.text

    def edit(self, start: int, end: int, new: str) -> None:
        """Replace the code points `start:end` of the text by `new`."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        self._skeleton.edit(start, end, new)
        for name in ("comments", "line_index"):
            self.__dict__.pop(name, None)
        self._update()

    @cached_property
    def comments(self) -> list[Comment]:
        return comments(self.text)

    @cached_property
    def line_index(self) -> LineIndex:
        return LineIndex(self.text)

    def source_line(self, line: int) -> str:
        """The text of a 1-based line, without its line end."""
        return self.line_index.line(line)

    def _update(self) -> None:
        self._used = {}
        self.broken = []
        self.units = []
        lines = self._skeleton.lines
        self.module = ir.Module(self._block(lines, nest(lines), self.text, 0, 0))
        self._pool, self._used = self._used, {}
        if len(self._failed) > 2000:
            self._failed.clear()

    # building

    def _block(
        self, lines: list[LogicalLine], statements: list[Statement], text: str, shift: int, depth: int
    ) -> list[ir.Stmt]:
        """The IR of the statements of one block. `shift` is added to the lines of `lines` to get lines of the file."""
        result: list[ir.Stmt] = []
        first = last = -1
        for statement in statements:
            small = extent(lines, statement.first, statement.last) < MAX_LINES
            if first >= 0 and (not small or extent(lines, first, statement.last) > MAX_LINES):
                self._chunk(lines, first, last, text, shift, result, depth)
                first = -1
            if small or is_atomic(lines, statement) or depth > MAX_NESTING:
                first = statement.first if first < 0 else first
                last = statement.last
                continue
            self._hollow(lines, statement, text, shift, result, depth)
        if first >= 0:
            self._chunk(lines, first, last, text, shift, result, depth)
        return result

    def _chunk(
        self,
        lines: list[LogicalLine],
        first: int,
        last: int,
        text: str,
        shift: int,
        into: list[ir.Stmt],
        depth: int,
    ) -> None:
        piece = text[lines[first].start : lines[last].stop]
        unit = self._unit(piece, lines[first].indent > 0, lines[first].line + shift)
        if unit is not None:
            into.extend(unit.statements)
            return
        self._rescue(piece, lines[first].line + shift, into, depth + 1)

    def _unit(self, piece: str, indented: bool, line: int, offsets: list[int] | None = None) -> ir.Unit | None:
        """A parsed unit of this text: the one of the last version where there is one. None where it does not parse."""
        waiting = self._pool.get(piece)
        if waiting:
            unit = waiting.pop(0)
        else:
            if piece in self._failed:
                return None
            parsed = parse_unit(piece, indented)
            if parsed is None:
                self._failed[piece] = True
                return None
            unit = parsed
        unit.line = line
        unit.offsets = offsets
        self._used.setdefault(piece, []).append(unit)
        self.units.append(unit)
        return unit

    def _hollow(
        self, lines: list[LogicalLine], statement: Statement, text: str, shift: int, into: list[ir.Stmt], depth: int
    ) -> None:
        """A large compound: its headers with `pass` for bodies are one unit, the bodies are blocks of their own."""
        base = lines[statement.first].line
        parts: list[str] = []
        offsets: list[int] = []
        for clause in statement.clauses:
            head = text[lines[clause.first].start : lines[clause.header].stop]
            parts.append(head)
            start = lines[clause.first].line - base
            offsets += range(start, start + len(_NEWLINE.findall(head)) + 1)
            if clause.body:
                body_line = lines[clause.body[0].first]
                white = text[body_line.start : body_line.start + len(_leading(text, body_line))]
                parts.append(f"{white}pass")
                offsets.append(body_line.line - base)
        hollow = "\n".join(parts)
        unit = self._unit(hollow, lines[statement.first].indent > 0, base + shift, offsets)
        blocks = bodies(unit.statements[0], [lines[c.header].keyword for c in statement.clauses]) if unit else None
        if unit is None or blocks is None or len(blocks) != len(statement.clauses):
            self._headless(lines, statement, text, shift, into, depth)
            return
        for clause, block in zip(statement.clauses, blocks, strict=True):
            if clause.body:
                block[:] = self._block(lines, clause.body, text, shift, depth + 1)
        into.extend(unit.statements)

    def _headless(
        self, lines: list[LogicalLine], statement: Statement, text: str, shift: int, into: list[ir.Stmt], depth: int
    ) -> None:
        """A compound whose header does not parse: its bodies stay, in place of it."""
        for clause in statement.clauses:
            head = lines[clause.header]
            self._broken(text[lines[clause.first].start : head.stop], lines[clause.first].line + shift, into)
            into.extend(self._block(lines, clause.body, text, shift, depth + 1))

    def _rescue(self, piece: str, line: int, into: list[ir.Stmt], depth: int) -> None:
        """A piece that does not parse: each statement alone, then the bodies of a broken compound, then what follows
        the first physical line of a broken statement."""
        if depth > MAX_NESTING:
            self._broken(piece, line, into)
            return
        lines, _ = scan(piece)
        shift = line - 1
        statements = nest(lines)
        if len(statements) > 1:
            for statement in statements:
                self._chunk(lines, statement.first, statement.last, piece, shift, into, depth)
            return
        for statement in statements:
            if statement.last > statement.first:
                self._hollow_or_headless(lines, statement, piece, shift, into, depth)
                continue
            only = lines[statement.first]
            source = piece[only.start : only.stop]
            head, _, rest = source.partition("\n")
            self._broken(head, only.line + shift, into)
            if rest.strip():
                self._fragment(rest, only.line + shift + 1, into, depth + 1)

    def _fragment(self, piece: str, line: int, into: list[ir.Stmt], depth: int) -> None:
        """What follows a broken physical line: its statements are tried one by one."""
        lines, _ = scan(piece)
        for statement in nest(lines):
            if depth > MAX_NESTING:
                self._broken(piece, line, into)
                return
            self._chunk(lines, statement.first, statement.last, piece, line - 1, into, depth)

    def _hollow_or_headless(
        self, lines: list[LogicalLine], statement: Statement, text: str, shift: int, into: list[ir.Stmt], depth: int
    ) -> None:
        if any(clause.body for clause in statement.clauses) and not is_atomic(lines, statement):
            self._hollow(lines, statement, text, shift, into, depth)
        else:
            self._headless(lines, statement, text, shift, into, depth)

    def _broken(self, piece: str, line: int, into: list[ir.Stmt]) -> None:
        count = len(_NEWLINE.findall(piece))
        unit = ir.Unit(piece, line)
        names = tuple(dict.fromkeys(word for word in _WORD.findall(piece) if word not in _KEYWORDS))
        stmt = ir.Broken(names)
        stmt.unit, stmt.index, stmt.line, stmt.end = unit, 0, 0, count
        unit.statements = [stmt]
        self.units.append(unit)
        into.append(stmt)
        self.broken.append((line, line + count))


def _leading(text: str, line: LogicalLine) -> str:
    stop = line.start
    while stop < line.stop and text[stop] in " \t\f":
        stop += 1
    return text[line.start : stop]


def bodies(stmt: ir.Stmt, keywords: list[str | None]) -> list[list[ir.Stmt]] | None:
    """The body lists of a hollowed compound, in the order of its clauses; None where they do not fit."""
    if isinstance(stmt, ir.If):
        result = [stmt.body]
        current = stmt
        for keyword in keywords[1:]:
            if keyword == "elif" and current.orelse and isinstance(current.orelse[0], ir.If):
                current = current.orelse[0]
                result.append(current.body)
            else:
                result.append(current.orelse)
        return result
    if isinstance(stmt, (ir.For, ir.While)):
        return [stmt.body, stmt.orelse][: len(keywords)]
    if isinstance(stmt, ir.Try):
        handlers = iter(stmt.handlers)
        result = [stmt.body]
        for keyword in keywords[1:]:
            if keyword == "except":
                handler = next(handlers, None)
                if handler is None:
                    return None
                result.append(handler.body)
            else:
                result.append(stmt.orelse if keyword == "else" else stmt.final)
        return result
    if isinstance(stmt, (ir.With, ir.FunctionDef, ir.ClassDef)):
        return [stmt.body] if len(keywords) == 1 else None
    return None
