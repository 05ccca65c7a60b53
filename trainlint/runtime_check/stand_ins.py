"""Packages that only watch a training (trackers, dashboards) and are not here: modules that do nothing stand in."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any

WATCHERS = frozenset(
    {"wandb", "tensorboard", "tensorboardX", "comet_ml", "neptune", "mlflow", "clearml", "swanlab", "aim"}
)
# a part of torch that needs the package behind it
NEEDS = {"torch.utils.tensorboard": "tensorboard"}


class Nothing:
    """Whatever is asked of it, it gives itself; it can be called, entered and written to."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Nothing:
        return self

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *args: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __getitem__(self, key: Any) -> Nothing:
        return self

    def __bool__(self) -> bool:
        return False


class _Empty(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: Any = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()


def only_asked() -> bool:
    """Does somebody ask with `importlib.util.find_spec` whether a package is there, and import nothing?"""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") == "importlib._bootstrap":
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "importlib.util"


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last, when nobody else has the module."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        sys.meta_path.append(self)
        for name, package in NEEDS.items():
            if importlib.machinery.PathFinder.find_spec(package) is None:
                sys.modules[name] = _Empty(name)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package = fullname.partition(".")[0]
        if package not in WATCHERS or only_asked():
            return None
        if package == fullname:
            self._note(f"the package {package} is not installed: nothing is logged to it")
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass
