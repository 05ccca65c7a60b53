"""Text for terminals: colour where it is wanted, nothing that a terminal would obey in text from files."""

from __future__ import annotations

import os
from typing import TextIO

_CODES = {"bold": "1", "red": "31", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "green": "32"}
LEVEL_COLOURS = {"error": "red", "warning": "yellow", "info": "blue", "hint": "cyan"}


def wants_colour(stream: TextIO) -> bool:
    """NO_COLOR and FORCE_COLOR decide, else whether the stream is a terminal that can."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Style:
    """Paints text, or leaves it as it is."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def paint(self, text: str, *names: str) -> str:
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def harmless(text: str) -> str:
    """The text with control characters (but tabs) replaced, character for character."""
    if text.isprintable():
        return text
    return "".join(char if char == "\t" or char.isprintable() else "\ufffd" for char in text)


def one_line(text: str) -> str:
    """The text on one harmless line."""
    return harmless(" ".join(text.split()))


def blanks(text: str) -> str:
    """White space as wide as the text looks in a terminal."""
    return "".join(char if char == "\t" else " " * _width(char) for char in text)


def width(text: str) -> int:
    """The columns that a text without tabs takes in a terminal."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if char.isascii():
        return 1
    import unicodedata

    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
