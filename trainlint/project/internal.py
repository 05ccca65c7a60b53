"""Telling an internal error in one line."""

from __future__ import annotations

import os


def describe(error: BaseException) -> str:
    """The error with the last place inside trainlint, without the machine's paths."""
    import traceback

    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "trainlint" in frame.filename:
            where = f" ({os.path.basename(frame.filename)}:{frame.lineno})"
            break
    text = " ".join(str(error).split())[:200]
    return f"internal error: {type(error).__name__}{': ' + text if text else ''}{where}"
