"""`trainlint server`: the language server on standard input and output."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import BinaryIO

USAGE = "usage: trainlint server [--stdio] [--verbose]"


def serve(argv: Sequence[str] = ()) -> int:
    """Speak LSP until the client says `exit`, closes our standard input or dies.

    Returns 0 after `shutdown` and `exit`, 1 when the client ended without `shutdown`, 2 for an unknown argument.
    Everything but LSP goes to standard error.
    """
    arguments = list(argv)
    if "-h" in arguments or "--help" in arguments:
        print(USAGE)
        return 0
    unknown = [argument for argument in arguments if argument not in ("--stdio", "--verbose", "-v")]
    if unknown:
        print(f"trainlint server: unknown argument {unknown[0]!r}; allowed: --stdio, --verbose", file=sys.stderr)
        return 2
    verbose = "--verbose" in arguments or "-v" in arguments
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("pygls").setLevel(logging.WARNING)

    from trainlint.server.app import App
    from trainlint.server.garbage import defer
    from trainlint.server.language_server import Server

    # the loop answers while the analysis runs: it must not wait long for the interpreter's lock
    sys.setswitchinterval(0.001)
    defer()
    server = Server()
    App(server)
    server.speak(_own_stdin(), _own_stdout())
    return 0 if server.protocol.was_shut_down else 1


def _own_stdin() -> BinaryIO:
    """Standard input for LSP alone: Python closes `sys.stdin` when it ends, and must not wait for one who reads."""
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")


def _own_stdout() -> BinaryIO:
    """Standard output for LSP alone: whatever else writes to it (a library's print) lands on standard error."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return stream
