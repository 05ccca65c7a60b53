"""Notebooks: reading the cells, joining the code into one text with a line map, writing changed cells back."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from trainlint.project.magics import neutralise
from trainlint.project.source import UnreadableSource
from trainlint.text.place import Span

_LINE_END = re.compile(r"\r\n|\r|\n")


class NotNotebook(UnreadableSource):
    """A file that is no notebook; the message says why."""


# a line of this file in a message; `data.py, line 3` is one of another file
_LINE = re.compile(r"(?<!\.py, )\bline (\d+)\b")


class Cell(NamedTuple):
    """A cell: `kind` is "code" for Python code, anything else otherwise."""

    kind: Literal["code", "markdown", "raw"] | str
    source: str


class Joined:
    """The code cells of a notebook as one Python text. Lines are 1-based, cells 0-based over all cells."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = tuple(cells)
        self._indices: list[int] = []
        self._starts: list[int] = []
        parts: list[str] = []
        line = 1
        for index, cell in enumerate(cells):
            if cell.kind != "code":
                continue
            text = neutralise(cell.source)
            self._indices.append(index)
            self._starts.append(line)
            # an end of its own also after a last, empty line; "\r" and "\n" together would be one line end
            text += "\r" if text.endswith("\r") else "\n"
            parts.append(text)
            line += len(_LINE_END.findall(text))
        self.text = "".join(parts)
        self._end = line

    def locate(self, line: int) -> tuple[int, int]:
        """The cell and the line in it of a line of the text. Raises IndexError for a notebook without code."""
        position = max(0, bisect_right(self._starts, line) - 1)
        return self._indices[position], line - self._starts[position] + 1

    def line_of(self, cell: int, line: int) -> int:
        """The line of the text of a line in a code cell. Raises ValueError for a cell that is no code."""
        return self._starts[self._indices.index(cell)] + line - 1

    def locate_span(self, span: Span) -> tuple[int, Span]:
        """The cell of a span and the span in it; an end in a later cell is cut at the end of the cell."""
        cell, line = self.locate(span.line)
        end_cell, end_line = self.locate(span.end_line)
        lines = _LINE_END.split(self.cells[cell].source)
        if end_cell == cell and end_line <= len(lines):
            return cell, Span(line, span.column, end_line, span.end_column)
        return cell, Span(line, span.column, max(line, len(lines)), len(lines[-1]) + 1)

    def retold(self, text: str, cell: int) -> str:
        """A sentence about the joined text with its lines as a reader of one cell counts them."""

        def told(match: re.Match[str]) -> str:
            number = int(match[1])
            if not 0 < number < self._end:
                return match[0]
            other, line = self.locate(number)
            return f"line {line}" if other == cell else f"line {line} of cell {other}"

        return _LINE.sub(told, text)

    def last_lines(self) -> list[int]:
        """The last line of each code cell in the text."""
        return [start - 1 for start in (*self._starts[1:], self._end)]


def join_cells(cells: Sequence[Cell]) -> Joined:
    """Join the code cells in order, with magics neutralised and line counts and columns kept."""
    return Joined(cells)


class Notebook:
    """A notebook file: its cells, and its JSON for writing it back in the same form."""

    def __init__(self, text: str, content: dict[str, Any], raw_cells: list[dict[str, Any]]) -> None:
        self._text = text
        self._content = content
        self._raw_cells = raw_cells
        self.cells = [_cell(raw, _language(content)) for raw in raw_cells]

    def with_sources(self, sources: Mapping[int, str]) -> str:
        """The file's text with the sources of some cells replaced; key order, indent and escapes as before."""
        content = json.loads(self._text.removeprefix("\ufeff"))
        cells = _raw_cells(content)
        for index, source in sources.items():
            key = "input" if "input" in cells[index] and "source" not in cells[index] else "source"
            is_list = isinstance(cells[index].get(key), list)
            cells[index][key] = _keep_line_ends(source) if is_list else source
        return _dump_like(self._text, content)


def read_notebook(text: str) -> Notebook:
    """Parse the text of an .ipynb file (nbformat 3 or 4). Raises NotNotebook."""
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise NotNotebook(f"is not a notebook: not JSON (line {error.lineno}: {error.msg})") from error
    except RecursionError as error:
        raise NotNotebook("is not a notebook: JSON nested too deeply") from error
    if not isinstance(content, dict):
        raise NotNotebook("is not a notebook: the JSON is no object")
    return Notebook(text, content, _raw_cells(content))


def _raw_cells(content: dict[str, Any]) -> list[dict[str, Any]]:
    cells = content.get("cells")
    if cells is None and isinstance(content.get("worksheets"), list):  # nbformat 3
        sheets = [sheet for sheet in content["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", ())]
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotNotebook('is not a notebook: it has no list "cells"')
    return cells


def _language(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return "python"
    for holder in ("language_info", "kernelspec"):
        info = metadata.get(holder)
        name = info.get("name" if holder == "language_info" else "language") if isinstance(info, dict) else None
        if isinstance(name, str):
            return name.lower()
    return "python"


def _cell(raw: dict[str, Any], language: str) -> Cell:
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    kind = str(raw.get("cell_type", ""))
    if kind == "code" and not _is_python(raw, language):
        kind = "raw"
    return Cell(kind, source if isinstance(source, str) else "")


def _is_python(raw: dict[str, Any], language: str) -> bool:
    metadata = raw.get("metadata")
    vscode = metadata.get("vscode") if isinstance(metadata, dict) else None
    own = vscode.get("languageId") if isinstance(vscode, dict) else raw.get("language")
    return (own if isinstance(own, str) else language).lower() in ("python", "ipython", "python3", "")


def _keep_line_ends(source: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", source)


def _dump_like(text: str, content: dict[str, Any]) -> str:
    match = re.match(r"\ufeff?\s*\{(\r?\n)([ \t]*)", text)
    indent = match[2] if match else None
    separators = None if match or re.match(r"\ufeff?\s*\{\s*\"[^\"]*\": ", text) else (",", ":")
    escaped = text.isascii() and re.search(r"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}", text) is not None
    dumped = json.dumps(content, indent=indent, ensure_ascii=escaped, separators=separators)
    if match and match[1] == "\r\n":
        dumped = dumped.replace("\n", "\r\n")
    tail = text[len(text.rstrip()) :]
    return ("\ufeff" if text.startswith("\ufeff") else "") + dumped + tail
