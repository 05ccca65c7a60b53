"""What is known at a place, in words: for hovers and for `trainlint model`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from trainlint.analysis import facts
from trainlint.analysis.attributes import Method, WorkspaceModule
from trainlint.analysis.cards import Card, Cards
from trainlint.analysis.loops import derive
from trainlint.analysis.notation import words
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Tape
from trainlint.analysis.values import Class, Ext, Func, Mapping, OneOf, Seq, Unknown, Value
from trainlint.analysis.watching import Sighting, Watch
from trainlint.analysis.workspace import Workspace
from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.text.place import Span

# what Markdown would take for a mark, in the cells of tables
MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
EM_SPACE = "\u2003"
# what says itself what it is
LITERAL = re.compile(r"""[-+]?\d|[rbufRBUF]{0,2}["']|(?:True|False|None)$""")


class Told(NamedTuple):
    """An expression of a line with what is known of it."""

    text: str
    card: Card


def watched(path: str, document: Document, workspace: Workspace, heed: Callable[[], None] | None = None) -> Program:
    """The interpreted program of a file with the values of all its expressions and its tensor operations.

    `heed` is called again and again; an error that it raises ends the interpretation.
    """
    program = Program(path, document, workspace)
    program.heed, program.tape = heed, Tape()
    program.watch = Watch(frozenset(walk(document.module.body)))
    program.interpret()
    derive(program)
    return program


def describe(program: Program, line: int, column: int) -> tuple[Span, str] | None:
    """The place and the Markdown text of the innermost known expression at a 1-based position of a watched program."""
    best: tuple[Span, Sighting] | None = None
    for where, sighting in on_line(program, line):
        if (
            inside(where, line, column)
            and worth_saying(sighting.value)
            and (best is None or size(where) < size(best[0]))
        ):
            best = where, sighting
    return (best[0], markdown(Cards(program).card(best[1]))) if best is not None else None


def on_line(program: Program, line: int) -> list[tuple[Span, Sighting]]:
    """Place and value of every expression of the statements on a line."""
    watch = program.watch
    if watch is None:
        return []
    # where the text has changed since, what is not in it any more has no place
    units = set(program.file.document.units)
    statements = {s for s in watch.statements if s.first_line <= line <= s.last_line and s.unit in units}
    found: list[tuple[Span, Sighting]] = []
    for stmt, ordinal in watch.values:
        if stmt in statements:
            where, sighting = placed(stmt, ordinal), watch.seen(stmt, ordinal)
            if where is not None and sighting is not None:
                found.append((where, sighting))
    return found


def placed(stmt: ir.Stmt, ordinal: int) -> Span | None:
    span(stmt)
    found = stmt.unit.spans.get((stmt.index, ordinal)) if stmt.unit.spans is not None else None
    if found is None:
        return None
    line, column, end_line, end_column = found
    return Span(stmt.unit.file_line(line - 1), column, stmt.unit.file_line(end_line - 1), end_column)


def inside(where: Span, line: int, column: int) -> bool:
    return (where.line, where.column) <= (line, column) <= (where.end_line, where.end_column)


def size(where: Span) -> tuple[int, int]:
    return where.end_line - where.line, where.end_column - where.column


def worth_saying(value: Value) -> bool:
    """Does a hover say more than the type, which other tools show?"""
    if isinstance(value, OneOf):
        return any(map(worth_saying, value.values))
    if isinstance(value, Seq) and value.items is None:
        return value.elem is not None and worth_saying(value.elem)
    if isinstance(value, Mapping):
        return bool(value.items)
    return not isinstance(value, (Unknown, Ext, Func, Class, Method, WorkspaceModule))


def markdown(card: Card) -> str:
    """A card as Markdown: no HTML and no links of the user's text come through."""
    lines = [card.head]
    notes = [f"  {note}" if note.startswith("- ") else f"- {note}" for note in card.notes]
    lines += ["", *notes] if notes else []
    if card.rows:
        lines += [
            "",
            row(card.header),
            "|" + "|".join("--:" if h in ("parameters", "number") else "---" for h in card.header) + "|",
        ]
        lines += [row(cells) for cells in card.rows]
    if card.steps:
        lines += ["", *(f"- {where}: {escaped(text)}" for where, text in card.steps)]
    return "\n".join(lines)


def row(cells: tuple[str, ...]) -> str:
    """A row of a table; the indentation of a cell survives."""
    shown = [MARKS.sub(r"\\\1", cell).replace("  ", EM_SPACE) for cell in cells]
    return f"| {' | '.join(shown)} |"


def escaped(text: str) -> str:
    """User text inside Markdown: no HTML, no links."""
    return text.replace("<", "&lt;").replace("[", "\\[")


def walk(block: list[ir.Stmt]) -> list[ir.Stmt]:
    """Every statement of a block and the blocks inside it."""
    result: list[ir.Stmt] = []
    stack = [block]
    while stack:
        for stmt in stack.pop():
            result.append(stmt)
            for name in ("body", "orelse", "final"):
                inner = getattr(stmt, name, None)
                if isinstance(inner, list):
                    stack.append(inner)
            if isinstance(stmt, ir.Try):
                stack += [h.body for h in stmt.handlers]
            elif isinstance(stmt, ir.Match):
                stack += [c.body for c in stmt.cases]
    return result


def facts_on_line(program: Program, line: int) -> list[str]:
    """The facts placed on a line, for people who write rules, and the values of its expressions."""
    path = program.file.path
    result: list[str] = []
    for fact in program.facts:
        place = getattr(fact, "place", None)
        if place is not None and place.path == path and place.line == line:
            result.append(f"{type(fact).__name__}: {summary(fact)}")
    for trace in program.traces:
        for event in trace.events:
            if event.place.path == path and event.place.line == line:
                where = f" in {len(event.loops)} loops" if event.loops else ""
                conds = " under a condition" if event.conds else ""
                result.append(f"Event {event.kind} of {event.subject!r}{where}{conds}")
    result += [f"{text} → {words(sighting.value)}" for text, sighting in expressions(program, line)]
    return list(dict.fromkeys(result))


def expressions(program: Program, line: int) -> list[tuple[str, Sighting]]:
    """Text and value of the expressions that begin on a line, from left to right, the outer ones first."""
    found = [(w, s) for w, s in on_line(program, line) if w.line == line and not isinstance(s.value, (Ext, Func))]
    found.sort(key=lambda item: (item[0].column, -item[0].end_line, -item[0].end_column))
    source = program.file.document.source_line(line)
    return [(source[w.column - 1 : w.end_column - 1 if w.end_line == w.line else None], s) for w, s in found]


def told(program: Program, line: int, rows: int) -> list[Told]:
    """What is known of the expressions of a line; tables have at most so many rows."""
    cards = Cards(program, rows)
    result: list[Told] = []
    seen: set[object] = set()
    for text, sighting in expressions(program, line):
        value = sighting.value
        if worth_saying(value) and not LITERAL.match(text) and id(value) not in seen and text not in seen:
            seen |= {id(value), text}
            result.append(Told(text, cards.card(sighting)))
    return result


def summary(fact: object) -> str:
    if isinstance(fact, facts.Optimizer):
        return f"{fact.name}, family {fact.family}, lr {fact.lr!r}"
    if isinstance(fact, facts.DataLoader):
        return f"batch {fact.batch_size!r}, length {fact.length!r}, role {fact.role}"
    if isinstance(fact, (facts.TrainLoop, facts.EvalLoop)):
        return ", ".join(dict.fromkeys(event.kind for event in fact.events))
    if isinstance(fact, facts.ImageUse):
        return f"{fact.value!r} into {fact.sink}, which wants {fact.wants}"
    if isinstance(fact, (facts.Call, facts.Loss, facts.Scheduler)):
        return fact.name
    return ""
