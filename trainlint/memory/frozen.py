"""A step in which fewer parameters are trained than the program trains: operations that then have no graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trainlint.analysis.tape import Entry, Site
from trainlint.memory.book import Book


def frozen(entries: Sequence[Entry], book: Book, detached: set[int]) -> Sequence[Entry]:
    """The entries as they are where only the parameters that the book trains are.

    An operation has a graph where one of its operands has, or where it uses a trained parameter. The tensors that have
    none now are added to `detached`, by their identity.
    """
    attached: set[int] = set()
    result: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Site):
            graph = entry.grad and (
                any(id(array) in attached for array in (*entry.operands, *entry.casts)) or bool(book.used(entry))
            )
            made = {id(array) for array in entry.results}
            if graph:
                attached |= made
            else:
                detached |= made - {id(array) for array in entry.operands}
                entry = replace(entry, grad=False) if entry.grad else entry
        result.append(entry)
    return result
