"""A workspace held in a dictionary, for tests of the analysis and the rules."""

from __future__ import annotations

import json
import posixpath
import sys
from typing import Any

import yaml

from trainlint.analysis.workspace import ConfigNode
from trainlint.syntax.document import Document
from trainlint.text.place import Span

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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

    def data_file(self, importer: str, name: str) -> ConfigNode | None:
        for start in (posixpath.dirname(importer), self.root):
            path = posixpath.normpath(posixpath.join(start, name))
            if path in self.files:
                return _parse(path, self.files[path])
        return None


def _parse(path: str, text: str) -> ConfigNode | None:
    if path.endswith((".yaml", ".yml", ".json")):
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return _from_yaml(node, path) if node is not None else None
    if path.endswith(".toml"):
        return _from_plain(tomllib.loads(text), path)
    return None


def _from_yaml(node: yaml.Node, path: str) -> ConfigNode:
    start, end = node.start_mark, node.end_mark
    span = Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)
    value: object
    if isinstance(node, yaml.MappingNode):
        value = {str(key.value): _from_yaml(child, path) for key, child in node.value}
    elif isinstance(node, yaml.SequenceNode):
        value = [_from_yaml(child, path) for child in node.value]
    else:
        value = (
            json.loads(node.value) if path.endswith(".json") and node.style is None else yaml.safe_load(_source(node))
        )
    return ConfigNode(value, path, span)


def _source(node: yaml.ScalarNode) -> str:
    return str(node.value) if node.style is None else json.dumps(node.value)


def _from_plain(value: Any, path: str) -> ConfigNode:
    # tomllib gives no places: every node points at the start of the file
    span = Span(1, 1, 1, 1)
    if isinstance(value, dict):
        return ConfigNode({key: _from_plain(child, path) for key, child in value.items()}, path, span)
    if isinstance(value, list):
        return ConfigNode([_from_plain(child, path) for child in value], path, span)
    return ConfigNode(value, path, span)
