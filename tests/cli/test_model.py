"""`trainlint model FILE:LINE`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """import torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
out = model(torch.zeros(5, 4))
"""


def run(folder: Path, place: str) -> subprocess.CompletedProcess[str]:
    (folder / "net.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "trainlint", "model", place]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_model_is_a_table_of_layers(tmp_path: Path) -> None:
    result = run(tmp_path, "net.py:3")
    assert result.returncode == 0
    assert result.stdout.split("\n")[:7] == [
        "model  Sequential · 58 parameters (all trained) · 232 B float32",
        '  gives "5 2"',
        "  layer  type          output  parameters",
        "  0      Linear(4, 8)  5 8             40",
        "  1      ReLU          5 8",
        "  2      Linear(8, 2)  5 2             18",
        "  line 3  built",
    ]


def test_a_tensor_and_the_facts_of_its_line(tmp_path: Path) -> None:
    lines = run(tmp_path, "net.py:4").stdout.split("\n")
    assert lines[0] == 'out  Float32[Tensor, "5 2"] · scores (no activation) · cpu · graph'
    assert "facts that rules see" in lines
    assert any("Event forward" in line for line in lines)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("net.py", "'net.py' is not FILE:LINE, such as train.py:120"),
        ("net.py:0", "'net.py:0' is not FILE:LINE, such as train.py:120"),
        ("net.py:99", "net.py has 4 lines: there is no line 99"),
        ("other.py:1", "other.py: no such file"),
    ],
)
def test_a_wrong_place_is_one_line(tmp_path: Path, place: str, message: str) -> None:
    result = run(tmp_path, place)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"trainlint: {message}\n"


def test_a_line_without_anything(tmp_path: Path) -> None:
    assert run(tmp_path, "net.py:1").stdout == "nothing is known at net.py:1\n"
