"""The files of a workspace: on disk with the texts of open editors over them, or as they were at a commit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from trainlint.project.files import root_of
from trainlint.project.source import UnreadableSource, decode

if TYPE_CHECKING:
    from typing import Protocol

    from trainlint.analysis.workspace import ConfigNode
    from trainlint.project.git import Blobs
    from trainlint.syntax.document import Document

    class Tree(Protocol):
        """Where files come from. Paths are absolute."""

        def is_file(self, path: str) -> bool: ...
        def is_dir(self, path: str) -> bool: ...
        def read(self, path: str) -> bytes | None: ...
        def stamp(self, path: str) -> object:
            """Something that changes when the file's content changes; None where there is no file."""
            ...


MAX_BYTES = 5_000_000
MAX_DOCUMENTS = 500


class DiskTree:
    """The files on disk. A symlink that leaves the roots is as if it were not there."""

    def __init__(self, roots: Iterable[str]) -> None:
        self._roots = [os.path.realpath(root).rstrip(os.sep) + os.sep for root in roots]

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path) and self._inside(path)

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(path) and self._inside(path)

    def read(self, path: str) -> bytes | None:
        if not self.is_file(path):
            return None
        try:
            with open(path, "rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError:
            return None
        return raw if len(raw) <= MAX_BYTES else None

    def stamp(self, path: str) -> object:
        try:
            status = os.stat(path)
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def _inside(self, path: str) -> bool:
        real = os.path.realpath(path) + os.sep
        return any(real.startswith(root) for root in self._roots)


class CommitTree:
    """The files of a commit, under their paths in the working tree."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def is_file(self, path: str) -> bool:
        return self.blobs.is_file(path)

    def is_dir(self, path: str) -> bool:
        return self.blobs.is_dir(path)

    def read(self, path: str) -> bytes | None:
        raw = self.blobs.read(path)
        return raw if raw is None or len(raw) <= MAX_BYTES else None

    def stamp(self, path: str) -> object:
        return self.blobs.blob_id(path)


class Locator:
    """Finds what an import or a file name means. Remembers nothing: the tree may change."""

    def __init__(self, tree: Tree, roots: Iterable[str]) -> None:
        self.tree = tree
        self.roots = tuple(dict.fromkeys(os.path.normpath(root) for root in roots))

    def module(self, importer: str, level: int, dotted: str) -> str | None:
        """The path of the module file, or None where it is not in the workspace."""
        parts = [part for part in dotted.split(".") if part]
        if level:
            folder = os.path.dirname(importer)
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._below(folder, parts) if self.contains(folder) else None
        if not parts:
            return None
        for folder in self._search(importer):
            found = self._below(folder, parts)
            if found is not None and found != importer:
                return found
        return None

    def data(self, importer: str, name: str) -> str | None:
        """The path of a data file named in `importer`, relative to its folder or to a root, or None."""
        if not name or "\0" in name:
            return None
        for folder in (os.path.dirname(importer), *self._roots_of(importer)):
            path = os.path.normpath(os.path.join(folder, name))
            if self.contains(path) and self.tree.is_file(path):
                return path
        return None

    def contains(self, path: str) -> bool:
        """Is a path below one of the roots, and not in an installed package?"""
        if "site-packages" in path:
            return False
        return any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in self.roots)

    def _search(self, importer: str) -> list[str]:
        folder = os.path.dirname(importer)
        package = folder
        while self.contains(package) and self.tree.is_file(os.path.join(package, "__init__.py")):
            package = os.path.dirname(package)
        folders = [folder, package]
        for root in self._roots_of(importer):
            folders += [root, os.path.join(root, "src")]
        return [each for each in dict.fromkeys(folders) if self.contains(each)]

    def _roots_of(self, importer: str) -> list[str]:
        nearest = root_of(importer)
        above = [root for root in self.roots if importer.startswith(root.rstrip(os.sep) + os.sep)]
        return [nearest, *above] if self.contains(nearest) else above

    def _below(self, folder: str, parts: list[str]) -> str | None:
        for part in parts[:-1]:
            folder = os.path.join(folder, part)
            if not self.tree.is_dir(folder):
                return None
        last = os.path.join(folder, parts[-1]) if parts else folder
        candidates = [os.path.join(last, "__init__.py"), *([last + ".py"] if parts else [])]
        for path in candidates:
            if self.tree.is_file(path):
                return path
        return None


class TreeWorkspace:
    """Implements `trainlint.analysis.workspace.Workspace` over a tree; documents are kept while their stamp holds."""

    def __init__(self, tree: Tree, roots: Iterable[str]) -> None:
        self.tree = tree
        self.locator = Locator(tree, roots)
        self._documents: dict[str, tuple[object, Document | None]] = {}
        self._data: dict[str, tuple[object, ConfigNode | None]] = {}
        # what each file asked for and the path it got: (level or -1 for a data file, name) -> path or None
        self._asked: dict[str, dict[tuple[int, str], str | None]] = {}

    def document(self, path: str) -> Document | None:
        """The parsed file, or None where it is missing or no text."""
        stamp = self.tree.stamp(path)
        known = self._documents.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        from trainlint.syntax.document import Document

        text = self.text(path)
        document = None if text is None else Document(text)
        self._documents[path] = (stamp, document)
        if len(self._documents) > MAX_DOCUMENTS:
            del self._documents[next(iter(self._documents))]
        return document

    def text(self, path: str) -> str | None:
        """The text of a file, or None where it is missing or no text."""
        raw = self.tree.read(path)
        if raw is None:
            return None
        try:
            return decode(raw).text
        except UnreadableSource:
            return None

    def module(self, importer: str, level: int, dotted: str) -> tuple[str, Document] | None:
        path = self.locator.module(importer, level, dotted)
        self._asked.setdefault(importer, {})[level, dotted] = path
        document = None if path is None else self.document(path)
        return None if path is None or document is None else (path, document)

    def library(self, name: str) -> tuple[str, Document] | None:
        from trainlint.project.library import library

        return library(name)

    def data_file(self, importer: str, name: str) -> ConfigNode | None:
        path = self.locator.data(importer, name)
        self._asked.setdefault(importer, {})[-1, name] = path
        if path is None:
            return None
        stamp = self.tree.stamp(path)
        known = self._data.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        from trainlint.project.data_files import parse_data

        text = self.text(path)
        node = None if text is None else parse_data(path, text)
        self._data[path] = (stamp, node)
        return node

    def forget(self, path: str) -> None:
        """A file changed in a way that its stamp may not show."""
        self._documents.pop(path, None)
        self._data.pop(path, None)

    def asked_by(self, path: str) -> list[tuple[str, int, str, str | None]]:
        """Every question that `path`, and each file it led to, has asked: (importer, level or -1, name, answer)."""
        questions: list[tuple[str, int, str, str | None]] = []
        seen, todo = {path}, [path]
        while todo:
            importer = todo.pop()
            for (level, name), answer in self._asked.get(importer, {}).items():
                questions.append((importer, level, name, answer))
                if answer is not None and answer not in seen:
                    seen.add(answer)
                    todo.append(answer)
        return sorted(questions, key=lambda question: question[:3])


class OverlayTree:
    """A tree with texts over it: open editors, or fixes that are not written yet."""

    def __init__(self, below: DiskTree) -> None:
        self.below = below
        self._texts: dict[str, tuple[int, str]] = {}
        self._clock = 0

    def put(self, path: str, text: str) -> None:
        self._clock += 1
        self._texts[path] = (self._clock, text)

    def drop(self, path: str) -> None:
        self._texts.pop(path, None)

    def text(self, path: str) -> str | None:
        """The text laid over a file, None where there is none."""
        entry = self._texts.get(path)
        return None if entry is None else entry[1]

    def is_file(self, path: str) -> bool:
        return path in self._texts or self.below.is_file(path)

    def is_dir(self, path: str) -> bool:
        return self.below.is_dir(path)

    def read(self, path: str) -> bytes | None:
        text = self.text(path)
        return self.below.read(path) if text is None else text.encode("utf-8", "surrogatepass")

    def stamp(self, path: str) -> object:
        entry = self._texts.get(path)
        return self.below.stamp(path) if entry is None else entry[0]


class FileWorkspace(TreeWorkspace):
    """The workspace on disk, with overlays: a text, or an editor's document that changes in place."""

    def __init__(self, roots: Iterable[str]) -> None:
        roots = [os.path.abspath(root) for root in roots]
        self.overlay = OverlayTree(DiskTree(roots))
        self._open: dict[str, Document] = {}
        # what is open and was not needed parsed yet
        self._unparsed: dict[str, str] = {}
        super().__init__(self.overlay, roots)

    def document(self, path: str) -> Document | None:
        return self.opened(path) or super().document(path)

    def text(self, path: str) -> str | None:
        """The text of a file as open, laid over or on disk."""
        if path in self._unparsed:
            return self._unparsed[path]
        document = self._open.get(path)
        if document is not None:
            return document.text
        laid = self.overlay.text(path)
        return super().text(path) if laid is None else laid

    def open(self, path: str, text: str) -> None:
        """A file is open with this text; it is parsed when somebody asks for the document."""
        self._unparsed[path] = text
        self.forget(path)

    def is_open(self, path: str) -> bool:
        return path in self._open or path in self._unparsed

    def opened_paths(self) -> set[str]:
        return {*self._open, *self._unparsed}

    def unparsed(self, path: str) -> str | None:
        """The text of an open file as long as nobody asked for its document."""
        return self._unparsed.get(path)

    def opened(self, path: str) -> Document | None:
        """The document of an open file, None where it is not open."""
        if path in self._unparsed:
            from trainlint.syntax.document import Document

            self._open[path] = Document(self._unparsed.pop(path))
        return self._open.get(path)

    def close(self, path: str) -> None:
        self._open.pop(path, None)
        self._unparsed.pop(path, None)
        self.forget(path)


class BaseWorkspace(TreeWorkspace):
    """The workspace as it was at a commit."""

    def __init__(self, blobs: Blobs, roots: Iterable[str]) -> None:
        super().__init__(CommitTree(blobs), roots)
