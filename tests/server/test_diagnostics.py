"""Diagnostics over the wire, in every captured editor."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from editor import Editor, codes, uri
from training_scripts import BAD, COMMITTED, EMOJI, PLANTED, SMALL


def all_planted(found: set[str]) -> bool:
    return found >= PLANTED


def test_planted_mistakes_are_shown(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    items = editor.diagnostics(document, all_planted)
    by_code = {item["code"]: item for item in items}
    assert by_code.keys() >= PLANTED
    for item in items:
        assert item["source"] == "trainlint"
        assert re.match(r"https?://", item["codeDescription"]["href"])
        assert item["data"]["code"] == item["code"]
    assert by_code["LP001"]["severity"] == 1
    assert by_code["LR004"]["severity"] == 2
    assert document.slice(by_code["LR004"]["range"]).endswith("0.5")


def test_findings_go_one_way(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    assert all_planted(codes(editor.diagnostics(document, all_planted)))
    editor.until(lambda: False, 0.4)
    wants_pull = "diagnostic" in editor.start_params["capabilities"]["textDocument"]
    assert editor.pulls == wants_pull
    assert (document.uri in editor.pushed) == (not wants_pull)


def test_columns_in_the_editor_s_units(editor: Editor, tmp_path: Path) -> None:
    assert editor.encoding == ("utf-8" if editor.name == "neovim-0.11" else "utf-16")
    document = editor.open(tmp_path / "emoji.py", EMOJI)
    (item,) = editor.diagnostics(document, lambda found: "LR004" in found)
    assert item["range"]["start"]["line"] == 3
    assert document.slice(item["range"]).endswith("0.5")
    assert document.slice(item["range"]) in ("0.5", "lr=0.5")
    editor.replace(document, "\u00e9\u6f22", "\u6f22\U0001f525\u00e9\u00e9")
    (item,) = editor.diagnostics(document, lambda found: "LR004" in found)
    assert document.slice(item["range"]).endswith("0.5")


@pytest.mark.parametrize(
    ("typed", "before"),
    [
        ("    scheduler = optim.lr_scheduler.StepLR(\n", "    model.train()"),
        ("        if epoch ==\n", "        for images, targets"),
        ('    name = "run\n', "    model.train()"),
        ("    def helper(self, \n", "    def __len__"),
    ],
)
def test_half_typed_code_keeps_the_other_findings(
    start: Callable[..., Editor], tmp_path: Path, typed: str, before: str
) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "bad.py", BAD)
    assert all_planted(codes(editor.diagnostics(document, all_planted)))
    where = document.text.index(before)
    editor.change(document, where, where, typed)
    assert all_planted(codes(editor.diagnostics(document, all_planted, 3)))
    editor.change(document, where, where + len(typed), "")
    assert all_planted(codes(editor.diagnostics(document, all_planted, 3)))


def test_push_tells_the_version_and_follows_changes(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("neovim-0.7")
    document = editor.open(tmp_path / "with space \u00e9.py", SMALL)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    assert editor.pushed[document.uri]["version"] == 1
    for new in ("lr=0.05", "lr=0.005", "lr=0.0005"):  # quicker than the pause: one push for all of them
        editor.set(document, SMALL.replace("lr=0.5", new))
    assert editor.diagnostics(document, lambda found: "LR004" not in found) == []
    assert editor.pushed[document.uri]["version"] == 4
    assert [push["version"] for push in editor.pushes] == [1, 4]


def test_closing_takes_the_findings_away(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("emacs-eglot-1.9")
    document = editor.open(tmp_path / "small.py", SMALL)
    assert editor.diagnostics(document, lambda found: "LR004" in found)
    editor.close(document)
    assert editor.until(lambda: editor.pushed[document.uri]["diagnostics"] == [])


def test_pull_answers_unchanged(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("neovim-0.11")
    document = editor.open(tmp_path / "small.py", SMALL)
    first = editor.pull(document)
    assert first["kind"] == "full"
    assert codes(first["items"]) == {"LR004"}
    assert editor.pull(document, first["resultId"])["kind"] == "unchanged"
    editor.replace(document, "nn.Linear(4, 2)", "nn.Linear(4,  2)")
    assert editor.pull(document, first["resultId"])["kind"] == "unchanged"
    editor.replace(document, "net = ", "\nnet = ")
    moved = editor.pull(document, first["resultId"])
    assert moved["kind"] == "full"
    assert moved["items"][0]["range"]["start"]["line"] == 4


def test_pull_waits_for_the_newest_text(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "small.py", SMALL)
    for round in range(5):
        editor.replace(document, "lr=0.5", "lr=0.001")
        assert editor.pull(document)["items"] == [], round
        editor.replace(document, "lr=0.001", "lr=0.5")
        assert codes(editor.pull(document)["items"]) == {"LR004"}, round


def test_related_places_only_where_the_editor_shows_them(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "bad.py", BAD)
    item = next(i for i in editor.diagnostics(document, all_planted) if i["code"] == "IM001")
    if editor.name == "emacs-eglot-1.9":
        assert "relatedInformation" not in item
    else:
        places = [place["location"] for place in item["relatedInformation"]]
        assert any("cv2.imread" in document.text.split("\n")[place["range"]["start"]["line"]] for place in places)
        assert {place["uri"] for place in places} == {document.uri}


@pytest.mark.parametrize("name", ["vscode-1.139", "neovim-0.11", "emacs-eglot-1.9"])
def test_lr001_compares_with_head_while_typing(committed: Path, start: Callable[..., Editor], name: str) -> None:
    editor = start(name)
    document = editor.open(committed, COMMITTED)
    assert "LR001" not in codes(editor.diagnostics(document))
    editor.replace(document, "batch_size = 32", "batch_size = 256")
    items = editor.diagnostics(document, lambda found: "LR001" in found)
    (item,) = [item for item in items if item["code"] == "LR001"]
    assert "0.8" in item["message"]
    assert "last commit" in item["message"]
    editor.replace(document, "batch_size = 256", "batch_size = 32")
    assert "LR001" not in codes(editor.diagnostics(document, lambda found: "LR001" not in found))


def test_lr001_follows_a_new_commit(
    committed: Path, start: Callable[..., Editor], repository: Callable[[str, str], Path]
) -> None:
    editor = start("vscode-1.139")
    changed = COMMITTED.replace("batch_size = 32", "batch_size = 256")
    document = editor.open(committed, changed)
    assert "LR001" in codes(editor.diagnostics(document, lambda found: "LR001" in found))
    repository("train.py", changed)
    head = uri(committed.parent / ".git" / "HEAD")
    editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": head, "type": 2}]})
    assert "LR001" not in codes(editor.diagnostics(document, lambda found: "LR001" not in found))
    assert editor.until(lambda: "workspace/diagnostic/refresh" in editor.asked)


def test_untitled_documents_and_diff_views(start: Callable[..., Editor]) -> None:
    editor = start("neovim-0.7")
    document = editor.open("", SMALL, uri="untitled:Untitled-1")
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    assert editor.pushed["untitled:Untitled-1"]["version"] == 1
    view = editor.open("", SMALL, uri="git:/w/train.py?%7B%22ref%22%3A%22HEAD%22%7D")
    other = editor.open("/w/notes.md", SMALL, languageId="markdown")
    editor.replace(document, "0.5", "0.001")
    assert editor.diagnostics(document, lambda found: not found) == []
    assert not {view.uri, other.uri} & editor.pushed.keys()


def test_two_spellings_of_a_uri_are_one_document(start: Callable[..., Editor]) -> None:
    editor = start("neovim-0.7")
    document = editor.open("", SMALL, uri="file:///c%3A/project/train.py")
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    document.uri = "file:///C:/project/train.py"
    editor.replace(document, "0.5", "0.001")
    first = "file:///c%3A/project/train.py"
    assert editor.until(lambda: editor.pushed[first].get("version") == 2 and not editor.pushed[first]["diagnostics"])


def test_a_file_that_another_imports_is_read_again(start: Callable[..., Editor], tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("LR = 0.5\n")
    editor = start("vscode-1.139")
    text = SMALL.replace("lr=0.5", "lr=settings.LR").replace("from torch", "import settings\nfrom torch")
    document = editor.open(tmp_path / "train.py", text)
    assert "LR004" in codes(editor.diagnostics(document, lambda found: "LR004" in found))
    (tmp_path / "settings.py").write_text("LR = 0.001\n")
    changed = [{"uri": uri(tmp_path / "settings.py"), "type": 2}]
    editor.notify("workspace/didChangeWatchedFiles", {"changes": changed})
    assert editor.diagnostics(document, lambda found: not found) == []


def test_who_imports_an_edited_module_is_checked_again(editor: Editor) -> None:
    """Before anything is saved, and back again when the module is closed without saving."""
    (editor.root / "rates.py").write_text("RATE = 0.001\n")
    code = "import torch\nfrom torch import nn\nfrom rates import RATE\n\nnet = nn.Linear(3, 2)\n"
    code += "optimizer = torch.optim.Adam(net.parameters(), lr=RATE)\n"
    document = editor.open(editor.root / "train.py", code)
    assert not editor.diagnostics(document, lambda found: True)
    module = editor.open(editor.root / "rates.py", "RATE = 0.001\n")
    assert not editor.diagnostics(document, lambda found: True)
    editor.replace(module, "0.001", "0.5")
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    editor.close(module)
    assert not editor.diagnostics(document, lambda found: "LR004" not in found)
    editor.close(document)
