"""Patching modules that the program imports later, without importing them before it does."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

Patch = Callable[[ModuleType], None]


class _Patching(importlib.abc.Loader):
    """A loader that runs a patch after the real one."""

    def __init__(self, loader: importlib.abc.Loader, patch: Patch) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # the module keeps its real loader: it may ask it for its files
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._patch(module)


class AfterImport(importlib.abc.MetaPathFinder):
    """Runs a patch when a module has been imported; at once for one that is there already."""

    def __init__(self) -> None:
        self._patches: dict[str, Patch] = {}
        sys.meta_path.insert(0, self)

    def patch(self, name: str, patch: Patch) -> None:
        if name in sys.modules:
            patch(sys.modules[name])
        else:
            self._patches[name] = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patch = self._patches.pop(fullname, None)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Patching(spec.loader, patch)
                return spec
        return None
