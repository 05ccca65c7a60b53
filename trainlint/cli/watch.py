"""`trainlint check --watch`: check again whenever one of the files changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from trainlint.project.errors import UsageError

if TYPE_CHECKING:
    from trainlint.cli.check import Check

_SECONDS = 0.5


def watch(make: Callable[[], Check]) -> int:
    """Run until interrupted."""
    while True:
        run = make()
        try:
            run.run()
        except UsageError as error:  # a configuration being edited
            print(f"trainlint: {error}", file=sys.stderr)
        sys.stdout.flush()
        print("Watching for changes; stop with Ctrl+C.", file=sys.stderr)
        before = _stamps(run.found.files)
        while _stamps(run.found.files) == before:
            time.sleep(_SECONDS)


def _stamps(paths: Iterable[str]) -> list[object]:
    """The files and the folders they are in: a new file changes its folder."""
    wanted = sorted({each for path in paths for each in (path, os.path.dirname(path))} or {os.getcwd()})
    return [_stamp(path) for path in wanted]


def _stamp(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size)
