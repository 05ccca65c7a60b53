"""The interpreter that a program is run with: the setting, else an environment of the folder, else our own."""

from __future__ import annotations

import glob
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence

_FOLDER = "${workspaceFolder}"


def interpreter_of(setting: Sequence[str], folder: str) -> str:
    """A path or a command. Of those that nobody chose the first one that has torch is taken."""
    if setting:
        return resolved(setting[0], folder)
    found = [*environments(folder), sys.executable]
    return next((each for each in found if has_torch(each)), found[0])


def resolved(command: str, folder: str) -> str:
    """`.venv/bin/python` and `${workspaceFolder}/…` are below the folder; a bare name is looked up on the PATH."""
    command = os.path.expanduser(command.replace(_FOLDER, folder))
    if os.path.isabs(command) or not ("/" in command or os.sep in command):
        return command
    return os.path.normpath(os.path.join(folder, command))


def environments(folder: str) -> Iterator[str]:
    """Interpreters of virtual environments in the folder, and of the one that is active."""
    names = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    for root in (*(os.path.join(folder, name) for name in (".venv", "venv")), os.environ.get("VIRTUAL_ENV")):
        if root and os.path.isfile(path := os.path.join(root, *names)):
            yield path


def has_torch(python: str) -> bool:
    """Does the environment of an interpreter have torch? Looked up in its folders; nothing is run."""
    if python == sys.executable:
        return importlib.util.find_spec("torch") is not None
    root = os.path.dirname(os.path.dirname(python))
    patterns = ("lib/python3*/site-packages/torch", "lib64/python3*/site-packages/torch", "Lib/site-packages/torch")
    return any(glob.glob(os.path.join(glob.escape(root), pattern)) for pattern in patterns)
