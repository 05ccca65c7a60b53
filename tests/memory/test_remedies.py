"""What would lower the peak: the bytes against those of the changed program."""

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.memory.fits import Curve
from trainlint.memory.gpus import find
from trainlint.memory.remedies import LEAST, remedies
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

CODE = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

net = nn.Sequential(
    nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 28 * 28, 100)
).cuda()
optimizer = torch.optim.AdamW(net.parameters())
data = datasets.CIFAR10("data", transform=transforms.ToTensor())
for step, (x, y) in enumerate(DataLoader(data, batch_size=64)):
    x, y = x.cuda(), y.cuda()
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""
ADAM = "torch.optim.AdamW(net.parameters())"
STEP = "    optimizer.step()\n"
CHANGES = {
    "batch size 32 instead of 64": lambda code: code.replace("batch_size=64", "batch_size=32"),
    "gradient accumulation, 2 × 32 instead of 64": lambda code: (
        code.replace("batch_size=64", "batch_size=32")
        .replace("    optimizer.zero_grad()\n", "")
        .replace(STEP, "    if step % 2 == 1:\n        optimizer.step()\n        optimizer.zero_grad()\n")
    ),
    "SGD with momentum instead of AdamW": lambda code: code.replace(
        ADAM, "torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)"
    ),
    "8-bit AdamW of bitsandbytes": lambda code: (
        "import bitsandbytes\n" + code.replace(ADAM, "bitsandbytes.optim.AdamW8bit(net.parameters())")
    ),
    "automatic mixed precision (bfloat16)": lambda code: code.replace(
        "    loss =", "    with torch.autocast('cuda', dtype=torch.bfloat16):\n        loss ="
    ),
}


def estimated(code: str) -> Estimate:
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code))
    assert found[0].unknown == []
    return found[0]


@pytest.mark.parametrize("title", CHANGES)
def test_the_changed_program_takes_what_the_remedy_says(title: str) -> None:
    one, other = estimated(CODE), estimated(CHANGES[title](CODE))
    saved = {remedy.title: remedy.saves for remedy in remedies(Curve(one))}
    assert saved[title] == one.peak.allocated - other.peak.allocated
    assert saved[title] > LEAST * one.peak.allocated


def test_all_but_the_last_layer_frozen() -> None:
    one = estimated(CODE)
    frozen = "for p in net[:-1].parameters():\n    p.requires_grad = False\n"
    other = estimated(CODE.replace("optimizer = ", frozen + "optimizer = "))
    saved = {remedy.title: remedy.saves for remedy in remedies(Curve(one))}
    title = "freezing all but `nn.Linear` of line 8, for fine-tuning"
    assert saved[title] == one.peak.allocated - other.peak.allocated
    # it is frozen already
    assert title not in {remedy.title for remedy in remedies(Curve(other))}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("A100", "automatic mixed precision (bfloat16)"),
        ("MI250X", "automatic mixed precision (bfloat16)"),
        ("T4", "automatic mixed precision (float16 with GradScaler: T4 only emulates bfloat16)"),
        ("RTX 2080", "automatic mixed precision (float16 with GradScaler: RTX 2080 only emulates bfloat16)"),
    ],
)
def test_the_precision_that_the_gpu_computes_in(name: str, title: str) -> None:
    one, gpu = estimated(CODE), find(name)
    half = CHANGES["automatic mixed precision (bfloat16)"](CODE)
    if gpu is not None and not gpu.bfloat16:
        scaled = "scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\n"
        half = half.replace("loss.backward()\n    optimizer.step()\n", scaled).replace("bfloat16", "float16")
        half = half.replace("data = ", "scaler = torch.amp.GradScaler()\ndata = ")
    saved = {remedy.title: remedy.saves for remedy in remedies(Curve(one), gpu)}
    assert saved[title] == one.peak.allocated - estimated(half).peak.allocated


def test_gradients_that_are_kept_as_zeros() -> None:
    kept = estimated(CODE.replace("zero_grad()", "zero_grad(set_to_none=False)"))
    saved = {remedy.title: remedy.saves for remedy in remedies(Curve(kept))}
    assert saved["`zero_grad()` without `set_to_none=False`"] == (kept.peak.allocated - estimated(CODE).peak.allocated)


def test_what_does_not_apply_is_not_offered() -> None:
    """No other optimizer than SGD, no precision below bfloat16, no batch below one sample."""
    code = CHANGES["automatic mixed precision (bfloat16)"](CHANGES["SGD with momentum instead of AdamW"](CODE))
    titles = [remedy.title for remedy in remedies(Curve(estimated(code.replace("batch_size=64", "batch_size=1"))))]
    assert titles == []


RESIDUAL = """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return x + self.two(torch.relu(self.one(torch.relu(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 1)
        self.blocks = nn.ModuleList([Block(32) for _ in range(4)])
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


net = Net().cuda()
"""


def test_repeated_blocks_are_checkpointed() -> None:
    start, end = CODE.index("net = "), CODE.index("optimizer = ")
    code = CODE[:start] + RESIDUAL + CODE[end:]
    asked = "import torch.utils.checkpoint\n" + code.replace(
        "x = block(x)", "x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)"
    )
    one, other = estimated(code), estimated(asked)
    saved = {remedy.title: remedy.saves for remedy in remedies(Curve(one))}
    title = "activation checkpointing of the 4 `Block` modules"
    assert saved[title] == one.peak.allocated - other.peak.allocated
    assert title not in {remedy.title for remedy in remedies(Curve(other))}
