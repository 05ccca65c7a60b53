"""Real runs of the runtime check on small programs, with the torch of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from trainlint.memory.recording import Measured, played
from trainlint.project.measuring import Job, Outcome, Run

# the head of most programs: a model on the card, a loader and an optimizer, and the loop
PLAIN = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16 * 16, 10)).to(device)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
data = TensorDataset(torch.randn(64, 3, 16, 16), torch.randint(0, 10, (64,)))
for images, labels in DataLoader(data, batch_size=16):
    images, labels = images.to(device), labels.to(device)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    optimizer.step()
"""


class Lab:
    """Writes programs into a fresh folder and runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "train.py") -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def job(self, path: Path, **options: Any) -> Job:
        return Job(
            **{
                "target": {"kind": "script", "path": str(path)},
                "roots": [str(self.folder)],
                "device": "fake",
                **options,
            }
        )

    def run(self, text: str, **options: Any) -> Outcome:
        """Run a program; what it prints goes nowhere."""
        run = Run(self.job(self.write(text), **options))
        return run.wait(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def measured(self, text: str, **options: Any) -> Measured:
        """Run a program that must come to its step."""
        outcome = self.run(text, **options)
        assert outcome.recording is not None, outcome.why
        return played(outcome.recording)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """`trainlint measure` as a person runs it."""
        command = [sys.executable, "-m", "trainlint", "measure", *arguments]
        environment = {**os.environ, **options.pop("env", {})}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, check=False, timeout=120, **options
        )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)
