"""Odd messages, odd texts, and the ends of the process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from editor import COMMAND, EDITORS, Editor, RpcError, codes, uri
from training_scripts import SMALL


@pytest.mark.parametrize("name", EDITORS)
def test_a_clean_end(start: Callable[..., Editor], name: str) -> None:
    editor = start(name)
    assert editor.shut() == 0
    assert editor.garbage == []


def test_exit_without_shutdown(start: Callable[..., Editor]) -> None:
    editor = start("neovim-0.7")
    editor.notify("exit")
    assert editor.process.wait(10) == 1


def test_the_server_ends_with_its_input(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    editor.open(tmp_path / "small.py", SMALL)
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert editor.process.wait(10) == 1


def test_unknown_arguments_are_refused() -> None:
    command = [*COMMAND[:-1], COMMAND[-1].replace("--stdio", "--tcp")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "--tcp" in done.stderr
    assert done.stdout == ""


def test_odd_messages(editor: Editor, tmp_path: Path) -> None:
    document = editor.open(tmp_path / "small.py", SMALL)
    with pytest.raises(RpcError) as error:
        editor.request("trainlint/noSuchRequest", {})
    assert error.value.code == -32601
    with pytest.raises(RpcError) as error:
        editor.request("textDocument/hover", {"nonsense": True})
    assert error.value.code == -32602
    editor.notify("$/cancelRequest", {"id": 99999})
    editor.notify("trainlint/noSuchNotification", {})
    never = {"uri": uri(tmp_path / "never.py"), "version": 2}
    editor.notify("textDocument/didChange", {"textDocument": never, "contentChanges": [{"text": "x"}]})
    editor.notify("textDocument/didClose", {"textDocument": {"uri": never["uri"]}})
    editor.notify("notebookDocument/didClose", {"notebookDocument": never, "cellTextDocuments": []})
    editor.notify("workspace/didChangeConfiguration", {"settings": {"trainlint": {"lint": {"select": "nonsense"}}}})
    body = b"{this is no JSON"
    assert editor.process.stdin is not None
    editor.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    assert editor.hover(editor.open("", "x = 1\n", uri="untitled:other"), {"line": 0, "character": 0})
    assert editor.shown == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("\ufeff" + SMALL, id="bom"),
        pytest.param(SMALL.replace("\n", "\r\n"), id="crlf"),
        pytest.param("\x00\x01" + SMALL, id="nul"),
        pytest.param("\ud7ff\u2028\x0c\n" * 20, id="separators"),
        pytest.param("import torch\n" + "(" * 3000, id="deep"),
        pytest.param("import torch\n" + "def f(:\n" * 50, id="broken"),
    ],
)
def test_any_text_is_survived(start: Callable[..., Editor], tmp_path: Path, text: str) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "odd.py", text)
    editor.diagnostics(document)
    editor.set(document, SMALL)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}


def test_edits_behind_a_form_feed_land_on_the_right_line(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    text = SMALL.replace("net = ", "\x0c\nnote = 'a\u2028b'\nnet = ")
    document = editor.open(tmp_path / "feed.py", text)
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
    editor.replace(document, "lr=0.5", "lr=0.001")
    assert editor.diagnostics(document, lambda found: not found) == []


def test_cancelling_a_request(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "small.py", SMALL)
    number = editor.ask("textDocument/diagnostic", {"textDocument": {"uri": document.uri}})
    editor.notify("$/cancelRequest", {"id": number})
    try:
        answered = codes(editor.wait(number)["items"]), 0  # it was ready first
    except RpcError as error:
        answered = {"LR004"}, error.code
    assert answered in (({"LR004"}, 0), ({"LR004"}, -32800))
    assert codes(editor.pull(document)["items"]) == {"LR004"}


def test_folders_come_and_go(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    document = editor.open(tmp_path / "small.py", SMALL)
    event = {
        "added": [{"uri": uri(tmp_path / "other"), "name": "other"}],
        "removed": [{"uri": uri(tmp_path), "name": "ws"}],
    }
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    assert codes(editor.diagnostics(document, lambda found: "LR004" in found)) == {"LR004"}
