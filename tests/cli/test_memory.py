"""`trainlint memory` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    # all but the workspace of cuBLAS is billed to lines
    held = sum(line["held"] for line in said["lines"])
    assert held + said["terms"]["workspace"] == said["peak"]["allocated"]
    assert said["terms"]["workspace"] == said["peak"]["terms"]["workspace"] == 2 * 8_519_680


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
    assert "one training step of train, batch size 64, 782 steps an epoch" in result.stdout
    assert "activations" in result.stdout
    assert "not known" not in result.stdout


def test_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "plain.py").write_text("import torch\n", encoding="utf-8")
    for arguments, said in (
        (("missing.py",), "missing.py: no such file"),
        (("plain.py",), "plain.py has no training loop"),
        (("--gpu", "RTX 390", "train.py"), "no GPU is called 'RTX 390'; did you mean RTX 3090"),
        (("--gpu", "3090", "--gpu-memory", "24GiB", "train.py"), "not allowed with argument"),
        (("--gpu-memory", "much", "train.py"), "'much' is not a size such as"),
        (("--output-file", "missing/report.txt", "train.py"), "--output-file missing/report.txt: No such file"),
        ((".",), ".: is a folder"),
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


KEYS = {
    "version": int,
    "path": str,
    "loop": dict,
    "batch_size": int,
    "complete": bool,
    "unknown": list,
    "terms": dict,
    "peak": dict,
    "parameters": int,
    "per_sample": dict,
    "iterations": int,
    "fits": dict,
    "what_if": list,
    "lines": list,
    "remedies": list,
}


def told(folder: Path, *arguments: str, script: str = SCRIPT) -> dict[str, Any]:
    (folder / "train.py").write_text(script, encoding="utf-8")
    result = trainlint(folder, "--output-format", "json", *arguments, "train.py")
    assert result.returncode == 0, result.stderr
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def test_the_contract(tmp_path: Path) -> None:
    said = told(tmp_path, "--gpu", "rtx3090")
    assert {name: type(said[name]) for name in KEYS} == KEYS
    peak, fits = said["peak"], said["fits"]
    assert said["iterations"] == 1563
    low, high = peak["device_range"]
    assert peak["reserved"] < low < peak["device"] < high
    assert fits["gpu"] == "RTX 3090 (24 GB)"
    assert fits["fits"] is True
    assert fits["largest_batch"] > 1000
    assert [other["batch"] for other in said["what_if"]] == [16, 64]
    for other in said["what_if"]:
        again = told(tmp_path, "--gpu", "rtx3090", "--batch-size", str(other["batch"]))
        assert {name: again["peak"][name] for name in ("allocated", "reserved", "device")} == {
            name: other[name] for name in ("allocated", "reserved", "device")
        }
    more = told(tmp_path, "--batch-size", "33")
    assert more["terms"]["activations"] - said["terms"]["activations"] == said["per_sample"]["activations"]


def test_the_workspace_is_that_of_the_gpu(tmp_path: Path) -> None:
    assert told(tmp_path, "--gpu", "H100")["terms"]["workspace"] == 2 * 32 * 2**20


def test_what_does_not_fit(tmp_path: Path) -> None:
    large = SCRIPT.replace("8 * 30 * 30, 10", "8 * 30 * 30, 400_000")
    said = told(tmp_path, "--gpu-memory", "24GiB", script=large)
    assert said["fits"] == {"gpu": "24 GiB", "capacity": 24 * 2**30, "fits": False, "largest_batch": 0}
    text = trainlint(tmp_path, "--gpu-memory", "24GiB", "train.py").stdout
    assert "does not fit on 24 GiB" in text
    assert "not with any batch size" in text


def test_the_configuration_names_the_gpu(tmp_path: Path) -> None:
    (tmp_path / "trainlint.toml").write_text('gpu = "T4"\ngpu-memory = "10GiB"\n', encoding="utf-8")
    assert told(tmp_path)["fits"]["capacity"] == 10 * 2**30
    # the command line means another one
    assert told(tmp_path, "--gpu", "3090")["fits"]["capacity"] > 20 * 2**30
    (tmp_path / "trainlint.toml").write_text('gpu = "T44"\n', encoding="utf-8")
    result = trainlint(tmp_path, "train.py")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "'T44'; did you mean T4" in result.stderr


def test_an_incomplete_estimate_promises_nothing(tmp_path: Path) -> None:
    script = "import other\n" + SCRIPT.replace("net(x)", "net(other.change(x))")
    said = told(tmp_path, "--gpu", "3090", script=script)
    assert said["complete"] is False
    assert said["fits"]["fits"] is None
    assert said["fits"]["largest_batch"] is None
    text = trainlint(tmp_path, "--gpu", "3090", "train.py").stdout
    assert "peak at least" in text
    assert "not known to fit on RTX 3090" in text
    assert "what `other.change` does is not known" in text


def test_a_narrow_report_without_colour_and_in_an_old_encoding(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "trainlint", "memory", "--gpu", "3090", "train.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    text = ran.stdout.decode("cp1252")
    assert "\x1b" not in text
    assert "?" not in text
    assert "####" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_file_that_does_not_parse_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nx = (\n", encoding="utf-8")
    result = trainlint(tmp_path, "train.py")
    assert result.returncode == 2
    assert "line 2 does not parse" in result.stderr
