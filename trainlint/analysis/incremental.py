"""Brings a program up to date after an edit inside function bodies: only the entries that ran those bodies run again.

Anything else (an edit at module or class level, of a constructor, of a method that writes attributes, of what an entry
calls) is left to a fresh run: `update` says False and nothing is lost but time.
"""

from __future__ import annotations

from trainlint.analysis.classes import assigned_targets
from trainlint.analysis.frameworks import frameworks_of
from trainlint.analysis.imports import answer_of
from trainlint.analysis.program import MAX_FILE_STATEMENTS, Entry, Program
from trainlint.analysis.run import MAX_STATEMENTS
from trainlint.analysis.values import Func
from trainlint.analysis.workspace import Workspace
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
    if not same(old.statements, new.statements) or old.functions.keys() != new.functions.keys():
        return False
    changed = [name for name in new.functions if not same(old.bodies[name], new.bodies[name])]
    moved = [name for name in new.functions if old.functions[name] is not new.functions[name]]
    for name in moved:
        before, after = old.functions[name], new.functions[name]
        if before.decorators or after.decorators or header(before) != header(after):
            return False
    touched = {*changed, *moved}
    if program.referenced & known_names(program) != program.names_called() & known_names(program):
        return False
    if not holds_outside(program):
        return False
    if any(structural(program, name) or writes(new.functions[name]) for name in touched):
        return False
    stale = {id(old.functions[name]) for name in touched}
    dirty = [entry for entry in program.entries if entry.ran & stale]
    if not runs_alone(program, dirty):
        return False
    renew(program, {id(old.functions[name]): new.functions[name] for name in moved})
    program.forget_statements()
    shared = {id(node) for name, node in new.functions.items() if structural(program, name)}
    return all(rerun(program, entry, shared) for entry in dirty)


def holds_outside(program: Program) -> bool:
    """Is what the program knows of other files, and of frameworks that it imports, still so?"""
    if frameworks_of(program.file.document.module) != program.file.frameworks:
        return False
    for (importer, level, name), answer in program.imports.asked.items():
        if level < 0:
            if program.workspace.data_file(importer, name) is not answer:
                return False
        elif answer_of(program.workspace.module(importer, level, name)) != answer:
            return False
    return True


def reads_the_same(program: Program, workspace: Workspace) -> bool:
    """Does another workspace hold the same in the files that a program has read?"""
    for (importer, level, name), answer in program.imports.asked.items():
        if level < 0:
            if workspace.data_file(importer, name) != answer:
                return False
            continue
        found = workspace.module(importer, level, name)
        path = None if found is None else found[0]
        known = answer[0] if isinstance(answer, tuple) else None
        if path != known:
            return False
        # not among the files where imports went too deep
        file = None if path is None else program.files.get(path)
        if found is not None and file is not None and file.document.text != found[1].text:
            return False
    return True


def known_names(program: Program) -> set[str]:
    """The names of functions and methods: whether one is called anywhere decides whether it is an entry."""
    names = {func.name for func in program.defined}
    return names.union(*(cls.members for cls in program.classes))


def runs_alone(program: Program, dirty: list[Entry]) -> bool:
    """May these entries run again without the others: do they meet what they met, and change nothing for others?"""
    if not dirty:
        return True
    if program.shared is None or program.spent > MAX_FILE_STATEMENTS - MAX_STATEMENTS:
        return False
    if any(entry.func is None or entry.defines for entry in dirty):
        return False
    first = program.entries.index(dirty[0])
    return not any(entry.leaves for entry in program.entries[first:])


def writes(function: ir.FunctionDef) -> bool:
    """Does a function assign attributes of its first parameter? Then it may shape objects, see `Class.written`."""
    if not function.params:
        return False
    receiver = function.params[0].name
    return any(
        isinstance(target, ir.Attr) and isinstance(target.value, ir.Name) and target.value.id == receiver
        for target in assigned_targets(function.body)
    )


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
    if not fresh.ran <= entry.ran or not entry.ran - fresh.ran <= shared or fresh.defines or fresh.leaves:
        return False
    fresh.ran = entry.ran
    program.entries[program.entries.index(entry)] = fresh
    return True
