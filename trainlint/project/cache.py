"""Findings kept between runs in the user's cache folder: found by the content of everything that was read for them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import trainlint
from trainlint.project.report import FileReport, report_from_plain

# an import (level 0, 1, …) or a data file (level -1) that a file asked for, and the path it got
Question = tuple[str, int, str, "str | None"]
_FORMAT = 1
_MAX_AGE = 30 * 24 * 3600
_PRUNE_EVERY = 24 * 3600


def cache_folder() -> str:
    """The folder of the cache in the user's cache folder (XDG_CACHE_HOME and the like are respected)."""
    import platformdirs

    return os.path.join(platformdirs.user_cache_dir("trainlint", appauthor=False), f"findings-{_FORMAT}")


def clean() -> str:
    """Remove the cache; returns the folder that is gone."""
    folder = os.path.dirname(cache_folder())
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def digest(*parts: str | bytes) -> str:
    """A hash of the parts, kept apart."""
    state = hashlib.blake2b(digest_size=20)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(b"%d:" % len(raw))
        state.update(raw)
    return state.hexdigest()


class Cache:
    """One folder of JSON files. Never raises: what cannot be read or written is a miss."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or cache_folder()
        self._code = digest(trainlint.__version__, sys.version, _code_stamp())

    def key(self, path: str, raw: bytes, settings: str) -> str:
        """The key of a file: its path, content, the settings in force, and the version of everything that judges it."""
        return digest(self._code, path, raw, settings)

    def get(
        self,
        key: str,
        locate: Callable[[str, int, str], str | None],
        content: Callable[[str], str | None],
    ) -> FileReport | None:
        """The report under a key, where every file that was read for it is still found and has the same content.

        `locate` answers a question anew, `content` gives the hash of a file.
        """
        try:
            with open(self._file(key), encoding="utf-8") as file:
                entry = json.load(file)
            for importer, level, name, answer in entry["questions"]:
                if locate(importer, level, name) != answer:
                    return None
            for path, expected in entry["contents"].items():
                if content(path) != expected:
                    return None
            return report_from_plain(entry["report"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def put(
        self,
        key: str,
        report: FileReport,
        questions: Iterable[Question],
        content: Callable[[str], str | None],
    ) -> None:
        """Store a report with the questions that were asked for it."""
        asked = list(questions)
        contents = {answer: content(answer) for *_, answer in asked if answer is not None}
        self._write(key, {"questions": asked, "contents": contents, "report": report.plain()})

    def prune(self) -> None:
        """Remove entries that nobody has asked for in a month; looks at most once a day."""
        marker = os.path.join(self._folder, "pruned")
        now = time.time()
        try:
            if os.path.exists(marker) and now - os.stat(marker).st_mtime < _PRUNE_EVERY:
                return
            os.makedirs(self._folder, exist_ok=True)
            with open(marker, "w"):
                pass
            for folder, _, names in os.walk(self._folder):
                for name in names:
                    path = os.path.join(folder, name)
                    if name != "pruned" and now - os.stat(path).st_mtime > _MAX_AGE:
                        os.unlink(path)
        except OSError:
            return

    def _file(self, key: str) -> str:
        return os.path.join(self._folder, key[:2], key[2:] + ".json")

    def _write(self, key: str, entry: dict[str, Any]) -> None:
        target = self._file(key)
        temporary = f"{target}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(entry, file, separators=(",", ":"))
            os.replace(temporary, target)
        except (OSError, ValueError):
            try:
                os.unlink(temporary)
            except OSError:
                return


def _code_stamp() -> str:
    """Changes when the code of trainlint does, so that a checkout under development never gets old answers."""
    top = os.path.dirname(os.path.abspath(trainlint.__file__))
    newest, count = 0, 0
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if name.endswith((".py", ".json", ".txt")):
                newest = max(newest, os.stat(os.path.join(folder, name)).st_mtime_ns)
                count += 1
    return f"{top} {count} {newest}"
