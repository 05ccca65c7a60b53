"""Scripts of one model each whose step was recorded (`*_steps.json`): `tools/record_steps.py` measures them, tests
estimate them.

A row says what the script is made of, and then the bytes: `parameters`, `gradients`, `activations`, `state` of the
optimizer, `moved` to the card in a step, and `peak_allocated`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser

HERE = Path(__file__).parent
TORCHVISION = """
import torch
from torch import nn
from torchvision import models

device = torch.device("cuda")
model = models.{model}()
model.to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.{optimizer}(model.parameters(), lr=0.01{momentum})
for step in range(100):
    images = torch.randn({batch}, 3, {size}, {size}).to(device)
    labels = torch.randint(0, 1000, ({batch},)).to(device)
    optimizer.zero_grad()
    output = model(images)
    loss = {loss}
    loss.backward()
    optimizer.step()
"""
TIMM = """
import torch
import timm
from torch import nn

device = torch.device("cuda")
model = timm.create_model({model!r}{options})
model.to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.{optimizer}(model.parameters(), lr=0.01{momentum})
for step in range(100):
    images = torch.randn({batch}, 3, {size}, {size}).to(device)
    labels = torch.randint(0, 10, ({batch},)).to(device)
    optimizer.zero_grad()
    output = model(images)
    loss = criterion(output, labels)
    loss.backward()
    optimizer.step()
"""
TRANSFORMERS = """
import torch
from transformers import {config}, {model}

device = torch.device("cuda")
config = {config}({options})
model = {model}(config)
{setup}model.to(device)
model.train()
optimizer = torch.optim.{optimizer}(model.parameters(), lr=0.01{momentum})
for step in range(100):
    batch = {{{inputs}}}
    batch = {{key: value.to(device) for key, value in batch.items()}}
    optimizer.zero_grad()
    output = model(**batch)
    loss = output.loss
    loss.backward()
    optimizer.step()
"""
SCRIPTS = {"torchvision": TORCHVISION, "timm": TIMM, "transformers": TRANSFORMERS}
# the outputs of models with auxiliary heads
AUXILIARY = {
    "googlenet": "criterion(output.logits, labels) + 0.3 * (criterion(output.aux_logits1, labels)"
    " + criterion(output.aux_logits2, labels))",
    "inception_v3": "criterion(output.logits, labels) + 0.4 * criterion(output.AuxLogits, labels)",
}
SIZES = {"inception_v3": 299, "swin_v2_t": 256, "swin_v2_b": 256}


def script(library: str, row: Mapping[str, Any]) -> str:
    """The script of a row."""
    model = row["model"]
    given = {"options": "", "setup": "", "size": SIZES.get(model, 224), **row}
    given["loss"] = AUXILIARY.get(model, "criterion(output, labels)")
    given["momentum"] = ", momentum=0.9" if row["optimizer"] == "SGD" else ""
    return SCRIPTS[library].format(**given)


def steps(library: str) -> list[dict[str, Any]]:
    """The recorded rows."""
    text = (HERE / f"{library}_steps.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["steps"]
    return rows


def estimated(library: str, row: Mapping[str, Any]) -> Estimate:
    """What trainlint says of the script of a row."""
    workspace = MemoryWorkspace({"train.py": script(library, row)})
    path = "/project/train.py"
    (found,) = Analyser(workspace).memory(path, workspace.document(path))
    return found


def deviations(pairs: list[tuple[dict[str, Any], Estimate]]) -> tuple[list[float], list[float]]:
    """By how much of the truth activations and peaks differ, without the workspaces that no record has; sorted."""
    activations = [abs(found.terms["activations"] / row["activations"] - 1) for row, found in pairs]
    peaks = [
        abs((found.peak.allocated - found.peak.roles.get("workspace", 0)) / row["peak_allocated"] - 1)
        for row, found in pairs
    ]
    return sorted(activations), sorted(peaks)
