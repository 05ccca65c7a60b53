"""Functions of imported files that no run of the program reaches, as far as names tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trainlint.analysis.unrolling import parts_in
from trainlint.analysis.watching import end_of
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.program import Program


class Definition(NamedTuple):
    """A function of a file, with the name of the class that it is a method of."""

    path: str
    node: ir.FunctionDef
    owner: str

    @property
    def called_as(self) -> str:
        """The name that whoever runs it writes: that of the class for what Python and torch call by themselves."""
        by_itself = self.node.name == "forward" or self.node.name.startswith("__")
        return self.owner if by_itself and self.owner else self.node.name


def dormant(program: Program) -> set[tuple[str, int, int]]:
    """Path, first and last line of the functions that did not run and that nothing which ran, or may have run, names.

    The file that is analysed is looked at whole: what of it runs is up to its user.
    """
    mentioned: set[str] = set()
    asleep: list[Definition] = []
    for path, file in program.files.items():
        body = file.document.module.body
        if file is program.file:
            mentioned |= names_in(body)
            continue
        outside, definitions = divided(path, body, "")
        mentioned |= outside
        for each in definitions:
            if id(each.node) in program.running:
                mentioned |= names_in(each.node.body)
            else:
                asleep.append(each)
    while woken := [each for each in asleep if each.called_as in mentioned]:
        asleep = [each for each in asleep if each.called_as not in mentioned]
        for each in woken:
            mentioned |= names_in(each.node.body)
    return {(each.path, each.node.first_line, end_of(each.node)) for each in asleep}


def divided(path: str, block: list[ir.Stmt], owner: str) -> tuple[set[str], list[Definition]]:
    """The names that a block uses outside of functions, imports aside, and the functions in it."""
    names: set[str] = set()
    definitions: list[Definition] = []
    for stmt in block:
        if isinstance(stmt, ir.FunctionDef):
            definitions.append(Definition(path, stmt, owner))
            names |= names_in([*stmt.decorators, *(param.default for param in stmt.params)])
        elif isinstance(stmt, ir.ClassDef):
            inner, methods = divided(path, stmt.body, stmt.name)
            names |= inner | names_in([*stmt.bases, *stmt.decorators])
            definitions += methods
        elif not isinstance(stmt, (ir.Import, ir.ImportFrom)):
            names |= names_in([stmt])
    return names, definitions


def names_in(parts: object) -> set[str]:
    """Every name and attribute that is written there."""
    found: set[str] = set()
    for part in parts_in(parts):
        if isinstance(part, ir.Name):
            found.add(part.id)
        elif isinstance(part, ir.Attr):
            found.add(part.name)
    return found
