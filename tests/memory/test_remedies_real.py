"""Remedies against the changed script, both really run: the bytes that are promised are the bytes that are saved."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import step
from memory_workspace import MemoryWorkspace

from trainlint.memory.fits import Curve
from trainlint.memory.remedies import remedies
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

FEATURES = """
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()
        )

    def forward(self, x):
        return self.body(x).mean(dim=(2, 3))


backbone = Backbone().cuda()
head = nn.Linear(64, 10).cuda()
optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
for step in range(100):
    x = torch.randn(16, 3, 32, 32, device="cuda")
    y = torch.randint(0, 10, (16,), device="cuda")
    features = backbone(x)
    loss = nn.functional.cross_entropy(head(features), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
TEACHER = """
import torch
from torch import nn
from torch.nn import functional as F


def net(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10),
    )


teacher, student = net(64).cuda(), net(32).cuda()
optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
for step in range(100):
    x = torch.randn(16, 3, 32, 32, device="cuda")
    wanted = teacher(x)
    loss = F.mse_loss(student(x), wanted.detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
DECODER = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Decoder(nn.Module):
    def __init__(self, vocabulary=2000, width=256, depth=4):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


model = Decoder().cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(100):
    tokens = torch.randint(0, 2000, (16, 64), device="cuda")
    loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
PROGRAMS = {"features": FEATURES, "teacher": TEACHER, "decoder": DECODER}
BACKBONE = "features = backbone(x)"
SGD = "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"
# program, the beginning of the title, the text that is changed and what it becomes
CHANGES = [
    ("features", "`torch.no_grad()` around what line 23", [(BACKBONE, f"with torch.no_grad(): {BACKBONE}")]),
    ("features", "freezing all but `nn.Linear` of line 18", [("head = ", "backbone.requires_grad_(False)\nhead = ")]),
    ("features", "batch size 8 instead of 16", [("(16,", "(8,")]),
    (
        "features",
        "automatic mixed precision (bfloat16)",
        [
            (BACKBONE, f"with torch.autocast('cuda', dtype=torch.bfloat16): {BACKBONE}"),
            ("    loss = ", "    with torch.autocast('cuda', dtype=torch.bfloat16): loss = "),
        ],
    ),
    ("teacher", "`torch.no_grad()` around what line 18", [("wanted = ", "with torch.no_grad(): wanted = ")]),
    ("teacher", "batch size 8 instead of 16", [("(16,", "(8,")]),
    (
        "teacher",
        "gradient accumulation, 2 × 8 instead of 16",
        [
            ("(16,", "(8,"),
            ("    optimizer.zero_grad()\n", ""),
            (
                "    optimizer.step()\n",
                "    if step % 2 == 1:\n        optimizer.step()\n        optimizer.zero_grad()\n",
            ),
        ],
    ),
    (
        "decoder",
        "activation checkpointing of the 4 `Block` modules",
        [("block(x)", "checkpoint(block, x, use_reentrant=False)")],
    ),
    ("decoder", "SGD with momentum instead of AdamW", [("torch.optim.AdamW(model.parameters(), lr=1e-3)", SGD)]),
    (
        "decoder",
        "automatic mixed precision (bfloat16)",
        [("    loss = ", "    with torch.autocast('cuda', dtype=torch.bfloat16): loss = ")],
    ),
    ("decoder", "batch size 8 instead of 16", [("(16,", "(8,")]),
]


@cache
def promised(name: str) -> dict[str, int]:
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(PROGRAMS[name]))
    assert found.unknown == []
    return {remedy.title: remedy.saves for remedy in remedies(Curve(found))}


def measured(code: str, folder: Path) -> int:
    script = folder / "train.py"
    script.write_text(code, encoding="utf-8")
    return step.run(script).peak


@cache
def as_it_is(name: str, folder: Path) -> int:
    return measured(PROGRAMS[name], folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("remedies")


@pytest.mark.parametrize(("name", "title", "changes"), CHANGES, ids=lambda value: value if type(value) is str else "")
def test_what_is_promised_is_saved(name: str, title: str, changes: list[tuple[str, str]], folder: Path) -> None:
    (promise,) = [saves for full, saves in promised(name).items() if full.startswith(title)]
    code = PROGRAMS[name]
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    before = as_it_is(name, folder)
    assert promise == pytest.approx(before - measured(code, folder), abs=0.01 * before)


def test_nothing_is_offered_where_all_gradients_are_used() -> None:
    assert not [title for title in promised("decoder") if "no_grad" in title]
    held = FEATURES.replace("head.parameters()", "[*backbone.parameters(), *head.parameters()]")
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(held))
    assert not [remedy.title for remedy in remedies(Curve(found)) if "no_grad" in remedy.title]
