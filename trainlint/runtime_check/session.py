"""One run: from the specification to the report. Everything of the program goes on as it would, until the last step."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, NoReturn

from . import program
from .channel import Channel, die_with, opened

# the exit code of the process after its report; the program's own codes mean that it ended without one
REPORTED = 0


def main(path: str) -> NoReturn:
    """Run what the file at `path` specifies (see `Job` in project/measuring.py) and end the process."""
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    channel = Channel(opened(spec["report"], os.O_WRONLY))
    die_with(opened(spec["alive"], os.O_RDONLY))
    _limit_memory(spec.get("memory_limit"))
    try:
        import torch
    except ImportError as error:
        channel.send("failed", why=f"torch cannot be imported by {sys.executable}: {error}")
        _leave(2)
    channel.send("started", torch=torch.__version__)
    from .accelerator import missing
    from .session_torch import Session

    why = missing(spec["device"])
    if why is not None:
        channel.send("failed", why=why)
        _leave(2)

    session = Session(spec, channel)
    code = 0
    try:
        with contextlib.ExitStack() as stack:
            for mode in session.modes():
                stack.enter_context(mode)
            program.run(spec["target"], spec["arguments"])
        session.ended()
    except SystemExit as exit:
        code = _code(exit.code)
        session.exited(code)
    except BaseException as error:
        program.show(error)
        code = 1
        session.raised(error)
    _leave(code)


def _limit_memory(limit: int | None) -> None:
    """Allocations beyond `limit` bytes fail in the program, as if the machine had no more."""
    if limit is None or sys.platform == "win32":
        return
    import resource

    # on Linux this counts private memory only, so that mapped libraries cost nothing
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


def _code(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1


def _leave(code: int) -> NoReturn:
    """End now: what the program wanted to do after its step (handlers, threads, loggers) must not happen."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
