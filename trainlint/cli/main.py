"""The entry point of the command `trainlint`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

OK, FINDINGS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 clean, 1 findings, 2 wrong use, 3 internal error."""
    # a short-lived process that builds many small objects: collecting them often costs a quarter of its time
    gc.set_threshold(100_000, 20, 20)
    from trainlint.cli.options import parse
    from trainlint.project.errors import UsageError

    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(parse(arguments))
        sys.stdout.flush()
        return code
    except SystemExit as exit:  # argparse: help, version, a wrong option
        return exit.code if isinstance(exit.code, int) else OK
    except UsageError as error:
        print(f"trainlint: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # nobody reads any more; the interpreter must not complain when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _internal_error(error)


def _run(options: argparse.Namespace) -> int:
    command: str = options.command
    if command == "check":
        from trainlint.cli.check import check

        return check(options)
    if command == "server":
        from trainlint.server.main import serve

        return serve(["--stdio", "--verbose"] if options.verbose else ["--stdio"])
    if command == "rule":
        from trainlint.cli.rule import show_rule

        return show_rule(options)
    if command == "model":
        from trainlint.cli.model import show_facts

        return show_facts(options)
    if command == "memory":
        from trainlint.cli.memory import show_memory

        return show_memory(options)
    if command == "measure":
        from trainlint.cli.measure import show_measure

        return show_measure(options)
    if command == "config":
        from trainlint.cli.config import show_config

        return show_config(options)
    if command == "gpus":
        from trainlint.cli.gpus import show_gpus

        return show_gpus(options)
    from trainlint.project.cache import clean

    print(f"removed {clean()}")
    return OK


def _internal_error(error: Exception) -> int:
    from trainlint.project.internal import describe

    if os.environ.get("TRAINLINT_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    hint = "please report it, with the output of the same command under TRAINLINT_DEBUG=1"
    print(f"trainlint: {describe(error)}; {hint}", file=sys.stderr)
    return INTERNAL
