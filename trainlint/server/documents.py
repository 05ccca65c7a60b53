"""What the client has open: text documents and notebooks, kept exactly as the client has them.

pygls' own document store is not used: it splits lines at form feeds and U+2028, where LSP and Python do not, so an
edit behind one of those would land on the wrong line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types as lsp

from trainlint.server.positions import Body, Encoding
from trainlint.server.uris import VIEWS, document_key, file_path, scheme, stand_in_path

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")
_REVISIONS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Part:
    """A text as the client has it: a whole file, or one cell of a notebook. `uri` is the client's own string."""

    uri: str
    version: int | None
    language: str
    body: Body
    code: bool = True

    @property
    def is_python(self) -> bool:
        return self.code and self.language in ("python", "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source at one moment. `revision` is unique: a client may repeat a version number."""

    key: str
    path: str
    revision: int
    parts: tuple[Part, ...]
    notebook: bool


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the code points `start:end` by `text`."""

    start: int
    end: int
    text: str


class Source:
    """An open file or notebook. `parts` are its texts: one for a file, the cells in order for a notebook."""

    def __init__(self, uri: str, path: str, parts: Sequence[Part], *, notebook: bool) -> None:
        self.uri = uri
        self.key = document_key(uri)
        self.path = path
        self.parts = list(parts)
        self.notebook = notebook
        self.revision = next(_REVISIONS)

    def revise(self) -> None:
        self.revision = next(_REVISIONS)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.key, self.path, self.revision, tuple(self.parts), self.notebook)

    def index(self, uri: str) -> int | None:
        key = document_key(uri)
        return next((i for i, part in enumerate(self.parts) if document_key(part.uri) == key), None)


def edited(
    part: Part,
    version: int | None,
    changes: Iterable[lsp.TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> tuple[Part, list[Splice]]:
    """The part after the changes, and the same changes as splices, each relative to the text before it."""
    body, splices = part.body, []
    for change in changes:
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            start = body.offset(change.range.start, encoding)
            end = max(start, body.offset(change.range.end, encoding))
            splice = Splice(start, end, change.text)
        else:
            splice = difference(body.text, change.text)
        splices.append(splice)
        body = Body(body.text[: splice.start] + splice.text + body.text[splice.end :])
    return Part(part.uri, version, part.language, body, part.code), splices


def difference(old: str, new: str) -> Splice:
    """One splice that makes the new text from the old one, without what both begin and end with."""
    shorter = min(len(old), len(new))
    start = tail = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    while tail < shorter - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return Splice(start, len(old) - tail, new[start : len(new) - tail])


class OpenSources:
    """The open sources by key; a notebook is found by its own URI and by the URIs of its cells."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._owners: dict[str, str] = {}

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._sources.values()))

    def add(self, source: Source) -> None:
        self._sources[source.key] = source
        self.renew_owners(source)

    def remove(self, uri: str) -> Source | None:
        source = self._sources.pop(document_key(uri), None)
        if source is not None:
            self._owners = {cell: owner for cell, owner in self._owners.items() if owner != source.key}
        return source

    def renew_owners(self, source: Source) -> None:
        """Call after the cells of a notebook changed."""
        self._owners = {cell: owner for cell, owner in self._owners.items() if owner != source.key}
        if source.notebook:
            self._owners.update((document_key(part.uri), source.key) for part in source.parts)

    def by_key(self, key: str) -> Source | None:
        return self._sources.get(key)

    def source(self, uri: str) -> Source | None:
        """The source with this URI of its own (not of a cell)."""
        return self._sources.get(document_key(uri))

    def find(self, uri: str) -> tuple[Source, int] | None:
        """The source and the index of its part that this document or cell URI names."""
        key = document_key(uri)
        source = self._sources.get(self._owners.get(key, key))
        if source is None:
            return None
        index = source.index(uri)
        return None if index is None else (source, index)

    def by_path(self, path: str) -> Source | None:
        return next((source for source in self._sources.values() if source.path == path), None)


def lintable(item: lsp.TextDocumentItem) -> bool:
    """Is an opened text document Python that we look at? Cells belong to their notebook; diff views are no files."""
    where = scheme(item.uri)
    if where in VIEWS or where.startswith("vscode-notebook"):
        return False
    name = (file_path(item.uri) or item.uri).lower()
    return item.language_id == "python" or (not item.language_id and name.endswith(PYTHON_SUFFIXES))


def opened_text(item: lsp.TextDocumentItem, root: str | None) -> Source:
    path = file_path(item.uri) or stand_in_path(item.uri, root)
    part = Part(item.uri, item.version, item.language_id, Body(item.text))
    return Source(item.uri, path, [part], notebook=False)


def opened_notebook(params: lsp.DidOpenNotebookDocumentParams, root: str | None) -> Source:
    texts = {document_key(item.uri): item for item in params.cell_text_documents}
    parts = [cell_part(cell, texts.get(document_key(cell.document))) for cell in params.notebook_document.cells]
    uri = params.notebook_document.uri
    return Source(uri, file_path(uri) or stand_in_path(uri + ".ipynb", root), parts, notebook=True)


def cell_part(cell: lsp.NotebookCell, item: lsp.TextDocumentItem | None) -> Part:
    code = cell.kind == lsp.NotebookCellKind.Code
    if item is None:  # a cell of a language that the client does not send
        return Part(cell.document, None, "unknown", Body(""), code)
    return Part(item.uri, item.version, item.language_id, Body(item.text), code)


def change_notebook(
    source: Source, params: lsp.DidChangeNotebookDocumentParams, encoding: Encoding
) -> dict[str, list[Splice]]:
    """Apply a notebook change in the order of the protocol: structure, cell data, texts. Gives the splices by cell."""
    splices: dict[str, list[Splice]] = {}
    cells = params.change.cells
    if cells is None:
        return splices
    if cells.structure is not None:
        array = cells.structure.array
        opened = {document_key(item.uri): item for item in cells.structure.did_open or ()}
        known = {document_key(part.uri): part for part in source.parts}
        new = [
            known[key] if (key := document_key(cell.document)) in known and key not in opened
            else cell_part(cell, opened.get(key))
            for cell in array.cells or ()
        ]  # fmt: skip
        source.parts[array.start : array.start + array.delete_count] = new
    for cell in cells.data or ():
        index = source.index(cell.document)
        if index is not None:
            old = source.parts[index]
            code = cell.kind == lsp.NotebookCellKind.Code
            source.parts[index] = Part(old.uri, old.version, old.language, old.body, code)
    for content in cells.text_content or ():
        index = source.index(content.document.uri)
        if index is not None:
            old = source.parts[index]
            source.parts[index], splices[old.uri] = edited(old, content.document.version, content.changes, encoding)
    return splices
