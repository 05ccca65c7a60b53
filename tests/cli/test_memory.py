"""`trainlint memory` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30 * 30, 10)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
data = datasets.CIFAR10("data", transform=transforms.ToTensor())


def train():
    for x, y in DataLoader(data, batch_size=32):
        x, y = x.cuda(), y.cuda()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()


train()
"""


def trainlint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainlint", "memory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


def test_json(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    result = trainlint(tmp_path, "--output-format", "json", "train.py")
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    weights = 4 * (8 * 27 + 8 + 10 * 7200 + 10)
    assert said["complete"] is True
    assert said["batch_size"] == 32
    assert said["terms"]["parameters"] == said["terms"]["gradients"] == said["terms"]["optimizer"] == weights
    assert said["terms"]["batch"] == 32 * (3 * 32 * 32 * 4 + 8)
    assert said["peak"]["allocated"] <= said["peak"]["reserved"]
    assert sum(said["peak"]["terms"].values()) == said["peak"]["allocated"]
    assert said["peak"]["at"]["path"] == "train.py"
    lines = {line["line"]: line for line in said["lines"]}
    assert lines[6]["parameters"] == weights
    assert lines[15]["saved"] > 0
    # the momentum belongs to the line of the step
    assert lines[17]["held"] >= weights
    # the workspace of cuBLAS is of no line
    workspace = said["peak"]["terms"]["workspace"]
    assert sum(line["held"] for line in said["lines"]) == said["peak"]["allocated"] - workspace


def test_notebook(tmp_path: Path) -> None:
    head, _, loop = SCRIPT.partition("def train")
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in (head, f"def train{loop}")
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "train.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    said = json.loads(trainlint(tmp_path, "--output-format", "json", "train.ipynb").stdout)
    assert said["complete"] is True
    assert said["path"] == "train.ipynb"
    places = {(line["cell"], line["line"]) for line in said["lines"]}
    # the model is built in the first cell, the loss computed on the fifth line of the second
    assert {(0, 6), (1, 5)} <= places


def test_text_and_another_batch(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    result = trainlint(tmp_path, "--batch-size", "64", "--entry", "train", "train.py")
    assert result.returncode == 0, result.stderr
    assert "one training step at batch 64" in result.stdout
    assert "activations" in result.stdout
    assert "not known" not in result.stdout


def test_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "plain.py").write_text("import torch\n", encoding="utf-8")
    for arguments, said in (
        (("missing.py",), "missing.py: no such file"),
        (("plain.py",), "plain.py has no training loop"),
        (("--entry", "fit", "train.py"), "no training loop in 'fit'; there is train"),
    ):
        result = trainlint(tmp_path, *arguments)
        assert result.returncode == 2
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_framework_whose_loop_is_not_known_is_named(tmp_path: Path) -> None:
    code = "from fastai.vision.all import vision_learner, resnet34\n\nvision_learner(None, resnet34).fit(3)\n"
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    result = trainlint(tmp_path, "train.py")
    assert result.returncode == 2
    assert "it uses fastai, whose loop may run elsewhere or is not known" in result.stderr
