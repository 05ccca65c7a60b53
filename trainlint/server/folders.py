"""The workspace folders, with what the editor's settings say in each of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from lsprotocol import types as lsp

from trainlint.project.config import Overrides
from trainlint.server.settings import Settings, read_settings
from trainlint.server.uris import file_path

SECTION = "trainlint"


class Folders:
    """Folders by path, each with the client's own URI. A file belongs to the innermost folder around it."""

    def __init__(self) -> None:
        self._uris: dict[str, str] = {}
        # of the folders that were asked about
        self._settings: dict[str, Settings] = {}
        self.common = Settings()

    @property
    def roots(self) -> list[str]:
        """The paths, in the client's order."""
        return list(self._uris)

    @property
    def first(self) -> str | None:
        return next(iter(self._uris), None)

    def change(self, removed: Iterable[str], added: Iterable[str]) -> None:
        """Folders by their URIs; those that are no files are left out."""
        for uri in removed:
            path = file_path(uri)
            if path is not None:
                self._uris.pop(path, None)
                self._settings.pop(path, None)
        for uri in added:
            path = file_path(uri)
            if path is not None:
                self._uris.setdefault(path, uri)

    def around(self, path: str) -> str | None:
        """The innermost folder around a file."""
        return max((root for root in self._uris if path.startswith(os.path.join(root, ""))), key=len, default=None)

    def of(self, path: str) -> Settings:
        """The settings that hold for a file."""
        root = self.around(path)
        return self.common if root is None else self._settings.get(root, self.common)

    def __iter__(self) -> Iterator[Settings]:
        """All settings that hold somewhere."""
        return iter([self.common, *self._settings.values()])

    def wish(self) -> list[lsp.ConfigurationItem]:
        """What to ask the client for: the common settings, then those of each folder."""
        scopes = [None, *self._uris.values()]
        return [lsp.ConfigurationItem(scope_uri=scope, section=SECTION) for scope in scopes]

    def told(self, wish: Sequence[lsp.ConfigurationItem], answers: Sequence[object]) -> None:
        """The client's answers. What it leaves open is as in the common settings; those stay where they are open."""
        for item, answer in zip(wish, answers, strict=False):
            if item.scope_uri is None:
                if answer is not None:
                    self.common = read_settings(answer)
                continue
            path = file_path(item.scope_uri)
            if path not in self._uris:
                continue
            if answer is None:
                self._settings.pop(path, None)
            else:
                self._settings[path] = read_settings(answer)

    def overrides(self) -> tuple[Overrides, dict[str, Overrides]]:
        """What the settings lay over configuration files: for files in no folder, and by folder."""
        return overrides(self.common), {root: overrides(settings) for root, settings in self._settings.items()}


def overrides(settings: Settings) -> Overrides:
    names = ("select", "ignore", "extend_select", "gpu", "gpu_memory")
    return Overrides(**{name: getattr(settings, name) for name in names})
