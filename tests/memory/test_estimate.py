"""The estimate of a training step against the real one: every storage of torch is followed through three steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from kept import Storages
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
"""
LOOP = """
for step in range(STEPS):
    x = torch.rand(8, 3, 16, 16)
    target = torch.randint(0, 10, (8,))
    optimizer.zero_grad()
    out = net(x)
    loss = F.cross_entropy(out, target)
    probe()
    loss.backward()
    optimizer.step()
"""
MODELS = {
    "convolutions": """
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
""",
    "residual": """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(4, width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        out = F.relu(self.norm(self.first(x)))
        return F.relu(self.second(out) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList([Block(16) for _ in range(3)])
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=(2, 3)))


net = Net()
""",
    "dense": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(8 * (i + 1), 8, 3, padding=1) for i in range(3)])
        self.stem = nn.Conv2d(3, 8, 1)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, torch.tanh(layer(x))], dim=1)
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


net = Net()
""",
}
OPTIMIZERS = {
    "sgd": "optimizer = torch.optim.SGD(net.parameters(), lr=0.01)",
    "momentum": "optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)",
    "adamw": "optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, foreach=True)",
}


def estimated(code: str, batch: int | None = None) -> Estimate:
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code), batch)
    assert len(found) == 1
    return found[0]


def measured(code: str) -> tuple[int, int]:
    """Bytes alive just before the last backward, and the most in the last step."""
    tracker = Storages()
    seen: list[int] = []

    def probe() -> None:
        seen.append(tracker.now)
        if len(seen) == 3:
            # from here to the end of the step: backward and the optimizer
            tracker.restart()

    names: dict[str, Any] = {"probe": probe, "STEPS": 3}
    with tracker:
        exec(code, names)
    return seen[-1], tracker.peak


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_real_step(model: str, optimizer: str) -> None:
    code = HEAD + MODELS[model] + OPTIMIZERS[optimizer] + LOOP
    alive, peak = measured(code)
    estimate = estimated(code)
    assert estimate.unknown == []
    terms = estimate.terms
    parts = ("parameters", "buffers", "optimizer", "batch", "activations")
    # beside scalars: the counters of the optimizer, which stay on the CPU
    assert 0 <= alive - sum(terms[name] for name in parts) <= 1024
    net: dict[str, Any] = {}
    exec(HEAD + MODELS[model], net)
    assert terms["parameters"] == sum(p.nbytes for p in net["net"].parameters())
    assert terms["gradients"] == terms["parameters"]
    assert terms["buffers"] == sum(b.nbytes for b in net["net"].buffers())
    # the CPU's convolutions copy gradients that are slices of another one, as those of `cat` are
    assert estimate.peak.allocated - terms["workspace"] == pytest.approx(peak, rel=0.12 if model == "dense" else 0.02)


def test_activations_are_linear_in_the_batch() -> None:
    code = HEAD + MODELS["convolutions"] + OPTIMIZERS["sgd"]
    loader = """
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

data = datasets.CIFAR10("data", transform=transforms.ToTensor())
net.cuda()
for x, y in DataLoader(data, batch_size=64):
    x, y = x.cuda(), y.cuda()
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""
    one, two = estimated(code + loader), estimated(code + loader, 128)
    assert (one.batch_size, two.batch_size) == (64, 128)
    assert one.terms["batch"] == 64 * (3 * 32 * 32 * 4 + 8)
    assert two.terms["activations"] - one.terms["activations"] == 64 * one.per_sample
    assert two.terms["parameters"] == one.terms["parameters"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("    out = other.layer(net(x))\n", "what `"),
        ("    for _ in range(other.n):\n        x = torch.relu(x)\n    out = net(x)\n", "how often"),
        ("    if other.flag:\n        x = torch.relu(x)\n    out = net(x)\n", "whether this line runs"),
    ],
)
def test_what_is_not_known_is_said(change: str, reason: str) -> None:
    code = HEAD + "import other\n" + MODELS["convolutions"] + OPTIMIZERS["sgd"]
    estimate = estimated(code + LOOP.replace("    out = net(x)\n", change))
    assert not estimate.complete
    assert any(what.startswith(reason) for _, what in estimate.unknown)


CUDA = """
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10)).cuda()
"""
BODY = 8 * 27 + 8
HEAD_SIZE = 10 * 1568 + 10
SGD = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"


@pytest.mark.parametrize(
    ("optimizer", "state"),
    [
        (SGD, 0),
        ("optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9)\n", BODY + HEAD_SIZE),
        ("optimizer = torch.optim.Adam(net[3].parameters())\n", 2 * HEAD_SIZE),
        ("optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, net.parameters()))\n", 2 * (BODY + HEAD_SIZE)),
        (
            "optimizer = torch.optim.SGD([{'params': net[0].parameters()}, "
            "{'params': net[3].parameters(), 'momentum': 0.9}], lr=0.1)\n",
            HEAD_SIZE,
        ),
        (
            "for p in net[0].parameters():\n    p.requires_grad = False\n" + SGD.replace("0.1", "0.1, momentum=0.9"),
            HEAD_SIZE,
        ),
    ],
)
def test_what_optimizers_keep(optimizer: str, state: int) -> None:
    """Positions, groups, parts of a model and frozen parameters."""
    estimate = estimated(HEAD + CUDA + optimizer + LOOP)
    assert estimate.unknown == []
    assert estimate.terms["optimizer"] == 4 * state
    assert estimate.terms["gradients"] == 4 * (HEAD_SIZE + (0 if "requires_grad =" in optimizer else BODY))


SEGMENTS = "torch.utils.checkpoint.checkpoint_sequential(net, m.segments, x)"


@pytest.mark.parametrize(
    ("before", "loop", "reason"),
    [
        ("", LOOP.replace("out = net(x)", "with torch.autocast('cpu'):\n        out = net(x)"), "automatic mixed"),
        ("import m\n", LOOP.replace("net(x)", SEGMENTS), "what `checkpoint_sequential`"),
        ("net = nn.DataParallel(net)\n", LOOP, "what `DataParallel`"),
        ("import m\nSGD = torch.optim.SGD\noptimizer = SGD(net.parameters(), 0.1, m.momentum)\n", LOOP, "the state of"),
        ("import m\noptimizer = torch.optim.SGD(m.some(net), 0.1)\n", LOOP, "which parameters"),
    ],
)
def test_what_is_not_counted_is_said(before: str, loop: str, reason: str) -> None:
    estimate = estimated(HEAD + CUDA + SGD + before + loop)
    assert any(what.startswith(reason) for _, what in estimate.unknown), estimate.unknown


def test_gradients_that_stay() -> None:
    """`set_to_none=False` keeps them through the forward, and `retain_graph` what backward needs."""
    code = HEAD + CUDA + SGD
    usual = estimated(code + LOOP)
    kept = estimated(code + LOOP.replace("zero_grad()", "zero_grad(set_to_none=False)"))
    twice = estimated(
        code + LOOP.replace("    loss.backward()", "    loss.backward(retain_graph=True)\n    loss.backward()")
    )
    assert usual.complete
    assert kept.complete
    assert twice.complete
    assert kept.peak.allocated > usual.peak.allocated
    assert twice.peak.allocated >= kept.peak.allocated


def test_accumulation_keeps_gradients_between_the_steps() -> None:
    code = HEAD + MODELS["residual"] + OPTIMIZERS["sgd"]
    plain = LOOP.replace("range(STEPS)", "range(100)")
    every = plain.replace("    optimizer.zero_grad()\n", "").replace(
        "    optimizer.step()\n",
        "    if (step + 1) % 4 == 0:\n        optimizer.step()\n        optimizer.zero_grad()\n",
    )
    one, other = estimated(code + plain), estimated(code + every)
    assert other.complete
    assert other.peak.allocated > one.peak.allocated


def test_the_workspace_of_cublas() -> None:
    """One for the forward and one for backward, kept from the first product of matrices on; none without products."""
    code = HEAD + CUDA + SGD
    with_head = estimated(code + LOOP)
    without = estimated(code.replace("nn.Linear(8 * 14 * 14, 10)", "nn.Identity()") + LOOP)
    no_backward = estimated(code + "net[3].requires_grad_(False)\n" + LOOP.replace("net(x)", "net[3](x.flatten(1))"))
    assert with_head.terms["workspace"] == with_head.peak.roles["workspace"] == 2 * 8_519_680
    assert without.terms["workspace"] == 0
    assert no_backward.terms["workspace"] == 8_519_680
    assert sum(with_head.peak.roles.values()) == sum(with_head.peak.lines.values()) == with_head.peak.allocated


def test_no_loop_no_estimate() -> None:
    assert Analyser(MemoryWorkspace({})).memory("/project/a.py", Document("import torch\nx = torch.rand(3)\n")) == []


assert torch


def test_a_running_total_keeps_the_graph_of_one_loss() -> None:
    loop = LOOP.replace("    optimizer.step()", "    optimizer.step()\n    total += loss")
    code = HEAD + MODELS["convolutions"] + OPTIMIZERS["sgd"] + "\ntotal = 0.0" + loop
    found = estimated(code)
    assert found.unknown == []
    plain = estimated(HEAD + MODELS["convolutions"] + OPTIMIZERS["sgd"] + LOOP)
    # the sum and what hangs on it are scalars
    assert 0 <= found.peak.allocated - plain.peak.allocated <= 4 * 512


OLD_TYPES = """
import numpy as np
import torch
from torch import nn
from torch.autograd import Variable

Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
net = nn.Linear(64, 8).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
data = torch.utils.data.TensorDataset(torch.rand(320, 64))
for (images,) in torch.utils.data.DataLoader(data, batch_size=32):
    real = Variable(images.type(Tensor))
    noise = Variable(Tensor(np.random.normal(0, 1, (32, 64))))
    ones = Tensor(32, 8).fill_(1.0)
    optimizer.zero_grad()
    loss = (net(real + noise) - ones).square().mean()
    loss.backward()
    optimizer.step()
"""


def test_the_old_tensor_types_of_cuda() -> None:
    """`x.type(torch.cuda.FloatTensor)` moves a batch, and `torch.cuda.FloatTensor(array)` makes a tensor there."""
    estimate = estimated(OLD_TYPES)
    assert estimate.unknown == []
    assert estimate.batch_size == 32
    assert estimate.terms["batch"] == 32 * 64 * 4
    # the batch, the noise, the ones
    held = {line: size for (_, line), size in estimate.held.items()}
    assert {line: held[line] for line in (12, 13, 14)} == {12: 32 * 64 * 4, 13: 32 * 64 * 4, 14: 32 * 8 * 4}
