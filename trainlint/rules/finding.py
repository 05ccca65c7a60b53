"""What a rule reports: findings with places, related places and fixes. Lines and columns as in `text.place.Span`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from trainlint.text.place import Span

Level = Literal["error", "warning", "info", "hint"]
Certainty = Literal["proved", "default", "likely"]
Safety = Literal["safe", "unsafe"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info", "hint")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` of the file `path` by `text` (an empty span inserts)."""

    path: str
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    title: str
    safety: Safety
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Related:
    path: str
    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `path` is absolute inside the program; the surfaces make it relative.

    `cell` is the 0-based index over all cells of a notebook (lines then count inside the cell), else None.
    """

    code: str
    id: str
    family: str
    level: Level
    certainty: Certainty
    message: str
    path: str
    span: Span
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    cell: int | None = None
    url: str = field(default="")

    def at_level(self, level: Level) -> Finding:
        return replace(self, level=level)

    @property
    def sort_key(self) -> tuple[str, int, int, int, str]:
        return (self.path, self.cell or 0, self.span.line, self.span.column, self.code)
