"""`trainlint.measure` in the editor: a real step of a real program, its figures on the lines, Cancel, refusals."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEditor
from editor import Editor, RpcError, Text, uri

from trainlint.server.extents import Extents
from trainlint.server.markdown import plain

pytest.importorskip("torch")

MODEL = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1)
        self.unused = nn.Linear(8, 8)
        self.head = nn.Linear(64 * 16 * 16, 10)
        self.meant = nn.Linear(8, 8)  # trainlint: ignore[RT001]

    def forward(self, x):
        x = self.conv(x).relu()
        return self.head(x.flatten(1))
"""
TRAIN = """import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from net import Net


def main():
    net = Net().cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    data = TensorDataset(torch.randn(64, 3, 16, 16), torch.randint(0, 10, (64,)))
    loader = DataLoader(data, batch_size=32)
    print("the program speaks")
    for images, labels in loader:
        images, labels = images.cuda(), labels.cuda()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()


main()
"""
# a program that never comes to its step and has a child that ignores being asked
HANGS = """import os, signal, subprocess, sys, time
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(90)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(0.5)
with open("begun.tmp", "w") as file:
    file.write(f"{os.getpgrp()}")
os.rename("begun.tmp", "begun")
time.sleep(90)
"""
FAKE = {"measure": {"device": "fake"}, "hints": {"minimum": "1KiB"}}
ALL = {"start": {"line": 0, "character": 0}, "end": {"line": 1000, "character": 0}}


def command(editor: Editor, name: str, *arguments: Any) -> int:
    return editor.ask("workspace/executeCommand", {"command": f"trainlint.{name}", "arguments": list(arguments)})


def hints(editor: Editor, document: Text) -> dict[int, str]:
    """What was measured, by 0-based line."""
    found = editor.request("textDocument/inlayHint", {"textDocument": {"uri": document.uri}, "range": ALL})
    return {each["position"]["line"]: each["label"] for each in found if "measured" in each["label"]}


def lens(editor: Editor, document: Text) -> str:
    found = editor.request("textDocument/codeLens", {"textDocument": {"uri": document.uri}})
    return " | ".join(each["command"]["title"] for each in found)


def hover(editor: Editor, document: Text, part: str) -> str:
    found = editor.hover(document, document.find(part, 1))
    return "" if found is None else plain(found["contents"]["value"])


def listening(editor: Editor) -> list[dict[str, Any]]:
    """The progress and the log messages that the server sends from now on."""
    heard: list[dict[str, Any]] = []
    got = editor._got

    def hear(message: dict[str, Any]) -> None:
        if message.get("method") in ("$/progress", "window/logMessage"):
            heard.append(message["params"])
        got(message)

    editor._got = hear  # type: ignore[method-assign]
    return heard


def processes(group: int) -> list[str]:
    """The processes of a group that are not over."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in found.splitlines()]
    return [line[2] for line in lines if int(line[0]) == group and not line[1].startswith("Z")]


def begun(path: Path, seconds: float = 40) -> int:
    """The process group of the program, once it says that it runs."""
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return int(path.read_text())


class Measured:
    """An editor that has measured `train.py`."""

    def __init__(self, name: str, root: Path) -> None:
        (root / "net.py").write_text(MODEL)
        self.editor = Editor(name, root, FAKE, initializationOptions=FAKE)
        self.model = self.editor.open(root / "net.py", MODEL)
        # the text in the editor runs; the file on the disk is another one
        (root / "train.py").write_text("raise SystemExit(9)")
        self.document = self.editor.open(root / "train.py", TRAIN)
        self.heard = listening(self.editor)
        token = {"token": "mine"} if name.startswith("vscode") else {}
        number = command(self.editor, "measure", {"uri": self.document.uri, "line": 8, **token})
        self.answer = self.editor.wait(number, 60)


@pytest.fixture(scope="module", params=["vscode-1.139", "neovim-0.11"])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    made = Measured(request.param, tmp_path_factory.mktemp("workspace"))
    yield made
    made.editor.end()


def test_figures_stand_beside_the_estimate(measured: Measured) -> None:
    editor, train, model = measured.editor, measured.document, measured.model
    assert measured.answer["measured"] is True
    assert "at batch 32" in measured.answer["message"]
    assert lens(editor, train).startswith("\u2248 ")
    assert " \u00b7 measured " in lens(editor, train)
    assert lens(editor, train).endswith("(estimate \u00b10 %) \u00b7 measure again")
    # 32 x 64 x 16 x 16 floats that the ReLU made
    assert hints(editor, model)[12] == "measured 2.0 MiB"
    table = hover(editor, model, "x = self.conv")
    stays = next(line.split() for line in table.splitlines() if line.startswith("stays"))
    assert stays[-4:] == ["2.0", "MiB", "2.0", "MiB"]
    table = hover(editor, train, "for images")
    row = next(line.split() for line in table.splitlines() if line.startswith("optimizer state"))
    assert row[2:4] == row[4:6]
    assert "pretended card has no workspace" in table
    # the batch size, away from the loop
    assert row in [line.split() for line in hover(editor, train, "32)").splitlines()]


def test_progress_and_output_come_through(measured: Measured) -> None:
    heard = [each for each in measured.heard if "value" in each and "analysis" not in each["token"]]
    values, tokens = [each["value"] for each in heard], {each["token"] for each in heard}
    assert [values[0]["kind"], values[-1]["kind"]] == ["begin", "end"]
    assert values[0]["cancellable"]
    shares = [each["percentage"] for each in values[:-1]]
    assert shares == sorted(shares)
    assert any(each.get("message") == "step 1/2" for each in values)
    vscode = measured.editor.name.startswith("vscode")
    assert (tokens == {"mine"}) == vscode
    # who brings a token shows the answer itself
    assert any("takes" in message for message in measured.editor.shown) != vscode
    assert any("the program speaks" in each.get("message", "") for each in measured.heard)


def test_findings_of_the_step_are_diagnostics(measured: Measured) -> None:
    editor, model = measured.editor, measured.model

    def pushed() -> list[dict[str, Any]]:
        return editor.pushed.get(model.uri, {"diagnostics": []})["diagnostics"]

    if editor.name.startswith("vscode"):
        found = [each for each in editor.diagnostics(model, lambda codes: "RT001" in codes) if each["code"] == "RT001"]
        assert "workspace/diagnostic/refresh" in editor.asked
        assert not pushed()
    else:
        # this client cannot be told to pull again
        assert editor.until(pushed)
        found = pushed()
        assert {each["source"] for each in found} == {"trainlint (measured)"}
        assert all(each["code"] != "RT001" for each in editor.pull(model)["items"])
    assert [model.slice(each["range"]) for each in found] == ["self.unused = nn.Linear(8, 8)"] * 2


def test_the_configuration_selects_what_a_step_shows(measured: Measured) -> None:
    editor, model = measured.editor, measured.model
    path = editor.root / "trainlint.toml"

    def shown() -> bool:
        pushed = editor.pushed.get(model.uri, {"diagnostics": []})["diagnostics"]
        return "RT001" in {each["code"] for each in [*pushed, *editor.pull(model)["items"]]}

    assert editor.until(shown)
    path.write_text('ignore = ["RT"]\n')
    changed = {"changes": [{"uri": uri(path), "type": 1}]}
    editor.notify("workspace/didChangeWatchedFiles", changed)
    assert editor.until(lambda: not shown())
    path.unlink()
    editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri(path), "type": 3}]})
    assert editor.until(shown)


def test_edits_make_it_old_and_take_away_what_they_touch(measured: Measured) -> None:
    editor, train, model = measured.editor, measured.document, measured.model
    before = hints(editor, model)
    editor.change(model, 0, 0, "# a remark\n")
    moved = hints(editor, model)
    assert moved[13] == "measured before the edit 2.0 MiB"
    assert "measured before the edit" in lens(editor, train)
    assert "the text has changed since" in hover(editor, model, "x = self.conv")
    editor.replace(model, "x.flatten(1)", "x.flatten(1).contiguous()")
    assert 12 not in hints(editor, model)
    assert 7 in hints(editor, model), "the constructor has not changed"
    # taken back: what was measured is that of this text again
    editor.set(model, MODEL)
    assert hints(editor, model) == before
    editor.replace(train, "lr=0.1", "lr=0.2")
    assert "measured" not in lens(editor, train)
    assert not hints(editor, model), "the training function is another one"
    editor.replace(train, "lr=0.2", "lr=0.1")
    assert hints(editor, model) == before
    assert " \u00b7 measured " in lens(editor, train)


def test_cancel_keeps_what_was_measured_and_leaves_no_process(measured: Measured, tmp_path: Path) -> None:
    editor, root = measured.editor, Path(measured.editor.root)
    (root / "begun").unlink(missing_ok=True)
    document = editor.open(root / "hangs.py", HANGS)
    number = command(editor, "measure", {"uri": document.uri, "token": "second"})
    group = begun(root / "begun")
    assert len(processes(group)) >= 2
    busy = editor.wait(command(editor, "measure", {"uri": document.uri, "token": "third"}))
    assert "already" in busy["message"]
    if editor.name.startswith("vscode"):
        # the Cancel button of the notification cancels the request
        editor.notify("$/cancelRequest", {"id": number})
    else:
        assert editor.wait(command(editor, "cancelMeasure")) == {"cancelled": True}
    with pytest.raises(RpcError) as raised:
        editor.wait(number)
    assert raised.value.code == -32800
    end = time.monotonic() + 5
    while processes(group) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes(group) == []
    assert " \u00b7 measured " in lens(editor, measured.document)
    editor.close(document)


def test_clearing_forgets(measured: Measured) -> None:
    editor, train, model = measured.editor, measured.document, measured.model
    editor.wait(command(editor, "clearMeasurements"))
    assert "measured" not in lens(editor, train)
    assert not hints(editor, model)
    if not editor.name.startswith("vscode"):
        assert editor.pushed[model.uri]["diagnostics"] == []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the command line, made in another folder."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "train.py").write_text(TRAIN)
    (folder / "net.py").write_text(MODEL)
    line = [sys.executable, "-m", "trainlint", "measure", "train.py", "--device", "fake", "--output-format", "json"]
    done = subprocess.run([*line, "--output-file", "m.json"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "m.json"


def test_a_report_made_elsewhere_is_opened(start: StartEditor, tmp_path: Path, report: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "net.py").write_text(MODEL.replace("64", "32"))
    editor = start("emacs-eglot-1.9", initializationOptions=FAKE)
    train = editor.open(tmp_path / "train.py", TRAIN)
    here = tmp_path / "m.json"
    here.write_bytes(report.read_bytes())
    answer = editor.wait(command(editor, "openReport", {"report": str(here)}))
    assert answer["measured"] is True
    assert "measured" in lens(editor, train)
    assert "optimizer state" in hover(editor, train, "for images")
    # the model here is another one than that of the report
    model = editor.open(tmp_path / "net.py", MODEL.replace("64", "32"))
    assert not hints(editor, model)
    editor.set(model, MODEL)
    assert hints(editor, model)[12] == "measured 2.0 MiB"
    for name, text in {
        "no.json": "{}",
        "text.json": "x",
        "estimate.json": '{"peak": {}}',
        "odd.json": '{"peak": 1, "measured": true}',
    }.items():
        (tmp_path / name).write_text(text)
        refused = editor.wait(command(editor, "openReport", {"report": uri(tmp_path / name)}))
        assert refused["measured"] is False
        assert name in refused["message"]


def test_it_is_refused_where_nothing_may_run(start: StartEditor, tmp_path: Path) -> None:
    editor = start("vscode-1.139", initializationOptions={"trusted": False})
    document = editor.open(tmp_path / "train.py", "open('ran', 'w')\n")
    answer = editor.wait(command(editor, "measure", {"uri": document.uri, "line": 1}))
    assert answer["measured"] is False
    assert "not trusted" in answer["message"]
    assert any("not trusted" in message for message in editor.shown)
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_measured_is_said_in_a_sentence(start: StartEditor, tmp_path: Path) -> None:
    settings = {"measure": {"interpreter": "./no-such-python", "device": "fake"}}
    editor = start("neovim-0.7", initializationOptions=settings)
    document = editor.open(tmp_path / "train.py", TRAIN)
    answer = editor.wait(command(editor, "measure", {"uri": document.uri}))
    assert "no-such-python cannot be started" in answer["message"]
    assert "open the Python file" in editor.wait(command(editor, "measure"))["message"]
    assert "open the Python file" in editor.wait(command(editor, "measure", "file:///not/open.py", 3))["message"]
    assert editor.wait(command(editor, "cancelMeasure"))["cancelled"] is False


def test_a_server_that_ends_takes_the_program_with_it(start: StartEditor, tmp_path: Path) -> None:
    editor = start("emacs-eglot-1.9")
    document = editor.open(tmp_path / "hangs.py", HANGS)
    command(editor, "measure", {"uri": document.uri})
    group = begun(tmp_path / "begun")
    editor.process.kill()
    end = time.monotonic() + 5
    while processes(group) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes(group) == []


PIECES = """a = 1

for x in y:
    if x:
        b
else:
    c

class A:
    def f(self):
        return [
            1]
async def g():
    pass
"""


@pytest.mark.parametrize(
    ("line", "first", "last"), [(1, 1, 1), (3, 3, 7), (7, 3, 7), (10, 10, 12), (12, 10, 12), (14, 13, 14)]
)
def test_the_piece_around_a_line(line: int, first: int, last: int) -> None:
    found = Extents(PIECES).around(line)
    assert found is not None
    assert found[0] == first
    assert PIECES[found[1] : found[2]].splitlines() == PIECES.splitlines()[first - 1 : last]
