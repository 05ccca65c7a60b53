"""Configuration: finding the file, reading it, and saying clearly what is wrong with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from trainlint.project.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from trainlint.project.schema import Key

FILE_NAMES = ("trainlint.toml", "pyproject.toml")


# named tuples here and in the other modules of the command line: dataclasses would cost a third of its start-up time
class Config(NamedTuple):
    """What a configuration file says; `path` is None where there is none.

    Patterns are relative to `folder`. Words of rules are known ones: the reader checked them.
    """

    path: str | None = None
    folder: str = ""
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = {}
    exclude: tuple[str, ...] = ()
    levels: Mapping[str, str] = {}
    gpu: str | None = None
    gpu_memory: int | None = None
    world_size: int | None = None
    diff_base: str | None = None
    torch_version: str | None = None
    frameworks: tuple[str, ...] = ()
    preview: bool = False
    rules: Mapping[str, Mapping[str, Any]] = {}

    def values(self) -> dict[str, Any]:
        """The keys as in the file that differ from the default."""
        changed = {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}
        return {name.replace("_", "-"): value for name, value in changed.items() if name not in ("path", "folder")}


class Overrides(NamedTuple):
    """What the command line (or an editor's settings) says; it wins over every configuration file."""

    config: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    gpu: str | None = None
    gpu_memory: int | None = None
    world_size: int | None = None
    diff_base: str | None = None
    preview: bool = False

    def apply(self, config: Config) -> Config:
        """The configuration with the single values replaced; the selections are combined in `selection`."""
        names = ("gpu", "gpu_memory", "world_size", "diff_base")
        if self.gpu is not None or self.gpu_memory is not None:
            # what the file says of another GPU does not hold for this one
            config = config._replace(gpu=None, gpu_memory=None)
        changed = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return config._replace(preview=config.preview or self.preview, **changed)


def find_config(folder: str) -> Config:
    """The nearest configuration at or above `folder`; an empty one where there is none. Raises ConfigError."""
    while True:
        for name in FILE_NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                config = read_config(path)
                if config is not None:
                    return config
        parent = os.path.dirname(folder)
        if parent == folder:
            return Config()
        folder = parent


def read_config(path: str, *, named: bool = False) -> Config | None:
    """Read one file; None for a pyproject.toml without our table, unless a person `named` it. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise ConfigError(f"{_shown(path)}: cannot read the configuration: {error.strerror}") from error
    in_pyproject = os.path.basename(path) == "pyproject.toml"
    if in_pyproject and b"trainlint" not in raw:
        return Config(path, os.path.dirname(path)) if named else None
    text, table = _parse(path, raw)
    if in_pyproject:
        tool = table.get("tool")
        section = tool.get("trainlint") if isinstance(tool, dict) else None
        if section is None:
            return Config(path, os.path.dirname(path)) if named else None
        if not isinstance(section, dict):
            raise ConfigError(f"{_shown(path)}: tool.trainlint must be a table")
        table = section
    return _Reader(path, text).read(table)


def _parse(path: str, raw: bytes) -> tuple[str, dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = raw.decode("utf-8-sig")
        return text, tomllib.loads(text.replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_shown(path)}: is not UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{_shown(path)}: is not valid TOML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{_shown(path)}: is nested too deeply") from error


class _Reader:
    """Checks one table; every error names the file, the line of the key and what is allowed."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    def read(self, table: Mapping[str, Any]) -> Config:
        from trainlint.project.schema import KEYS, Wrong

        values: dict[str, Any] = {}
        for name, value in table.items():
            key: Key | None = KEYS.get(name)
            if key is None:
                raise self.error(name, f"unknown key '{name}'{nearest(name, KEYS)} (allowed: {', '.join(KEYS)})")
            try:
                values[name.replace("-", "_")] = key.read(value)
            except Wrong as wrong:
                raise self.error(name, f"'{name}' must be {wrong}") from None
        config = Config(self.path, os.path.dirname(self.path), **values)
        self.check_words(config)
        return config

    def check_words(self, config: Config) -> None:
        named = {
            "select": config.select or (),
            "ignore": config.ignore,
            "extend-select": config.extend_select,
            "per-file-ignores": tuple(word for words in config.per_file_ignores.values() for word in words),
            "levels": tuple(config.levels),
        }
        for key, words in named.items():
            if words:
                try:
                    check_words(words)
                except UsageError as error:
                    raise self.error(key, f"{error} in '{key}'") from None
        for rule, options in config.rules.items():
            self.check_options(rule, options)

    def check_options(self, rule: str, options: Mapping[str, Any]) -> None:
        from trainlint.rules.registry import all_rules

        ids = [known.id for known in all_rules().values()]
        if rule not in ids:
            raise self.error(rule, f"unknown rule id '{rule}' in 'rules'{nearest(rule, ids)}")
        for option in options:
            raise self.error(option, f"unknown option '{option}' of the rule {rule}: it has no options")

    def error(self, key: str, message: str) -> ConfigError:
        import re

        match = re.search(rf"""^[ \t]*(?:\[.*)?["']?\b{re.escape(key)}\b["']?[ \t]*[]=.]""", self.text, re.MULTILINE)
        line = f":{self.text.count(chr(10), 0, match.start()) + 1}" if match else ""
        return ConfigError(f"{_shown(self.path)}{line}: {message}")


def check_words(words: Iterable[str]) -> None:
    """Raise UsageError for a word that is no code, id, family or prefix of a rule."""
    from trainlint.rules.registry import selectors

    known = selectors()
    for word in words:
        if word not in known:
            raise UsageError(f"unknown rule '{word}'{nearest(word, known)} (codes, ids, families or ALL are allowed)")


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest of the known words, else nothing."""
    import difflib

    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _shown(path: str) -> str:
    """The path as a person would write it: relative where the file is below the current folder."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if relative.startswith("..") else relative.replace(os.sep, "/")
