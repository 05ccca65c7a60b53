"""The text of a file and how it is stored: byte order mark, declared encoding and line ends survive a round trip."""

from __future__ import annotations

import codecs
from typing import NamedTuple

_COOKIE = rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)"
_BLANK = rb"^[ \t\f]*(?:#[^\r\n]*)?$"
_LINE_END = rb"\r\n|\r|\n"


class UnreadableSource(Exception):
    """A file that is no text in its encoding; the message is for a person."""


class Source(NamedTuple):
    """`text` is without the byte order mark and with the line ends of the file."""

    text: str
    encoding: str = "utf-8"
    bom: bool = False

    def encode(self, text: str) -> bytes:
        """The bytes of a changed text, stored in the same way. Raises UnreadableSource."""
        try:
            raw = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise UnreadableSource(f"the new text does not fit the encoding {self.encoding}") from error
        return codecs.BOM_UTF8 + raw if self.bom else raw


def decode(raw: bytes) -> Source:
    """Decode as Python does: UTF-8 unless a comment in the first two lines says otherwise (PEP 263).

    Raises UnreadableSource.
    """
    bom = raw.startswith(codecs.BOM_UTF8)
    if bom:
        raw = raw[len(codecs.BOM_UTF8) :]
    declared = None if bom else _declared(raw)
    if declared is not None and not _is_text_codec(declared):
        raise UnreadableSource(f"the file declares the unknown encoding {declared!r}")
    encoding = declared or "utf-8"
    try:
        return Source(raw.decode(encoding), encoding, bom)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableSource(f"is not valid {encoding} (byte {error.start}, line {line})") from error
    except UnicodeError as error:
        raise UnreadableSource(f"is not valid {encoding}") from error


def _declared(raw: bytes) -> str | None:
    if b"coding" not in raw[:400]:
        return None
    import re

    for line in re.split(_LINE_END, raw[:400], maxsplit=2)[:2]:
        match = re.match(_COOKIE, line)
        if match:
            name = match[1].decode("ascii")
            return "utf-8" if re.fullmatch(r"utf[-_]?8(-.*)?", name, re.IGNORECASE) else name
        if not re.match(_BLANK, line):
            return None
    return None


def _is_text_codec(name: str) -> bool:
    try:
        return bool(getattr(codecs.lookup(name), "_is_text_encoding", True))
    except LookupError:
        return False
