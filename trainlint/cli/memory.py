"""`trainlint memory FILE`: what one training step will take of the GPU's memory, without running anything."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from trainlint.cli.style import Style, wants_colour
from trainlint.project.config import Overrides
from trainlint.project.errors import UsageError
from trainlint.project.files import root_of
from trainlint.project.session import Session

if TYPE_CHECKING:
    import argparse

    from trainlint.memory.estimate import Estimate
    from trainlint.memory.target import Target


# seconds for following the program; half as many again for what follows from the estimate
PATIENCE = 60.0


def show_memory(options: argparse.Namespace) -> int:
    """Print the estimate of a training loop.

    Raises UsageError for a file that is none or has no training loop, and for a GPU that is not known.
    """
    path = os.path.abspath(options.file)
    if not os.path.isfile(path):
        raise UsageError(f"{options.file}: {'is a folder' if os.path.isdir(path) else 'no such file'}")
    overrides = Overrides(
        config=options.config, gpu=options.gpu, gpu_memory=options.gpu_memory, world_size=options.world_size
    )
    session = Session([root_of(path)], overrides)
    target = target_of(session, path)
    patience = Patience(PATIENCE)
    found = estimated(session, path, options, target, patience)
    if not found:
        why = "a loop that runs `backward()`"
        if used := session.frameworks(path):
            why = f"no step that is followed; it uses {', '.join(used)}, whose loop may run elsewhere or is not known"
        elif (line := session.broken_line(path)) is not None:
            why += f"; line {line} does not parse"
        raise UsageError(f"{options.file} has no training loop: {why}")
    estimate = chosen(found, options.entry)
    patience.seconds += PATIENCE / 2
    told = report(session, path, estimate, target, patience, whole=options.output_format == "html")
    if options.output_format == "json":
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    elif options.output_format == "html":
        from trainlint.cli.memory_page import as_page

        text = as_page(told, partial(source_line, session))
    else:
        from trainlint.cli.memory_text import as_text, plain

        style = Style(options.output_file is None and wants_colour(sys.stdout))
        encoding = "utf-8" if options.output_file else sys.stdout.encoding or "utf-8"
        text = plain("\n".join(as_text(told, style)) + "\n", encoding)
    write(text, options.output_file)
    mention_others(found, estimate)
    return 0


class Patience:
    """Called again and again while a step is followed and played; raises OutOfTime when so many seconds are over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._begun > self.seconds:
            from trainlint.memory.plan import OutOfTime

            raise OutOfTime


def estimated(
    session: Session, path: str, options: argparse.Namespace, target: Target | None, patience: Patience
) -> list[Estimate]:
    """The training loops of the file. Raises UsageError where they are too large to be waited for."""
    from trainlint.memory.plan import OutOfTime

    try:
        return session.memory(path, options.batch_size, target, patience)
    except OutOfTime:
        text = (
            f"{options.file}: no estimate after {patience.seconds:.0f} seconds, the program is too large to be followed"
        )
        raise UsageError(text) from None


def target_of(session: Session, path: str) -> Target | None:
    """The GPU that the command line or the configuration names. Raises UsageError for one that is not known."""
    from trainlint.memory import target
    from trainlint.memory.gpus import find, nearest

    config = session.settings.config(os.path.dirname(path))
    if config.gpu is not None and find(config.gpu) is None:
        close = nearest(config.gpu)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(f"no GPU is called {config.gpu!r}{hint} (`trainlint gpus` lists them)")
    return target.target_of(config.gpu, config.gpu_memory)


def chosen(found: list[Estimate], entry: str | None) -> Estimate:
    """The loop that is meant. Raises UsageError."""
    from trainlint.memory import entries

    try:
        return entries.chosen(found, entry)
    except entries.NoSuchEntry as error:
        raise UsageError(str(error)) from None


def report(
    session: Session, path: str, estimate: Estimate, target: Target | None, patience: Patience, *, whole: bool
) -> dict[str, Any]:
    """The object of the contract; what cannot be found before patience ends is left out of it."""
    from trainlint.memory.answer import answer
    from trainlint.memory.report import as_object

    def locate(path: str, line: int) -> tuple[str, int | None, int]:
        return (os.path.relpath(path), *session.located(path, line))

    found = answer(estimate, target, whole=whole)
    # the little that is left
    patience.seconds = math.inf
    told = as_object(estimate, locate, found)
    return {**told, "path": os.path.relpath(path)}


def source_line(session: Session, place: dict[str, Any]) -> str:
    """The text of a line of the report, without its indentation; empty where it cannot be read."""
    return session.source_line(os.path.abspath(place["path"]), place["cell"], place["line"]).strip()


def write(text: str, file: str | None) -> None:
    """To a file, or to stdout with a question mark for what a console cannot show. Raises UsageError."""
    if file is None:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        return
    try:
        with open(file, "w", encoding="utf-8", errors="replace", newline="") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"--output-file {file}: {error.strerror}") from error


def mention_others(found: list[Estimate], estimate: Estimate) -> None:
    """Say on stderr that the file has other loops."""
    from trainlint.memory.entries import told

    others = [each for each in found if each is not estimate]
    if others:
        loops = ", ".join(told(each) for each in others)
        print(f"other training loops: {loops}; choose one with --entry", file=sys.stderr)
