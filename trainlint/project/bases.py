"""The git base that files are compared with, resolved once for each repository."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from trainlint.project.git import Blobs, Commit, GitError, repository_of, resolve_rev
from trainlint.project.notebooks import join_cells, read_notebook
from trainlint.project.source import UnreadableSource, decode
from trainlint.project.workspace import BaseWorkspace

if TYPE_CHECKING:
    from trainlint.syntax.document import Document

logger = logging.getLogger(__name__)


class Bases:
    """The commits to compare with for one revision. Documents are kept by the blob that they came from."""

    def __init__(self, roots: tuple[str, ...], rev: str) -> None:
        self.rev = rev
        self._roots = roots
        self._commits: dict[str, Commit | None] = {}
        self._workspaces: dict[str, tuple[Blobs, BaseWorkspace]] = {}
        self._documents: dict[tuple[str, str], Document | None] = {}

    def commit(self, path: str) -> Commit | None:
        """The commit for a file, None (and a line in the log) where there is none."""
        try:
            repository = repository_of(os.path.dirname(path))
            if repository is None:
                return None
            if repository not in self._commits:
                self._commits[repository] = None
                self._commits[repository] = resolve_rev(repository, self.rev)
            return self._commits[repository]
        except GitError as error:
            logger.info("%s", error)
            return None

    def of(self, path: str) -> tuple[Document, BaseWorkspace, str] | None:
        """The file at the base, the workspace there and the label; None where the file was not there."""
        commit = self.commit(path)
        if commit is None:
            return None
        if commit.repository not in self._workspaces:
            blobs = Blobs(commit)
            self._workspaces[commit.repository] = (blobs, BaseWorkspace(blobs, self._roots))
        blobs, workspace = self._workspaces[commit.repository]
        blob = blobs.blob_id(path)
        if blob is None:
            return None
        if (path, blob) not in self._documents:
            self._documents[path, blob] = self._read(blobs, workspace, path)
        document = self._documents[path, blob]
        return None if document is None else (document, workspace, commit.label)

    def renew(self) -> None:
        """HEAD or a branch may have moved: resolve again; documents of unchanged blobs stay."""
        repository_of.cache_clear()
        self._commits.clear()
        for blobs, _ in self._workspaces.values():
            blobs.close()
        self._workspaces.clear()

    def close(self) -> None:
        self.renew()
        self._documents.clear()

    def _read(self, blobs: Blobs, workspace: BaseWorkspace, path: str) -> Document | None:
        if not path.endswith(".ipynb"):
            return workspace.document(path)
        from trainlint.syntax.document import Document

        raw = blobs.read(path)
        try:
            return None if raw is None else Document(join_cells(read_notebook(decode(raw).text).cells).text)
        except UnreadableSource:
            return None
