"""Running the person's program as `__main__`: a script, a module, or the code cells of a notebook."""

from __future__ import annotations

import linecache
import os
import runpy
import sys
import tokenize
import traceback
import types
from typing import Any

OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def run(target: dict[str, Any], arguments: list[str]) -> None:
    """Run to the end. What the program raises comes out of here."""
    kind = target["kind"]
    if kind == "module":
        sys.argv = [target["name"], *arguments]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(target["name"], run_name="__main__", alter_sys=True)
        return
    path = target["path"]
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    if kind == "notebook":
        # what the launcher puts in the place of magics and shell lines that give a value
        main.__dict__["__notebook_magic__"] = list
        for number, source in target["cells"]:
            exec(compile(source, f"{path}::{number}", "exec"), main.__dict__)
        return
    source = target.get("source")
    if source is None:
        with tokenize.open(path) as file:
            source = file.read()
    else:
        # the text of an editor, which may not be saved: tracebacks show its lines
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    exec(compile(source, path, "exec"), main.__dict__)


def show(error: BaseException) -> None:
    """Print a traceback as Python does, without frames of ours in it."""
    shown = traceback.TracebackException.from_exception(error)
    _strip(shown, set())
    sys.stderr.write("".join(shown.format()))
    sys.stderr.flush()


def _strip(shown: traceback.TracebackException | None, seen: set[int]) -> None:
    if shown is None or id(shown) in seen:
        return
    seen.add(id(shown))
    kept = [frame for frame in shown.stack if not _is_ours(frame.filename)]
    shown.stack = traceback.StackSummary.from_list(kept)
    _strip(shown.__cause__, seen)
    _strip(shown.__context__, seen)
    for each in getattr(shown, "exceptions", None) or ():
        _strip(each, seen)


def _is_ours(path: str) -> bool:
    return path.startswith((OURS, "<frozen runpy>", "<frozen importlib"))
