"""Findings of a measured step are selected, silenced and levelled like those of rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.runtime_check.conftest import Lab
from trainlint.project.runtime_findings import applying
from trainlint.project.session import Session
from trainlint.rules.registry import selectors
from trainlint.rules.runtime import FAMILY, RUNTIME_CODES

UNUSED = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(12, 8)
        self.unused = nn.Linear(12, 8)COMMENT

    def forward(self, x):
        return self.body(x)


net = Net().cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(4, 12, device="cuda")
    optimizer.zero_grad()
    net(x).sum().backward()
    optimizer.step()
"""
OTHER = "  # trainlint: ignore[RT002]"


def codes(lab: Lab, *options: str, comment: str = "") -> list[tuple[str, str]]:
    """(code, level) of what `trainlint measure` prints as JSON."""
    lab.write(UNUSED.replace("COMMENT", comment))
    done = lab.command("train.py", "--device", "fake", "--output-format", "json", *options)
    assert done.returncode == 0, done.stderr
    return [(each["code"], each["level"]) for each in json.loads(done.stdout)["findings"]]


def test_options_and_configuration_select(lab: Lab) -> None:
    both = [("RT001", "warning")] * 2
    assert codes(lab, comment=OTHER) == both
    assert codes(lab, "--ignore", "no-gradient") == []
    assert codes(lab, "--select", "RT002") == []
    (lab.folder / "trainlint.toml").write_text('levels = {runtime = "error"}\n')
    assert codes(lab) == [("RT001", "error")] * 2
    (lab.folder / "trainlint.toml").write_text('per-file-ignores = {"train.py" = ["RT"]}\n')
    assert codes(lab) == []
    assert lab.command("train.py", "--ignore", "RT00X").returncode == 2


def test_comments_silence_in_text_too_and_are_not_called_useless(lab: Lab) -> None:
    comment = "  # trainlint: ignore[RT001]"
    assert codes(lab, comment=comment) == []
    text = lab.command("train.py", "--device", "fake").stdout.decode()
    assert "peak" in text
    assert "RT001" not in text
    path = lab.folder / "train.py"
    assert [each.code for each in Session([lab.folder]).check(str(path)).findings] == []


def test_a_comment_counts_in_its_cell(lab: Lab) -> None:
    cells = [UNUSED.replace("COMMENT", "  # trainlint: ignore[runtime]"), "pass\n"]
    content = {
        "cells": [{"cell_type": "code", "source": text, "metadata": {}, "outputs": []} for text in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = lab.folder / "train.ipynb"
    path.write_text(json.dumps(content))
    session = Session([lab.folder])
    found = [finding(path, cell=0, line=9), finding(path, cell=0, line=10), finding(path, cell=1, line=1)]
    assert [(each["cell"], each["line"]) for each in applying(session, found)] == [(0, 10), (1, 1)]
    assert len(applying(session, found, silence=False)) == 3


def finding(path: Path, cell: int, line: int) -> dict[str, Any]:
    place = {"path": str(path), "cell": cell, "line": line, "column": 1, "end_line": line, "end_column": 1}
    code = RUNTIME_CODES["RT001"]
    about = {"code": "RT001", "id": code.id, "family": FAMILY, "level": code.level}
    return {**about, **place, "certainty": "proved", "message": "said", "related": [], "fixes": [], "url": ""}


def test_what_is_found_is_what_is_documented() -> None:
    source = Path(__file__).parents[2] / "trainlint" / "runtime_check" / "findings.py"
    added = re.findall(r'self\.add\(\s*"(RT\d+)", "([\w-]+)", "(\w+)"', source.read_text(encoding="utf-8"))
    assert {(code, each.id, each.level) for code, each in RUNTIME_CODES.items()} == set(added)
    assert selectors()["RT"] == selectors()[FAMILY] == RUNTIME_CODES.keys()
