"""YAML, JSON and TOML files as values with places; nothing is constructed but plain data."""

from __future__ import annotations

import re
import sys
from typing import Any

import yaml

from trainlint.analysis.workspace import ConfigNode
from trainlint.text.place import Span

_DEPTH = 40
_NODES = 20_000
SUFFIXES = (".yaml", ".yml", ".json", ".toml")
# the C loader is ten times faster where it is built in
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_data(path: str, text: str) -> ConfigNode | None:
    """The value of a data file, by its suffix; None where it is no such file, broken, or beyond the limits."""
    try:
        if path.endswith(".toml"):
            return _toml(path, text)
        if path.endswith(".json"):
            return _Composed(path, json=True).read(text)
        if path.endswith((".yaml", ".yml")):
            return _Composed(path, json=False).read(text)
    except (yaml.YAMLError, _TooLarge, RecursionError, ValueError):
        return None
    return None


class _TooLarge(Exception):
    """More depth or nodes than a configuration file has; anchors can multiply without end."""


class _Composed:
    """Reads YAML (JSON is read as YAML, with JSON's own numbers) through the node graph, which knows the places."""

    def __init__(self, path: str, *, json: bool) -> None:
        self.path = path
        self.json = json
        self.left = _NODES
        self.scalars = yaml.SafeLoader("")

    def read(self, text: str) -> ConfigNode | None:
        if self.json:
            text = text.replace("\t", " ")  # JSON may indent with tabs, YAML may not
        loader = _LOADER(text)
        try:
            if not loader.check_node():
                return None
            root = loader.get_node()
        finally:
            loader.dispose()
        return self.node(root, 0)

    def node(self, node: yaml.Node, depth: int) -> ConfigNode:
        self.left -= 1
        if depth > _DEPTH or self.left < 0:
            raise _TooLarge
        start, end = node.start_mark, node.end_mark
        span = Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        return ConfigNode(self.value(node, depth), self.path, span)

    def value(self, node: yaml.Node, depth: int) -> object:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.node(child, depth + 1) for child in node.value]
        if self.json and getattr(node, "style", None) not in ("'", '"'):
            import json

            return json.loads(node.value)
        try:
            return self.scalars.construct_object(node)
        except yaml.YAMLError:  # a tag of the application: its value is not known
            return None

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, ConfigNode]:
        merged: dict[str, ConfigNode] = {}
        own: dict[str, ConfigNode] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                for source in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                    if isinstance(source, yaml.MappingNode):
                        for name, inherited in self.mapping(source, depth + 1).items():
                            merged.setdefault(name, inherited)
            else:
                own[str(key.value)] = self.node(child, depth + 1)
        return {**merged, **own}


def _toml(path: str, text: str) -> ConfigNode:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    table = tomllib.loads(text.replace("\r\n", "\n"))
    lines = re.split(r"\r\n|\n", text)
    return _TomlPlaces(path, lines).node(table, (), 0)


class _TomlPlaces:
    """Finds the places of TOML values by their headers and keys: the parser of the library tells none.

    Values of keys that stand plainly on a line (`lr = 0.1` under `[optim]`) are placed exactly, others at line 1.
    """

    _HEADER = re.compile(r"\s*\[([\w.\-\"' ]+)\]")
    _PAIR = re.compile(r"\s*([\w\-.]+|\"[^\"]+\"|'[^']+')\s*=\s*(.*?)\s*(?:#[^\"']*)?$")

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path = path
        self.places: dict[tuple[str, ...], Span] = {}
        section: tuple[str, ...] = ()
        for number, line in enumerate(lines, 1):
            header = self._HEADER.match(line)
            if header:
                section = self._names(header[1])
                continue
            pair = self._PAIR.match(line)
            if pair and pair[2]:
                start = pair.start(2) + 1
                self.places[section + self._names(pair[1])] = Span(number, start, number, start + len(pair[2]))

    @staticmethod
    def _names(dotted: str) -> tuple[str, ...]:
        return tuple(part.strip().strip("\"'") for part in dotted.split("."))

    def node(self, value: object, names: tuple[str, ...], depth: int) -> ConfigNode:
        if depth > _DEPTH:
            raise _TooLarge
        span = self.places.get(names, Span(1, 1, 1, 1))
        if isinstance(value, dict):
            return ConfigNode({k: self.node(v, (*names, str(k)), depth + 1) for k, v in value.items()}, self.path, span)
        if isinstance(value, list):
            return ConfigNode([self.node(v, (*names, "[]"), depth + 1) for v in value], self.path, span)
        return ConfigNode(value, self.path, span)
