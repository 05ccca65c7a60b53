"""The server ends with the process that the client named, although its pipe stays open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from editor import Editor
from training_scripts import SMALL

from trainlint.server import parent

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def client() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait()


def test_it_ends_with_the_client(start: Callable[..., Editor], tmp_path: Path, client: subprocess.Popen[bytes]) -> None:
    editor = start("vscode-1.139", pid=client.pid)
    document = editor.open(tmp_path / "small.py", SMALL)
    editor.diagnostics(document)
    assert editor.process.poll() is None
    # nobody waits for it: it stays a zombie, as the child of an editor that hangs does
    client.kill()
    assert editor.process.wait(10) == 1
    assert "Traceback" not in editor.log_text()


def test_a_client_that_cannot_be_seen_is_not_missed(start: Callable[..., Editor], tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    editor = start("vscode-1.139", pid=gone.pid)
    document = editor.open(tmp_path / "small.py", SMALL)
    assert editor.diagnostics(document)
    assert editor.shut() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows waits for a handle")
def test_it_looks_again_and_again_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, client: subprocess.Popen[bytes]
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(parent, "LOOK", 0.01)
    assert parent.alive(client.pid)
    client.kill()
    client.wait()
    parent.wait_for_end(client.pid)
    assert not parent.alive(client.pid)
