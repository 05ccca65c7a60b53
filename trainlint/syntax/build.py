"""Builds the pieces of a document from its logical lines, and saves what can be saved of code that does not parse.

The ladder for a chunk that does not parse: its statements apart; then of a compound its header and its bodies apart
(a `def` or `class` keeps its name, another header leaves its body in its place); then of a simple statement its first
physical line and what follows at its indent.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from trainlint.syntax import ir
from trainlint.syntax.chunks import COMPOUND, MAX_LINES, Statement, extent, groups, is_atomic, nest
from trainlint.syntax.lower import Lowering
from trainlint.syntax.parse import Failure, parse
from trainlint.syntax.pieces import Assembly, Block, Chunk, Clause, Compound, Part, fill
from trainlint.text.skeleton import LogicalLine, indentation, scan

_WORD = re.compile(r"[^\W\d]\w*")
_KEYWORDS = frozenset(keyword.kwlist)
_DEFINITION = re.compile(r"[ \t\f]*(?:(async)[ \t]+)?(def|class)[ \t]+([^\W\d]\w*)[ \t]*(\(?)(.*)", re.S)
_PARAMETER = re.compile(r"\s*(\*{0,2})\s*([^\W\d]\w*)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_WHITE = re.compile(r"[\ufeff \t\f]*")
_MAX_SALVAGE = 40
_MAX_RETIRED = 256


class UnitPool:
    """Units that left the document, by text: when the text comes back, so do its IR objects. Bounded."""

    def __init__(self) -> None:
        self._units: dict[str, list[ir.Unit]] = {}

    def put(self, unit: ir.Unit) -> None:
        self._units.setdefault(unit.text, []).append(unit)
        if len(self._units) > _MAX_RETIRED:
            del self._units[next(iter(self._units))]

    def take(self, text: str) -> ir.Unit | None:
        units = self._units.get(text)
        unit = None
        while units and unit is None:
            unit = units.pop()
            # its statements may have moved on to another unit
            if any(stmt.unit is not unit for stmt in unit.statements):
                unit = None
        if units == []:
            del self._units[text]
        return unit


class Builder:
    """Builds pieces for the logical lines `lines` of `text`. `salvages` counts how often broken code was cut."""

    def __init__(self, text: str, lines: list[LogicalLine], pool: UnitPool, salvages: int = 0) -> None:
        self.text = text
        self.lines = lines
        self.pool = pool
        self._salvages = salvages

    def block(self, statements: list[Statement]) -> Block:
        indent = min((self.lines[each.first].indent for each in statements), default=0)
        return Block(indent, self.pieces(statements))

    def pieces(self, statements: Iterable[Statement]) -> list[Chunk | Compound]:
        result: list[Chunk | Compound] = []
        for group in groups(self.lines, statements):
            if len(group) == 1 and not is_atomic(group[0]) and self._is_large(group[0]):
                result.append(self._compound(group[0]))
            else:
                result += self._group(group)
        return result

    def _is_large(self, statement: Statement) -> bool:
        return extent(self.lines, statement.first, statement.last) > MAX_LINES

    def _source(self, first: int, last: int) -> str:
        return self.text[self.lines[first].start : self.lines[last].stop]

    def _offsets(self, first: int, last: int) -> list[tuple[int, int]]:
        base = self.lines[first].line
        return [(line.line - base, line.end - base) for line in self.lines[first : last + 1]]

    # chunks

    def _group(self, group: list[Statement]) -> list[Chunk | Compound]:
        """One chunk if it parses; else the statement at the error by itself and the groups before and after it."""
        first, last = group[0].first, group[-1].last
        made = self._unit(first, last)
        if isinstance(made, ir.Unit):
            chunk = Chunk(last - first + 1)
            chunk.units.append((made, 0))
            chunk.statements = made.statements
            return [chunk]
        if len(group) == 1:
            return self._recover(group[0])
        line = self.lines[first].line + made.line
        at = max(0, sum(self.lines[each.first].line <= line for each in group) - 1)
        result: list[Chunk | Compound] = []
        for part in (group[:at], group[at : at + 1], group[at + 1 :]):
            if part:
                result += self._group(part)
        return result

    def _unit(self, first: int, last: int) -> ir.Unit | Failure:
        text = self._source(first, last)
        unit = self.pool.take(text)
        if unit is None:
            unit = ir.Unit(text, 1)
            parsed = parse(text)
            if isinstance(parsed, Failure):
                return parsed
            lowering = Lowering(unit, self._offsets(first, last))
            try:
                unit.statements = lowering.statements(parsed.nodes)
            except RecursionError:
                return Failure(0)
            if not lowering.is_in_step:
                return Failure(0)
        unit.line = self.lines[first].line
        return unit

    # recovery

    def _recover(self, statement: Statement) -> list[Chunk | Compound]:
        header = self.lines[statement.clauses[0].header]
        if header.keyword in COMPOUND and (not is_atomic(statement) or self._is_header(statement)):
            return [self._compound(statement)]
        return [self._salvage(statement)]

    def _is_header(self, statement: Statement) -> bool:
        """Is the statement a header that only lacks its body?"""
        text = self._source(statement.first, statement.last)
        frame = "try" if self.lines[statement.clauses[0].header].keyword == "try" else ""
        return not isinstance(parse(text, frame, is_hollow=True), Failure)

    def _salvage(self, statement: Statement) -> Chunk:
        """A broken statement without a body of its own: its first physical line, then what follows at its indent."""
        line = self.lines[statement.first]
        chunk = Chunk(statement.last - statement.first + 1)
        source = self._source(statement.first, statement.last)
        rest = self._rest(source, line) if self._salvages < _MAX_SALVAGE else len(source)
        unit = self._break(source[:rest].rstrip("\r\n"), line.line, chunk, line.line)
        body: list[ir.Stmt] = []
        if rest < len(source):
            number = line.line + len(_LINE_END.findall(source, 0, rest))
            lines = scan(source, rest, number).lines
            chunk.rest = Builder(source, lines, self.pool, self._salvages + 1).block(nest(lines, 0, len(lines)))
            body = chunk.rest.statements()
            chunk.units += [(each, each.line - line.line) for each in chunk.rest.units()]
            chunk.broken += chunk.rest.broken()
        chunk.statements = [*chunk.statements, *_under(unit, body)]
        return chunk

    def _rest(self, source: str, line: LogicalLine) -> int:
        """Where in the text of a broken statement the next one may begin.

        After a simple statement lines indented further can only be its own, and so can closing brackets.
        """
        takes_deeper = line.keyword == "@" or line.keyword in COMPOUND
        position = 0
        while True:
            end = _LINE_END.search(source, position)
            if end is None:
                return len(source)
            position = end.end()
            white = _WHITE.match(source, position)
            assert white is not None
            if not source[white.end() : white.end() + 1].strip() or source[white.end()] in ")]},":
                continue
            if takes_deeper or indentation(white.group()) <= line.indent:
                return position

    def _break(self, source: str, line: int, into: Chunk | Compound, base: int) -> ir.Unit:
        unit = ir.Unit(source, line)
        unit.spans = {}
        stmt = ir.Broken(names_in(source))
        stmt.unit, stmt.index, stmt.line, stmt.end = unit, 0, 0, len(_LINE_END.findall(source))
        unit.statements = [stmt]
        into.statements = [*into.statements, stmt]
        into.broken.append(stmt)
        if isinstance(into, Chunk):
            into.units.append((unit, line - base))
        return unit

    # compounds

    def _compound(self, statement: Statement) -> Compound:
        parts: list[Part] = []
        for clause in statement.clauses:
            word = self.lines[clause.header].keyword
            count = clause.header - clause.first + 1
            if word == "match" and clause.body and self._holds_cases(clause.body):
                parts.append(Part(count, word, None))
                parts += [part for each in clause.body for part in self._compound_parts(each)]
                continue
            parts.append(Part(count, word, self.block(clause.body) if clause.body else None))
        compound = Compound(parts)
        self.assemble(compound, statement.first)
        return compound

    def _compound_parts(self, case: Statement) -> list[Part]:
        clause = case.clauses[0]
        return [Part(clause.header - clause.first + 1, "case", self.block(clause.body) if clause.body else None)]

    def _holds_cases(self, body: list[Statement]) -> bool:
        return all(len(each.clauses) == 1 and self.lines[each.first].keyword == "case" for each in body)

    def assemble(self, compound: Compound, index: int) -> None:
        """Lower the headers of a compound and put its bodies under them. Its statements become new objects."""
        compound.headers = []
        compound.made = []
        compound.statements = []
        compound.broken = []
        assembly = Assembly()
        for number, part in enumerate(compound.parts):
            last = index + part.count - 1
            body = part.block.statements() if part.block is not None else None
            if not self._header(compound, assembly, number, index, body):
                unit = self._break(self._source(index, last), self.lines[index].line, compound, 0)
                compound.headers.append(unit)
                compound.made.append(None)
                kept = _under(unit, body or []) if number == 0 else body or []
                compound.statements = [*compound.statements, *kept]
            index = last + 1 + (part.block.count if part.block is not None else 0)

    def _header(
        self, compound: Compound, assembly: Assembly, number: int, index: int, body: list[ir.Stmt] | None
    ) -> bool:
        """Lower one header and join it to the compound. False where it does not parse or cannot stand there."""
        part = compound.parts[number]
        unit = ir.Unit(self._source(index, index + part.count - 1), self.lines[index].line)
        made = self._lower_header(unit, index, part, number, body is not None)
        if made is None:
            return False
        if body is not None and not fill(made, body):
            return False
        if number == 0:
            if not isinstance(made, ir.Stmt):
                return False
            assembly.start(made)
            compound.statements = [*compound.statements, made]
        elif not assembly.join(part.keyword, made):
            return False
        compound.headers.append(unit)
        compound.made.append(made)
        return True

    def _lower_header(self, unit: ir.Unit, index: int, part: Part, number: int, has_body: bool) -> Clause | None:
        frame = part.keyword if number or part.keyword == "try" else ""
        hollows = (True,) if has_body else (False, True)
        for is_hollow in hollows:
            parsed = parse(unit.text, frame, is_hollow)
            if isinstance(parsed, Failure):
                continue
            lowering = Lowering(unit, self._offsets(index, index + part.count - 1))
            try:
                if parsed.is_clause:
                    made: Clause = lowering.clause(parsed.nodes[0])
                    return _emptied(made) if is_hollow else made
                statements = lowering.statements(parsed.nodes)
            except RecursionError:
                return None
            if len(statements) != 1:
                return None
            unit.statements = statements
            if isinstance(statements[0], ir.Try):
                statements[0].final = []
            return _emptied(statements[0]) if is_hollow else statements[0]
        if number == 0 and part.keyword == "match":
            return self._lower_match(unit, index, part)
        return None

    def _lower_match(self, unit: ir.Unit, index: int, part: Part) -> ir.Stmt | None:
        parsed = parse(unit.text, "match")
        if isinstance(parsed, Failure):
            return None
        unit.statements = Lowering(unit, self._offsets(index, index + part.count - 1)).statements(parsed.nodes)
        made = unit.statements[0]
        if isinstance(made, ir.Match):
            made.cases = ()
        return made


def _emptied(made: Clause) -> Clause:
    """A header parsed with `pass` for its body, without it."""
    if isinstance(made, list):
        return []
    fill(made, [])
    return made


def _under(unit: ir.Unit, body: list[ir.Stmt]) -> list[ir.Stmt]:
    """What stands under a broken header: a definition keeps its name and body, any other body takes its place."""
    definition = _DEFINITION.match(unit.text)
    repaired = _repaired(unit, definition) if definition is not None else None
    if repaired is None:
        return body
    fill(repaired, body)
    return [repaired]


def _repaired(unit: ir.Unit, definition: re.Match[str]) -> ir.Stmt | None:
    """A half-typed `def` or `class` as far as it can be read: name and names of parameters."""
    is_async, word, name, opening, rest = definition.groups()
    head = f"{word} {name}"
    found = [_PARAMETER.match(each) for each in rest.partition(")")[0].split(",")] if opening else []
    names = ", ".join(each.group(1) + each.group(2) for each in found if each is not None)
    if word == "class":
        candidates = [f"class {name}({names})", head] if "*" not in names else [head]
    else:
        candidates = [f"{is_async or ''} {head}({names})".strip(), f"{head}(*args, **kwargs)"]
    for candidate in candidates:
        parsed = parse(f"{candidate}: pass")
        if isinstance(parsed, Failure):
            continue
        last = len(_LINE_END.findall(unit.text))
        made = Lowering(unit, [(0, last)]).statements(parsed.nodes)[0]
        made.index = 1
        unit.statements.append(made)
        return made
    return None


def names_in(source: str) -> tuple[str, ...]:
    """The identifiers of a text, without the keywords, each once."""
    return tuple(dict.fromkeys(word for word in _WORD.findall(source) if word not in _KEYWORDS))
