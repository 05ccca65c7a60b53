"""Estimates of torchvision's models against recorded steps (`torchvision_steps.json`).

The records are of torchvision 0.28 and torch 2.13: three steps under fake tensors in which every storage was followed,
with what differs on CUDA (the mask of dropout, fused attention, foreach optimizers). Sizes are bytes.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser

STEPS = json.loads((Path(__file__).parent / "torchvision_steps.json").read_text(encoding="utf-8"))
CHOSEN = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v2",
    "resnet50",
    "vgg16_bn",
    "vit_b_16",
)
SCRIPT = """
import torch
from torch import nn
from torchvision import models

device = torch.device("cuda")
model = models.{model}()
model.to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.{optimizer}(model.parameters(), lr=0.01{momentum})
for step in range(100):
    images = torch.randn({batch}, 3, 224, 224).to(device)
    labels = torch.randint(0, 1000, ({batch},)).to(device)
    optimizer.zero_grad()
    output = model(images)
    loss = criterion(output, labels)
    loss.backward()
    optimizer.step()
"""


def estimated(step: dict[str, object]) -> Estimate:
    momentum = ", momentum=0.9" if step["optimizer"] == "SGD" else ""
    workspace = MemoryWorkspace({"train.py": SCRIPT.format(momentum=momentum, **step)})
    path = "/project/train.py"
    (found,) = Analyser(workspace).memory(path, workspace.document(path))
    return found


@pytest.fixture(scope="module")
def pairs() -> list[tuple[dict[str, int], Estimate]]:
    return [(step, estimated(step)) for step in STEPS if step["model"] in CHOSEN]


def test_parameters_gradients_state_and_batch_are_exact(pairs: list[tuple[dict[str, int], Estimate]]) -> None:
    for step, found in pairs:
        assert found.complete, (step["model"], found.unknown)
        terms = [found.terms[name] for name in ("parameters", "gradients", "optimizer", "batch")]
        assert terms == [step[name] for name in ("parameters", "gradients", "state", "moved")], step["model"]


def test_the_peak_is_near(pairs: list[tuple[dict[str, int], Estimate]]) -> None:
    errors = []
    for step, found in pairs:
        peak = found.peak.allocated - found.peak.roles.get("workspace", 0)
        errors.append(abs(peak / step["peak_allocated"] - 1))
    assert statistics.median(errors) <= 0.02
    assert sorted(errors)[int(0.9 * (len(errors) - 1))] <= 0.06
