"""Small training projects in a dictionary: a network, a data set, and what a test puts beside them."""

from __future__ import annotations

from typing import Any

from memory_workspace import ROOT, MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser

NET = """
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, width=16, classes=10):
        super().__init__()
        self.a = nn.Conv2d(3, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = F.relu(self.b(x))
        return self.head(x.mean(dim=(2, 3)))
"""
DATA = """
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def get_loader(batch_size, train=True):
    data = datasets.CIFAR10("data", train=train, transform=transforms.ToTensor())
    return DataLoader(data, batch_size=batch_size, shuffle=train)
"""
# one image of CIFAR-10 and its label
SAMPLE = 3 * 32 * 32 * 4 + 8


def projected(files: dict[str, str], entry: str = "main.py", batch: int | None = None) -> list[Estimate]:
    """The estimates of the training loops that a file of a project runs."""
    workspace = MemoryWorkspace(files)
    path = f"{ROOT}/{entry}"
    return Analyser(workspace).memory(path, workspace.document(path), batch)


def weights_of(width: int) -> int:
    """Bytes of the parameters of the network, counted by torch."""
    names: dict[str, Any] = {}
    exec(NET, names)
    return sum(p.nbytes for p in names["Net"](width).parameters())


def said(estimate: Estimate) -> list[str]:
    """What is not known, in words."""
    return [what for _, what in estimate.unknown]
