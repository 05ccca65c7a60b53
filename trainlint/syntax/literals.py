"""Values of literals, without the warnings of `ast.literal_eval` for odd escapes. Unreadable ones raise ValueError."""

from __future__ import annotations

import re
import unicodedata

_PREFIX = re.compile(r"[A-Za-z]*")
_ESCAPE = re.compile(
    r"\\(?:(\n)|([0-7]{1,3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|N\{([^}]*)\}|(.))", re.S
)
_SINGLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


def number(text: str) -> int | float | complex:
    """The value of a numeric literal as Python reads it. Raises ValueError for one that Python would refuse."""
    plain = text.replace("_", "")
    if plain[-1] in "jJ":
        return complex(plain)
    if plain[:2].lower() in ("0x", "0o", "0b"):
        return int(plain, 0)
    if "." in plain or "e" in plain or "E" in plain:
        return float(plain)
    return int(plain)


def string(text: str) -> str | bytes:
    """The value of a string or bytes literal with its prefix and quotes (no f- or t-string)."""
    match = _PREFIX.match(text)
    prefix = match.group().lower() if match else ""
    start = len(prefix)
    quotes = 3 if text[start : start + 3] in ('"""', "'''") else 1
    body = text[start + quotes : len(text) - quotes]
    if "b" in prefix:
        plain = body if "r" in prefix else unescape(body, is_bytes=True)
        return plain.encode("latin-1")
    return body if "r" in prefix else unescape(body)


def unescape(body: str, is_bytes: bool = False) -> str:
    """Text with its escape sequences read; an unknown escape stays as written, as in Python."""
    if "\\" not in body:
        return body

    def value(match: re.Match[str]) -> str:
        newline, octal, byte, short, long, name, single = match.groups()
        if newline:
            return ""
        if octal:
            code = int(octal, 8)
            return chr(code & 0xFF if is_bytes else code)
        if byte:
            return chr(int(byte, 16))
        if is_bytes and single is None:
            return match.group()
        if short or long:
            return chr(int(short or long, 16))
        if name is not None:
            return _named(name)
        return _SINGLE.get(single, match.group())

    return _ESCAPE.sub(value, body)


def _named(name: str) -> str:
    try:
        return unicodedata.lookup(name)
    except KeyError as error:
        raise ValueError(f"unknown character name {name}") from error
