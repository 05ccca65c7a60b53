"""Which text was measured: hashes of files and cells, and the files of a report that was made on another machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath

# how many folders of a foreign path are tried below a root
DEEPEST = 6


def text_hash(text: str) -> str:
    """The same for the same lines, whatever their line ends and a byte order mark."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.blake2b(lines.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def file_hash(path: str) -> str | None:
    """The hash of a Python file; None where it cannot be read."""
    from trainlint.project.source import UnreadableSource, decode

    try:
        with open(path, "rb") as file:
            return text_hash(decode(file.read()).text)
    except (OSError, UnreadableSource):
        return None


def found_here(path: str, folders: Iterable[str]) -> str | None:
    """The file that a path of a report means on this machine: itself, or the longest tail of it below a folder."""
    if os.path.isabs(path) and os.path.isfile(path):
        return path
    foreign = PureWindowsPath(path) if "\\" in path else PurePosixPath(path)
    parts = [part for part in foreign.parts if part not in ("/", "\\", foreign.anchor, "..")]
    for length in range(min(len(parts), DEEPEST), 0, -1):
        for folder in folders:
            candidate = os.path.join(folder, *parts[-length:])
            if os.path.isfile(candidate):
                return candidate
    return None
