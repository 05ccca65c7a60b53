"""A workspace held in a dictionary, for tests of the analysis and the rules."""

from __future__ import annotations

import posixpath

from trainlint.analysis.workspace import ConfigNode
from trainlint.project.data_files import parse_data
from trainlint.project.library import library
from trainlint.syntax.document import Document

ROOT = "/project"


class MemoryWorkspace:
    """Files by their path relative to the root. Implements `trainlint.analysis.workspace.Workspace`."""

    def __init__(self, files: dict[str, str], root: str = ROOT) -> None:
        self.root = root
        self.files = {posixpath.join(root, name): text for name, text in files.items()}
        self._documents: dict[str, Document] = {}

    def document(self, path: str) -> Document:
        """The document of an absolute path; the same object each time. Raises KeyError."""
        if path not in self._documents:
            self._documents[path] = Document(self.files[path])
        return self._documents[path]

    def open(self, path: str, document: Document) -> None:
        """From now on the file's text is that of `document`, as in an editor."""
        self._documents[path] = document

    def module(self, importer: str, level: int, dotted: str) -> tuple[str, Document] | None:
        folder = posixpath.dirname(importer)
        for _ in range(level - 1):
            folder = posixpath.dirname(folder)
        for start in [folder] if level else [folder, self.root]:
            stem = posixpath.join(start, *dotted.split(".")) if dotted else start
            for path in (f"{stem}.py", posixpath.join(stem, "__init__.py")):
                if path in self.files:
                    return path, self.document(path)
        return None

    def library(self, name: str) -> tuple[str, Document] | None:
        return library(name)

    def data_file(self, importer: str, name: str) -> ConfigNode | None:
        for start in (posixpath.dirname(importer), self.root):
            path = posixpath.normpath(posixpath.join(start, name))
            if path in self.files:
                return parse_data(path, self.files[path])
        return None
