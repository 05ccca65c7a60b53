"""Reading a memory snapshot of PyTorch, which is a pickle: only plain data is taken from it, nothing is ever called."""

from __future__ import annotations

import pickle
from typing import Any, NoReturn

from trainlint.project.errors import UsageError


class _PlainData(pickle.Unpickler):
    """Lists, dictionaries, tuples, numbers and texts. Whatever names a class or a function is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it holds more than plain data: {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to data outside of it")


def read_snapshot(path: str) -> Any:
    """The content of a snapshot. Raises UsageError for a file that is none."""
    try:
        with open(path, "rb") as file:
            return _PlainData(file).load()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except Exception as error:
        # a damaged pickle can fail in any way
        raise UsageError(f"{path}: not a memory snapshot of PyTorch ({error})") from error
