"""Notebooks: cells are joined, findings come back per cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from editor import Editor, Text, codes, edits_of, uri
from training_scripts import CELLS


def cell_uri(path: Path, number: int) -> str:
    return f"vscode-notebook-cell:{path}#W{number}sZmlsZQ%3D%3D"


class Notebook:
    """A notebook of Python cells as an editor synchronises it."""

    def __init__(self, editor: Editor, path: Path, texts: tuple[str, ...] = CELLS) -> None:
        self.editor, self.uri, self.version = editor, uri(path), 1
        self.cells = [Text(cell_uri(path, i), text, editor.encoding) for i, text in enumerate(texts)]
        editor.notify(
            "notebookDocument/didOpen",
            {
                "notebookDocument": {
                    "uri": self.uri,
                    "notebookType": "jupyter-notebook",
                    "version": 1,
                    "cells": [{"kind": 2, "document": cell.uri} for cell in self.cells],
                },
                "cellTextDocuments": [self.item(cell) for cell in self.cells],
            },
        )

    @staticmethod
    def item(cell: Text) -> dict[str, Any]:
        return {"uri": cell.uri, "languageId": "python", "version": cell.version, "text": cell.text}

    def change(self, cells: dict[str, Any]) -> None:
        self.version += 1
        about = {"uri": self.uri, "version": self.version}
        self.editor.notify("notebookDocument/didChange", {"notebookDocument": about, "change": {"cells": cells}})

    def set(self, number: int, text: str) -> None:
        cell = self.cells[number]
        cell.text, cell.version = text, cell.version + 1
        about = {"uri": cell.uri, "version": cell.version}
        self.change({"textContent": [{"document": about, "changes": [{"text": text}]}]})

    def remove(self, number: int) -> Text:
        gone = self.cells.pop(number)
        array = {"start": number, "deleteCount": 1}
        self.change({"structure": {"array": array, "didClose": [{"uri": gone.uri}]}})
        return gone

    def pushed(self, cell: Text, test: Callable[[set[str]], bool]) -> list[dict[str, Any]]:
        def current() -> bool:
            found = self.editor.pushed.get(cell.uri)
            return found is not None and test(codes(found["diagnostics"]))

        assert self.editor.until(current), self.editor.pushed.get(cell.uri)
        return self.editor.pushed[cell.uri]["diagnostics"]


def test_cells_share_what_they_know(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    assert editor.server["notebookDocumentSync"]
    book = Notebook(editor, tmp_path / "nb.ipynb")
    (item,) = book.pushed(book.cells[2], lambda found: "LR004" in found)
    assert item["range"]["start"]["line"] == 1
    assert book.cells[2].slice(item["range"]).endswith("0.5")
    assert editor.pushed[book.cells[0].uri]["diagnostics"] == []
    book.set(2, CELLS[2].replace("0.5", "0.001"))
    assert book.pushed(book.cells[2], lambda found: not found) == []
    assert editor.pushed[book.cells[2].uri]["version"] == 2


def test_a_cell_that_is_pulled_is_not_pushed(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    book = Notebook(editor, tmp_path / "nb.ipynb")
    book.pushed(book.cells[2], lambda found: "LR004" in found)
    assert codes(editor.pull(book.cells[2])["items"]) == {"LR004"}
    assert book.pushed(book.cells[2], lambda found: not found) == []
    book.set(2, CELLS[2].replace("0.5", "0.6"))
    assert codes(editor.pull(book.cells[2])["items"]) == {"LR004"}
    editor.until(lambda: False, 0.5)
    assert editor.pushed[book.cells[2].uri]["diagnostics"] == []


def test_a_deleted_cell_takes_its_findings_along(start: Callable[..., Editor], tmp_path: Path) -> None:
    """VS Code sends the same message when a cell's language changes away from Python."""
    editor = start("vscode-1.139")
    book = Notebook(editor, tmp_path / "nb.ipynb", (*CELLS, "opt2 = optim.Adam(net.parameters(), lr=0.9)\n"))
    book.pushed(book.cells[2], lambda found: "LR004" in found)
    gone = book.remove(2)
    assert book.pushed(gone, lambda found: not found) == []
    (item,) = book.pushed(book.cells[2], lambda found: "LR004" in found)
    assert item["range"]["start"]["line"] == 0


def test_closing_clears_every_cell(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    book = Notebook(editor, tmp_path / "nb.ipynb")
    book.pushed(book.cells[2], lambda found: "LR004" in found)
    cells = [{"uri": cell.uri} for cell in book.cells]
    editor.notify("notebookDocument/didClose", {"notebookDocument": {"uri": book.uri}, "cellTextDocuments": cells})
    assert book.pushed(book.cells[2], lambda found: not found) == []


def test_actions_and_hovers_speak_of_the_cell(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    book = Notebook(editor, tmp_path / "nb.ipynb")
    cell = book.cells[2]
    (item,) = book.pushed(cell, lambda found: "LR004" in found)
    action = next(a for a in editor.actions(cell, item["range"]) if a["title"].startswith("Ignore LR004"))
    new = cell.applied(edits_of(action)[cell.uri])
    assert new == CELLS[2].replace("lr=0.5)", "lr=0.5)  # trainlint: ignore[LR004]")
    hover = editor.hover(cell, cell.find("y = 2"))
    assert hover is not None
    assert hover["range"]["start"]["line"] == 0
    book.set(2, new)
    assert book.pushed(cell, lambda found: not found) == []
