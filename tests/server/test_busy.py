"""An analysis that takes long shows as progress; a quick one does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from editor import Editor
from lsprotocol import types as lsp

from trainlint.server import busy
from trainlint.server.busy import Busy
from trainlint.server.documents import Part, Source
from trainlint.server.positions import Body


class Wire:
    """pygls' progress as the server uses it, with what a client would see of it."""

    def __init__(self, refuses: bool = False, takes: float = 0) -> None:
        self.work_done_progress = self
        self.tokens: dict[Any, Any] = {}
        self.seen: list[str] = []
        self._refuses, self._takes = refuses, takes
        self.answered = 0

    async def create_async(self, token: str) -> None:
        await asyncio.sleep(self._takes)
        self.answered += 1
        if self._refuses:
            raise RuntimeError("no such method")
        self.tokens[token] = None

    def begin(self, token: str, value: lsp.WorkDoneProgressBegin) -> None:
        assert token in self.tokens
        self.seen.append(f"begin: {value.title}: {value.message}")

    def end(self, token: str, value: lsp.WorkDoneProgressEnd) -> None:
        self.seen.append("end")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = str(tmp_path / "train.py")
    return Source(f"file://{path}", path, [Part(f"file://{path}", 1, "python", Body(""))], notebook=False)


def played(wire: Wire, source: Source, *seconds: float) -> list[str]:
    """What is shown when some wait for the analysis of a source, each so long."""
    shown = Busy(wire)
    shown.shows = True

    async def wait(duration: float) -> None:
        with shown.waiting(source):
            await asyncio.sleep(duration)

    async def all_of_them() -> None:
        await asyncio.gather(*map(wait, seconds))
        await asyncio.sleep(0.2)

    asyncio.run(all_of_them())
    assert wire.tokens == {}
    return wire.seen


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "LONG", 0.1)


def test_a_long_one_is_shown_once_however_many_wait(source: Source) -> None:
    assert played(Wire(), source, 0.3, 0.01, 0.3) == ["begin: trainlint: analysing train.py", "end"]


def test_a_quick_one_is_not_shown(source: Source) -> None:
    assert played(Wire(), source, 0.01) == []


def test_a_client_that_answers_too_late_is_still_heard(source: Source) -> None:
    wire = Wire(takes=0.1)
    assert played(wire, source, 0.15) == []
    assert wire.answered == 1


def test_a_client_that_refuses_is_left_alone(source: Source) -> None:
    assert played(Wire(refuses=True), source, 0.3) == []


def test_an_editor_shows_that_a_large_file_is_analysed(start: Callable[..., Editor], tmp_path: Path) -> None:
    editor = start("vscode-1.139")
    text = "import torch\n" + "".join(f"net{i} = torch.nn.Linear({i + 1}, 10)\n" for i in range(6000))
    editor.diagnostics(editor.open(tmp_path / "large.py", text), seconds=60)
    assert editor.until(lambda: len(editor.progress) > 1)
    assert [each["value"]["kind"] for each in editor.progress] == ["begin", "end"]
    assert "window/workDoneProgress/create" in editor.asked
    assert "large.py" in editor.progress[0]["value"]["message"]
