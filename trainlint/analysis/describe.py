"""What is known at a place, in words: for hovers and for `trainlint model`."""

from __future__ import annotations

from trainlint.analysis import facts
from trainlint.analysis.loops import derive
from trainlint.analysis.program import Program
from trainlint.analysis.values import (
    Array,
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
)
from trainlint.analysis.workspace import Workspace
from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.text.place import Span

RANGES = {
    "255": "0–255",
    "unit": "0–1",
    "norm": "normalised",
    "prob": "probabilities (softmax)",
    "logprob": "log-probabilities",
    "sigmoid": "probabilities (sigmoid)",
    "index": "class indices (argmax)",
    "logits": "scores (no activation)",
}


def describe(path: str, document: Document, workspace: Workspace, line: int, column: int) -> tuple[Span, str] | None:
    """The place and the Markdown text of the innermost known expression at a 1-based position."""
    statements = frozenset(s for s in walk(document.module.body) if s.first_line <= line <= s.last_line)
    if not statements:
        return None
    values = watched(path, document, workspace, statements)
    best: tuple[Span, Value, ir.Stmt] | None = None
    for (stmt, ordinal), value in values.items():
        where = placed(stmt, ordinal)
        if where is None or not inside(where, line, column) or not worth_saying(value):
            continue
        if best is None or size(where) < size(best[0]):
            best = (where, value, stmt)
    return (best[0], markdown(best[1])) if best is not None else None


def watched(
    path: str, document: Document, workspace: Workspace, statements: frozenset[ir.Stmt]
) -> dict[tuple[ir.Stmt, int], Value]:
    program = Program(path, document, workspace)
    program.watch, program.watched = {}, statements
    program.interpret()
    return program.watch


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
    return not isinstance(value, (Unknown, Ext, Func, Class))


def markdown(value: Value) -> str:
    """What is known of a value, then where it comes from."""
    lines = [words(value)]
    steps = [s for s in (list(value.origin) if value.origin is not None else []) if s.text not in ("display", "dict")]
    for step in reversed(steps[:6]):
        text = "written" if step.text == "literal" else step.text
        lines.append(f"- line {step.place.line}: {escaped(text)}")
    if isinstance(value, Const) and value.default:
        lines.append(f"- a default of {value.default}: it may be overridden")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """User text inside Markdown: no HTML, no links."""
    return text.replace("<", "&lt;").replace("[", "\\[")


def words(value: Value) -> str:
    """One line about a value."""
    if isinstance(value, Const):
        return f"`{value.value!r}`"
    if isinstance(value, Array):
        return array_words(value)
    if isinstance(value, OneOf):
        return " or ".join(words(v) for v in value.values)
    if isinstance(value, Range):
        return f"a number from {value.low} to {value.high}"
    if isinstance(value, Sym):
        return f"`{value.name}`"
    if isinstance(value, Obj):
        return object_words(value)
    if isinstance(value, Instance):
        return f"an object of `{value.cls.name}`"
    if isinstance(value, Seq):
        known = f"of {len(value.items)}" if value.items is not None else ""
        return f"{value.kind} {known}".strip()
    if isinstance(value, Mapping):
        return "dict with " + ", ".join(f"`{k}`" for k in list(value.items)[:8]) if value.items else "dict"
    return repr(value)


def array_words(value: Array) -> str:
    kind = {"torch": "tensor", "numpy": "array", "pil": "PIL image"}.get(value.lib, "array")
    parts = [kind, value.layout, value.colour]
    if value.channels is not None and value.colour is None:
        parts.append(f"{value.channels} channels")
    parts.append(RANGES.get(value.range or ""))
    if value.grad is True:
        parts.append("carries a graph")
    elif value.grad is False and value.lib == "torch":
        parts.append("no graph")
    return " · ".join(p for p in parts if p)


def object_words(value: Obj) -> str:
    text = f"`{value.name}`"
    if value.kind == "optimizer":
        lr = value.arg(1, "lr")
        return f"{text} · lr {words(lr)}" if lr is not None and worth_saying(lr) else text
    if value.kind == "loader":
        batch = value.arg(1, "batch_size")
        return f"{text} · batch {words(batch) if batch is not None and worth_saying(batch) else 'not known'}"
    return text


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


def facts_on_line(path: str, document: Document, workspace: Workspace, line: int) -> list[str]:
    """The facts placed on a line and the values of its expressions."""
    program = Program(path, document, workspace)
    statements = frozenset(s for s in walk(document.module.body) if s.first_line <= line <= s.last_line)
    program.watch, program.watched = {}, statements
    program.interpret()
    derive(program)
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
    for (stmt, ordinal), value in sorted(program.watch.items(), key=lambda item: item[0][1]):
        where_ = placed(stmt, ordinal)
        if where_ is not None and where_.line == line and not isinstance(value, (Ext, Func)):
            text = document.source_line(line)[where_.column - 1 : where_.end_column - 1]
            result.append(f"{text} → {words(value)}")
    return list(dict.fromkeys(result))


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
