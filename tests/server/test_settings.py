"""Settings of the editor and configuration files of the workspace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from editor import Editor, codes, uri
from training_scripts import BAD, SMALL

from trainlint.server.settings import Settings, read_settings


def test_initialization_options_choose_rules(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("neovim-0.11", initializationOptions={"lint": {"select": ["LR004"]}})
    document = editor.open(tmp_path / "bad.py", BAD)
    assert codes(editor.diagnostics(document)) == {"LR004"}


def test_settings_are_asked_for_and_followed(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139", settings={"lint": {"ignore": ["LR004"]}})
    document = editor.open(tmp_path / "bad.py", BAD)
    assert {"IM001", "LP001"} <= codes(editor.diagnostics(document, lambda found: "LR004" not in found))
    assert "workspace/didChangeWatchedFiles" in editor.registered
    editor.settings = {"lint": {"ignore": []}, "severity": {"LR004": "hint"}}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    items = editor.diagnostics(document, lambda found: "LR004" in found)
    assert [item["severity"] for item in items if item["code"] == "LR004"] == [4]
    editor.settings = {"enable": False}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    assert editor.diagnostics(document, lambda found: not found) == []


def test_settings_are_pushed_by_editors_that_cannot_be_asked(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("neovim-0.7")
    document = editor.open(tmp_path / "small.py", SMALL)
    assert editor.diagnostics(document, lambda found: "LR004" in found)
    for settings, wanted in (({"lint": {"ignore": ["learning-rate"]}}, set()), ({"lint": {}}, {"LR004"})):
        editor.notify("workspace/didChangeConfiguration", {"settings": {"trainlint": settings}})
        assert codes(editor.diagnostics(document, lambda found, wanted=wanted: found == wanted)) == wanted


@pytest.mark.parametrize(
    "nonsense",
    [
        {"lint": {"select": "nonsense"}},
        {"lint": 3},
        {"enable": "yes"},
        {"severity": ["LR004"]},
        [],
        5,
        {"lint.select": 1},
    ],
)
def test_nonsense_changes_nothing(nonsense: object, caplog: pytest.LogCaptureFixture) -> None:
    assert read_settings({"trainlint": nonsense}) == Settings() or read_settings(nonsense) == Settings()
    if isinstance(nonsense, dict) and nonsense != {"lint": 3}:
        assert "ignored" in caplog.text


def test_unknown_words_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    settings = read_settings({"lint": {"select": ["LR004", "LR9999"], "extendSelect": ["image"]}})
    assert settings.select == ("LR004",)
    assert settings.extend_select == ("image",)
    assert "LR9999" in caplog.text


def test_a_configuration_file_is_followed(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "small.py", SMALL)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    config = tmp_path / "trainlint.toml"
    for text, wanted in (('ignore = ["LR004"]\n', set()), ('levels = {LR004 = "error"}\n', {"LR004"})):
        config.write_text(text)
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri(config), "type": 1}]})
        items = editor.diagnostics(document, lambda found, wanted=wanted: found == wanted)
        assert codes(items) == wanted
    assert items[0]["severity"] == 1


def test_a_configuration_is_read_again_on_save_where_nobody_watches(
    start: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = start("neovim-0.7")
    document = editor.open(tmp_path / "small.py", SMALL)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    assert "workspace/didChangeWatchedFiles" not in editor.registered
    (tmp_path / "trainlint.toml").write_text('ignore = ["LR004"]\n')
    editor.notify("textDocument/didSave", {"textDocument": {"uri": document.uri}})
    assert editor.diagnostics(document, lambda found: not found) == []


def test_a_broken_configuration_is_told_once(start: Callable[..., Editor], tmp_path: Path) -> None:
    config = tmp_path / "trainlint.toml"
    config.write_text('ignroe = ["LR004"]\n')
    editor = start("neovim-0.7")
    document = editor.open(tmp_path / "small.py", SMALL)
    assert editor.until(lambda: editor.shown)
    editor.replace(document, "0.5", "0.6")
    assert editor.diagnostics(document) == []
    assert len(editor.shown) == 1
    assert "ignroe" in editor.shown[0]
    config.write_text("")
    editor.notify("textDocument/didSave", {"textDocument": {"uri": uri(config)}})
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}


def test_each_workspace_folder_has_its_settings(start: Callable[..., Editor], tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    editor = start("vscode-1.139", folders=[one, other])
    editor.settings_of = {uri(one): {"lint": {"ignore": ["LR004"]}}, uri(other): {"severity": {"LR004": "hint"}}}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    here, there = editor.open(one / "small.py", SMALL), editor.open(other / "small.py", SMALL)
    elsewhere = editor.open(tmp_path / "small.py", SMALL)
    assert editor.diagnostics(here, lambda found: not found) == []
    assert [item["severity"] for item in editor.diagnostics(there, lambda found: "LR004" in found)] == [4]
    assert [item["severity"] for item in editor.diagnostics(elsewhere, lambda found: "LR004" in found)] == [2]
    # settings of one folder change, then the folder is not one of the workspace any more
    editor.settings_of[uri(one)] = {"enable": False}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    assert editor.diagnostics(there, lambda found: "LR004" in found)
    assert editor.until(lambda: editor.diagnostics(here) == [])
    assert editor.hover(here, here.find("net = ")) is None
    assert editor.hover(there, there.find("net = ")) is not None
    gone = {"added": [], "removed": [{"uri": uri(one), "name": "one"}]}
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": gone})
    assert codes(editor.diagnostics(here, lambda found: "LR004" in found)) == {"LR004"}
    assert editor.shut() == 0


def test_a_folder_that_comes_later_is_asked_about(start: Callable[..., Editor], tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    editor = start("vscode-1.139")
    document = editor.open(inner / "small.py", SMALL)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    editor.settings_of = {uri(inner): {"lint": {"ignore": ["LR004"]}}}
    come = {"added": [{"uri": uri(inner), "name": "inner"}], "removed": []}
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": come})
    assert editor.diagnostics(document, lambda found: not found) == []


def test_vs_code_knows_every_setting_of_the_server() -> None:
    root = Path(__file__).parents[2]
    known = json.loads((root / "editors" / "vscode" / "package.json").read_text())["contributes"]["configuration"]
    rows = re.findall(r"^\| (`trainlint\..*?) \| ", (root / "docs" / "editors.md").read_text(), re.MULTILINE)
    told, group = set(), ""
    for word in re.findall(r"`([\w.]+)`", " ".join(rows)):
        # `.device` after `trainlint.measure.interpreter` is of the same group
        group = word.rpartition(".")[0] if word.startswith("trainlint.") else group
        told.add(word if word.startswith("trainlint.") else group + word)
    commands = {"trainlint.measure", "trainlint.cancelMeasure", "trainlint.clearMeasurements", "trainlint.openReport"}
    assert len(told - commands) > 12
    assert told - commands <= known["properties"].keys()
