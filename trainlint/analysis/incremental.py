"""Brings a program up to date after an edit inside function bodies: only the entries that ran those bodies run again.

Anything else (an edit at module or class level, of a constructor, of a method that writes attributes, of what an entry
calls) is left to a fresh run: `update` says False and nothing is lost but time.
"""

from __future__ import annotations

from trainlint.analysis.program import Entry, Program
from trainlint.analysis.values import Func
from trainlint.syntax import ir

# methods whose results are kept in objects that live longer than one entry
STRUCTURAL = frozenset(
    {"__init__", "__new__", "__getitem__", "__len__", "__iter__", "__enter__", "__exit__", "__call__"}
)


class Shape:
    """What of a file is not inside a function body: statements by identity, functions by name and header."""

    __slots__ = ("bodies", "functions", "statements")

    def __init__(self, module: ir.Module) -> None:
        self.statements: list[ir.Stmt] = []
        self.functions: dict[str, ir.FunctionDef] = {}
        self.bodies: dict[str, list[ir.Stmt]] = {}
        self._visit(module.body, "")

    def _visit(self, block: list[ir.Stmt], prefix: str) -> None:
        for stmt in block:
            if isinstance(stmt, ir.FunctionDef):
                name = prefix + stmt.name
                while name in self.functions:
                    name += "'"
                self.functions[name] = stmt
                self.bodies[name] = flat(stmt.body)
                continue
            self.statements.append(stmt)
            inner = f"{prefix}{stmt.name}." if isinstance(stmt, ir.ClassDef) else prefix
            for child in blocks(stmt):
                self._visit(child, inner)


def blocks(stmt: ir.Stmt) -> list[list[ir.Stmt]]:
    """The blocks of a compound statement."""
    result = [b for b in (getattr(stmt, n, None) for n in ("body", "orelse", "final")) if isinstance(b, list)]
    if isinstance(stmt, ir.Try):
        result += [handler.body for handler in stmt.handlers]
    elif isinstance(stmt, ir.Match):
        result += [case.body for case in stmt.cases]
    return result


def flat(block: list[ir.Stmt]) -> list[ir.Stmt]:
    """The statements of a block and of all blocks inside it."""
    result: list[ir.Stmt] = []
    stack = [block]
    while stack:
        for stmt in stack.pop():
            result.append(stmt)
            stack += blocks(stmt)
    return result


def same(a: list[ir.Stmt], b: list[ir.Stmt]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def header(stmt: ir.FunctionDef) -> str:
    """The text of the `def` line or lines."""
    lines = stmt.unit.text.split("\n")
    return "\n".join(lines[stmt.line : stmt.end + 1])


def update(program: Program, old: Shape, new: Shape) -> bool:
    """Run again the entries whose function bodies changed. False where a fresh run is needed (the program is spent)."""
    if not program.self_contained or not same(old.statements, new.statements):
        return False
    if old.functions.keys() != new.functions.keys():
        return False
    changed = [name for name in new.functions if not same(old.bodies[name], new.bodies[name])]
    moved = [name for name in new.functions if old.functions[name] is not new.functions[name]]
    for name in moved:
        before, after = old.functions[name], new.functions[name]
        if before.decorators or after.decorators or header(before) != header(after):
            return False
    if program.referenced != program.names_called() or any(structural(program, name) for name in {*changed, *moved}):
        return False
    stale = {id(old.functions[name]) for name in {*changed, *moved}}
    dirty = [entry for entry in program.entries if entry.ran & stale]
    if any(entry.func is None or entry.defines for entry in dirty):
        return False
    renew(program, {id(old.functions[name]): new.functions[name] for name in moved})
    shared = {id(node) for name, node in new.functions.items() if structural(program, name)}
    return all(rerun(program, entry, shared) for entry in dirty)


def structural(program: Program, name: str) -> bool:
    """Does the function shape objects that other entries share?"""
    owner, _, method = name.rstrip("'").rpartition(".")
    if not owner:
        return False
    if method in STRUCTURAL:
        return True
    return any(method in writers for cls in program.classes for writers in cls.written.values())


def renew(program: Program, nodes: dict[int, ir.FunctionDef]) -> None:
    """Let functions that were parsed again point to their new statements."""
    members = [m for cls in program.classes for m in cls.members.values() if isinstance(m, Func)]
    bound = [v for v in program.file.scope.names.values() if isinstance(v, Func)]
    for func in {id(f): f for f in (*program.defined, *members, *bound)}.values():
        replacement = nodes.get(id(func.node))
        if replacement is not None:
            func.node = replacement
    for entry in program.entries:
        entry.ran = frozenset(id(nodes[i]) if i in nodes else i for i in entry.ran)


def rerun(program: Program, entry: Entry, shared: set[int]) -> bool:
    """Interpret one entry again; False where it now calls other functions than before.

    Constructors of shared objects ran the first time only: they may be missing the second time.
    """
    fresh = program.rerun(entry)
    if not fresh.ran <= entry.ran or not entry.ran - fresh.ran <= shared or fresh.defines:
        return False
    fresh.ran = entry.ran
    program.entries[program.entries.index(entry)] = fresh
    return True
