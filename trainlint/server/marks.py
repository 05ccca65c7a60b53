"""Texts that belong to ranges of a document, and move with them through edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trainlint.server.documents import Splice

T = TypeVar("T")


@dataclass(slots=True)
class Mark(Generic[T]):
    """Something about the code points `start:end` of a text. `whole` lines are kept while nothing in them changes."""

    start: int
    end: int
    about: T
    whole: bool = False


def moved(marks: Iterable[Mark[T]], splice: Splice) -> list[Mark[T]]:
    """The marks after an edit; those that it touched are gone."""
    delta = len(splice.text) - (splice.end - splice.start)
    kept = []
    for mark in marks:
        if splice.end <= mark.start and (splice.end < mark.start or parted(splice.text[-1:], mark.whole)):
            kept.append(Mark(mark.start + delta, mark.end + delta, mark.about, mark.whole))
        elif splice.start >= mark.end and (splice.start > mark.end or parted(splice.text[:1], mark.whole)):
            kept.append(mark)
    return kept


def parted(character: str, whole: bool) -> bool:
    """Does new text that begins or ends with this character leave a neighbour as it is?"""
    if whole:
        return character in ("\n", "\r")
    return not (character.isalnum() or character in ("", "_", ".", "(", ")", "[", "]"))
