"""A step in which fewer operations have a graph: where fewer parameters are trained, or under `torch.no_grad()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trainlint.analysis.tape import Entry, Mark, Site, held_by
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


def useful(entries: Sequence[Entry], book: Book, detached: set[int]) -> Sequence[Entry]:
    """The entries as they are where `torch.no_grad()` is around all whose gradients nobody uses.

    These are the operations that no backward comes through, as of a teacher whose output is detached, and those with no
    parameter below them that the book trains, as of an extractor of features that no optimizer holds. What an unknown
    call is given is taken to be used.
    """
    reached: set[int] = set()
    idle: set[int] = set()
    for entry in reversed(entries):
        if isinstance(entry, Mark) and entry.event.kind in ("backward", "unknown_call"):
            given = (entry.event.subject, *entry.event.args)
            reached |= {id(array) for value in given for array in held_by(value)}
        elif isinstance(entry, Site) and entry.grad and any(array.grad is not False for array in entry.results):
            if any(id(array) in reached for array in entry.results):
                reached |= {id(array) for array in (*entry.operands, *entry.casts)}
            else:
                idle.add(id(entry))
                detached |= {id(array) for array in entry.results} - {id(array) for array in entry.operands}
    left = [replace(entry, grad=False) if isinstance(entry, Site) and id(entry) in idle else entry for entry in entries]
    return frozen(left, book, detached)
