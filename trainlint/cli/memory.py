"""`trainlint memory FILE`: what one training step will take of the GPU's memory, without running anything."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from trainlint.cli.style import harmless
from trainlint.project.errors import UsageError
from trainlint.project.files import root_of
from trainlint.project.session import Session

if TYPE_CHECKING:
    import argparse


def show_memory(options: argparse.Namespace) -> int:
    """Print the estimate of a training loop. Raises UsageError for a file that is none or has no training loop."""
    from trainlint.memory.entries import NoSuchEntry, chosen, told
    from trainlint.memory.report import as_object, as_text

    path = os.path.abspath(options.file)
    if not os.path.isfile(path):
        raise UsageError(f"{options.file}: no such file")
    session = Session([root_of(path)])
    found = session.memory(path, options.batch_size)
    if not found:
        why = "a loop that runs `backward()`"
        if used := session.frameworks(path):
            why = f"no step that is followed; it uses {', '.join(used)}, whose loop may run elsewhere or is not known"
        raise UsageError(f"{options.file} has no training loop: {why}")
    try:
        estimate = chosen(found, options.entry)
    except NoSuchEntry as error:
        raise UsageError(str(error)) from None

    def locate(path: str, line: int) -> tuple[str, int | None, int]:
        return (os.path.relpath(path), *session.located(path, line))

    if options.output_format == "json":
        said = {**as_object(estimate, locate), "path": os.path.relpath(path)}
        print(json.dumps(said, ensure_ascii=False, indent=1))
    else:
        print("\n".join(harmless(line) for line in as_text(estimate, locate)))
        others = [each for each in found if each is not estimate]
        if others:
            loops = ", ".join(told(each) for each in others)
            print(f"other training loops: {loops}; choose one with --entry", file=sys.stderr)
    return 0
