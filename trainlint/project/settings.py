"""The settings in force for each file: the nearest configuration, the overrides, the rules that apply."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainlint.project.config import Config, Overrides, check_words, find_config, read_config
from trainlint.project.errors import UsageError

if TYPE_CHECKING:
    import pathspec


class Settings:
    """Remembers the configuration of each folder. Every method may raise ConfigError."""

    def __init__(self, overrides: Overrides, folders: Mapping[str, Overrides] | None = None) -> None:
        """`folders` are those with overrides of their own, which hold in place of the others."""
        self.overrides = overrides
        self._folders = folders or {}
        self._named: Config | None = None
        self._configs: dict[str, Config] = {}
        self._specs: dict[tuple[str, ...], pathspec.GitIgnoreSpec | None] = {}
        self._codes: dict[tuple[str | None, Overrides], frozenset[str]] = {}

    def check(self) -> None:
        """Look at the overrides themselves. Raises UsageError or ConfigError."""
        words = (*(self.overrides.select or ()), *self.overrides.ignore, *self.overrides.extend_select)
        if words:
            check_words(words)
        if self.overrides.gpu is not None:
            from trainlint.project.schema import unknown_gpu

            wrong = unknown_gpu(self.overrides.gpu)
            if wrong is not None:
                raise UsageError(f"--gpu must be {wrong}")
        self.config(os.getcwd())

    def config(self, folder: str) -> Config:
        """The configuration of the files in a folder, with the overrides applied."""
        known = self._configs.get(folder)
        if known is None:
            known = self._configs[folder] = self._overrides(folder).apply(self._read(folder))
        return known

    def _overrides(self, folder: str) -> Overrides:
        """Those of the innermost folder at or around this one that has some of its own."""
        inside = os.path.join(folder, "")
        around = [known for known in self._folders if inside.startswith(os.path.join(known, ""))]
        return self._folders[max(around, key=len)] if around else self.overrides

    def _read(self, folder: str) -> Config:
        if self.overrides.config is None:
            return find_config(folder)
        if self._named is None:
            path = os.path.abspath(self.overrides.config)
            self._named = read_config(path, named=True) or Config()
        return self._named

    def forget(self) -> None:
        """A configuration file changed."""
        self._configs.clear()
        self._codes.clear()
        self._named = None

    def excluded(self, path: str) -> bool:
        """Does `exclude` leave a path out?"""
        config = self.config(os.path.dirname(path))
        return bool(config.exclude) and self._matches(config, config.exclude, path)

    def codes(self, path: str) -> frozenset[str]:
        """The codes of the rules that apply to a file."""
        from trainlint.project.selection import codes_of, enabled_codes

        config, overrides = self.config(os.path.dirname(path)), self._overrides(os.path.dirname(path))
        key = (config.path, overrides)
        if key not in self._codes:
            self._codes[key] = enabled_codes(config, overrides)
        codes = self._codes[key]
        for pattern, words in config.per_file_ignores.items():
            if self._matches(config, (pattern,), path):
                codes = codes - codes_of(words)
        return codes

    def stamp(self, path: str) -> str:
        """A text that differs where other settings hold."""
        import json

        config, overrides = self.config(os.path.dirname(path)), self._overrides(os.path.dirname(path))
        return json.dumps([config.folder, config.values(), overrides], sort_keys=True, default=str)

    def _matches(self, config: Config, patterns: tuple[str, ...], path: str) -> bool:
        from trainlint.project.files import gitignore_spec

        if patterns not in self._specs:
            self._specs[patterns] = gitignore_spec(patterns)
        spec = self._specs[patterns]
        relative = os.path.relpath(path, config.folder).replace(os.sep, "/")
        if spec is None or relative.startswith("../"):
            return False
        return spec.match_file(relative) or (os.path.isdir(path) and spec.match_file(relative + "/"))
