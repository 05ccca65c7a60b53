"""What a run of `trainlint check` has to tell; the output formats read nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding

LEVELS = ("error", "warning", "info", "hint")


class Sources:
    """The lines of checked files, for excerpts, columns in other units and fingerprints. Texts are given or read."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._lines: dict[tuple[str, int | None], list[str]] = {}

    def give(self, path: str, text: str) -> None:
        """The text of a path that is not (yet) so on disk."""
        self._texts[path] = text
        self._lines = {key: lines for key, lines in self._lines.items() if key[0] != path}

    def line(self, path: str, cell: int | None, line: int) -> str:
        """A 1-based line without its end, "" where there is none."""
        key = (path, cell)
        if key not in self._lines:
            text = self._read(path, cell)
            self._lines[key] = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = self._lines[key]
        return lines[line - 1] if 1 <= line <= len(lines) else ""

    def _read(self, path: str, cell: int | None) -> str:
        from trainlint.project.notebooks import read_notebook
        from trainlint.project.source import UnreadableSource, decode

        try:
            text = self._texts.get(path)
            if text is None:
                with open(path, "rb") as file:
                    text = decode(file.read()).text
            return text if cell is None else read_notebook(text).cells[cell].source
        except (OSError, UnreadableSource, IndexError):
            return ""


class Result:
    """`findings` are all of them, sorted; `shown` those at or above the wanted level. Paths are absolute."""

    def __init__(
        self,
        findings: Sequence[Finding],
        shown: Sequence[Finding],
        errors: Sequence[tuple[str, str]] = (),
        paths: Sequence[str] = (),
        skipped: int = 0,
        seconds: float = 0.0,
        sources: Sources | None = None,
    ) -> None:
        self.findings = findings
        self.shown = shown
        self.errors = errors
        self.paths = paths
        self.skipped = skipped
        self.seconds = seconds
        self.sources = sources or Sources()
        self.colour = False

    @property
    def counts(self) -> dict[str, int]:
        return {level: sum(finding.level == level for finding in self.findings) for level in LEVELS}


def shown_path(path: str) -> str:
    """The path relative to the current folder where it is below, with forward slashes; else absolute."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path.replace(os.sep, "/")
    return (path if relative.startswith(os.pardir) else relative).replace(os.sep, "/")


def place(finding: Finding) -> str:
    """`path:line:column`, or `path:cell N:line:column` in a notebook."""
    cell = "" if finding.cell is None else f"cell {finding.cell}:"
    return f"{shown_path(finding.path)}:{cell}{finding.span.line}:{finding.span.column}"


def uri(path: str) -> str:
    """The path as a relative URI where it is below the current folder, else as a file URI."""
    from urllib.parse import quote

    shown = shown_path(path)
    return quote(shown) if not os.path.isabs(path) or shown != path.replace(os.sep, "/") else "file://" + quote(shown)


def fingerprints(result: Result, findings: Sequence[Finding]) -> list[str]:
    """One fingerprint a finding: path, code, the text of its line, and which of equal ones it is.

    It stays the same when lines above move, and is unique within the run.
    """
    from hashlib import sha256

    seen: dict[str, int] = {}
    prints = []
    for finding in findings:
        line = "".join(result.sources.line(finding.path, finding.cell, finding.span.line).split())
        key = "\0".join((shown_path(finding.path), finding.code, line))
        seen[key] = seen.get(key, 0) + 1
        prints.append(sha256(f"{key}\0{seen[key]}".encode("utf-8", "surrogatepass")).hexdigest()[:32])
    return prints


def utf16_column(line: str, column: int) -> int:
    """The 1-based column in UTF-16 code units of a 1-based column in code points."""
    return len(line[: column - 1].encode("utf-16-le", "surrogatepass")) // 2 + 1


def utf8_column(line: str, column: int) -> int:
    """The 1-based column in UTF-8 bytes of a 1-based column in code points."""
    return len(line[: column - 1].encode("utf-8", "surrogatepass")) + 1
