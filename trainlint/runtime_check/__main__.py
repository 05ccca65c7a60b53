"""`python <this folder> SPECIFICATION.json`: run a program for a few training steps and report what they held.

The folder is started by its path, because the interpreter is the person's and need not have trainlint installed. It is
imported under a name of its own, so that it cannot meet a module of the program.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

NAME = "trainlint_runtime_check"


def load() -> None:
    """Make this folder importable as the package `trainlint_runtime_check`, and take it off the import path."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != folder]
    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    spec = importlib.util.spec_from_file_location(
        NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    importlib.import_module(f"{NAME}.session")
    sys.dont_write_bytecode = kept


if __name__ == "__main__":
    load()
    sys.modules[f"{NAME}.session"].main(sys.argv[1])
