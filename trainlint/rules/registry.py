"""The registry: a rule is a function with the `@rule` decorator in a file of a family folder, nothing else."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainlint.rules.finding import Level
from trainlint.rules.runtime import FAMILY, RUNTIME_CODES

DOCS_BASE = "https://trainlint.github.io/trainlint/rules/"


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule. `fact` is the class of fact that the check function subscribes to, `names` the qualified
    names (with a trailing `*` for a prefix) that narrow it, None for all."""

    code: str
    id: str
    family: str
    level: Level
    since: str
    preview: bool
    module: str
    fact: type
    names: tuple[str, ...] | None
    check: Callable[..., Iterable[Any]]

    @property
    def doc(self) -> str:
        """The module's docstring: a summary line, then the fixed headings."""
        return inspect.cleandoc(importlib.import_module(self.module).__doc__ or "")

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")

    @property
    def url(self) -> str:
        return f"{DOCS_BASE}{self.id}"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """`Call["torch.optim.*"]`: a fact class with the qualified names that a rule asks for."""

    fact: type
    names: tuple[str, ...]


_RULES: dict[str, Rule] = {}


def rule(
    id: str, *, code: str, family: str, level: Level, since: str, preview: bool = False
) -> Callable[[Callable[..., Iterable[Any]]], Callable[..., Iterable[Any]]]:
    """Register the decorated function; the annotation of its only parameter is its subscription."""

    def register(check: Callable[..., Iterable[Any]]) -> Callable[..., Iterable[Any]]:
        (parameter,) = inspect.signature(check).parameters.values()
        wanted = parameter.annotation
        fact, names = (wanted.fact, wanted.names) if isinstance(wanted, Narrowed) else (wanted, None)
        if not isinstance(fact, type):
            raise TypeError(f"{check.__module__}: annotate the parameter with a fact class, not {wanted!r}")
        known = _RULES.get(code)
        if known is not None and known.module != check.__module__:
            raise ValueError(f"{code} is taken by {known.module}")
        _RULES[code] = Rule(code, id, family, level, since, preview, check.__module__, fact, names, check)
        return check

    return register


@lru_cache(maxsize=1)
def all_rules() -> dict[str, Rule]:
    """Every rule by code, in the order of the codes. Imports the family folders below `trainlint.rules`."""
    import trainlint.rules as package

    for family in pkgutil.iter_modules(package.__path__, "trainlint.rules."):
        if family.ispkg:
            module = importlib.import_module(family.name)
            for entry in pkgutil.iter_modules(module.__path__, family.name + "."):
                importlib.import_module(entry.name)
    return dict(sorted(_RULES.items()))


# trainlint's own findings about suppressions; they are produced by `project.suppressions`, not by a fact.
OWN_CODES: dict[str, tuple[str, str, Level, str]] = {
    "TR001": ("unused-suppression", "trainlint", "info", "A suppression comment that silences nothing"),
    "TR002": ("unknown-rule-in-suppression", "trainlint", "warning", "A suppression comment that names no rule"),
    "TR900": ("internal-error", "trainlint", "info", "A rule or the analysis failed on this file"),
}


def selectors() -> dict[str, frozenset[str]]:
    """Every word that `select`, `ignore` and suppressions accept → the codes it means.

    Codes, ids, family names (`image`), code prefixes of a family (`IM`) and `ALL`.
    """
    table: dict[str, set[str]] = {}
    entries = [(r.code, r.id, r.family) for r in all_rules().values()]
    entries += [(code, id, family) for code, (id, family, _, _) in OWN_CODES.items()]
    entries += [(code, each.id, FAMILY) for code, each in RUNTIME_CODES.items()]
    for code, id, family in entries:
        for word in (code, id, family, code.rstrip("0123456789"), "ALL"):
            table.setdefault(word, set()).add(code)
    return {word: frozenset(codes) for word, codes in table.items()}
