"""Scopes: names bound to abstract values, chained to the scope around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainlint.analysis.joins import join
from trainlint.analysis.values import Value

if TYPE_CHECKING:
    from trainlint.analysis.files import File


class Scope:
    """Names of one module, class or function. Class scopes are skipped by the functions inside them."""

    __slots__ = ("file", "function", "globals", "kind", "names", "nonlocals", "parent", "stars")

    def __init__(self, kind: str, file: File, parent: Scope | None, function: str = "") -> None:
        self.kind = kind
        self.file = file
        self.parent = parent
        self.function = function
        self.names: dict[str, Value] = {}
        self.globals: set[str] | None = None
        self.nonlocals: set[str] | None = None
        # external modules that were star-imported here
        self.stars: list[str] = []

    def lookup(self, name: str) -> Value | None:
        scope: Scope | None = self
        first = True
        while scope is not None:
            if first or scope.kind != "class":
                value = scope.names.get(name)
                if value is not None:
                    return value
            first = False
            scope = scope.parent
        return None

    def bind(self, name: str, value: Value) -> None:
        self.names[name] = value

    def outer(self, name: str) -> Scope | None:
        """The scope around this one that an assignment binds the name in (`global`, `nonlocal`), if there is one."""
        if self.globals is not None and name in self.globals:
            return self.module()
        scope = self.parent if self.nonlocals is not None and name in self.nonlocals else None
        while scope is not None and (scope.kind != "function" or name not in scope.names):
            scope = scope.parent
        return scope

    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def declare_global(self, names: tuple[str, ...]) -> None:
        self.globals = (self.globals or set()) | set(names)

    def declare_nonlocal(self, names: tuple[str, ...]) -> None:
        self.nonlocals = (self.nonlocals or set()) | set(names)


def merge(before: dict[str, Value], a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
    """The names after two branches: equal values stay, others are joined; a name bound in one branch only keeps it."""
    if a is b:
        return a
    result = dict(a)
    for name, value in b.items():
        other = a.get(name)
        if other is value:
            continue
        result[name] = value if other is None else join(other, value)
    return result
