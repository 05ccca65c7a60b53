"""A file of a program under analysis."""

from __future__ import annotations

from trainlint.analysis.scope import Scope
from trainlint.syntax.document import Document


class File:
    """A file with its text and the names its module binds."""

    __slots__ = ("document", "frameworks", "library", "path", "scope")

    def __init__(self, path: str, document: Document, library: bool = False) -> None:
        self.path = path
        # the source of a library that is shipped with trainlint: what happens there belongs to the line that calls it
        self.library = library
        self.document = document
        self.scope = Scope("module", self, None)
        self.frameworks: frozenset[str] = frozenset()
