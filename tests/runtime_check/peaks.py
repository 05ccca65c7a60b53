"""A program of its own: the peak of two training steps of many small models, under fake tensors, with real ones, and as
PyTorch's own MemTracker sees it. Prints one JSON object: name → [fake, real, MemTracker], in bytes.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import _TOTAL_KEY, MemTracker
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from trainlint.runtime_check.tracker import Lines, Tracker


class Residual(nn.Module):
    def __init__(self, body: nn.Module, join: str = "add") -> None:
        super().__init__()
        self.body, self.join = body, join

    def forward(self, x: Any) -> Any:
        y = self.body(x)
        return torch.cat([x, y], 1) if self.join == "cat" else x + y


class Checkpointed(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Any) -> Any:
        return checkpoint(self.body, x, use_reentrant=False)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.inner(x, x, x, need_weights=False)[0].mean(1)


def head(*shape: int) -> nn.Module:
    size = 1
    for each in shape:
        size *= each
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 10))


IMAGE, TEXT, ROW = (4, 3, 16, 16), (4, 12, 32), (16, 64)
Conv = nn.Conv2d
# name → model, shape of the input, optimizer
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Callable[[Any], Any]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)), ROW, lambda p: optim.SGD(p, 0.1)),
    "wide": (lambda: nn.Sequential(nn.Linear(64, 512), nn.Tanh(), nn.Linear(512, 10)), ROW, lambda p: optim.Adam(p)),
    "conv": (lambda: nn.Sequential(Conv(3, 8, 3), nn.ReLU(), head(8, 14, 14)), IMAGE, lambda p: optim.SGD(p, 0.1, 0.9)),
    "batchnorm": (
        lambda: nn.Sequential(Conv(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True), head(8, 14, 14)),
        IMAGE,
        optim.Adam,
    ),
    "groupnorm": (
        lambda: nn.Sequential(Conv(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), head(8, 14, 14)),
        IMAGE,
        optim.AdamW,
    ),
    "instancenorm": (lambda: nn.Sequential(Conv(3, 8, 3), nn.InstanceNorm2d(8), head(8, 14, 14)), IMAGE, optim.Adam),
    "layernorm": (lambda: nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU(), head(64)), ROW, optim.AdamW),
    "maxpool": (
        lambda: nn.Sequential(Conv(3, 8, 3), nn.MaxPool2d(2), head(8, 7, 7)),
        IMAGE,
        lambda p: optim.SGD(p, 0.1),
    ),
    "avgpool": (lambda: nn.Sequential(Conv(3, 8, 3), nn.AvgPool2d(2), head(8, 7, 7)), IMAGE, optim.RMSprop),
    "adaptive": (lambda: nn.Sequential(Conv(3, 8, 3), nn.AdaptiveAvgPool2d(1), head(8)), IMAGE, optim.Adagrad),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), head(4, 32, 32)), IMAGE, optim.Adam),
    "depthwise": (lambda: nn.Sequential(Conv(3, 6, 3, groups=3), nn.ReLU6(), head(6, 14, 14)), IMAGE, optim.Adam),
    "dropout": (lambda: nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.3), head(64)), ROW, lambda p: optim.SGD(p, 0.1)),
    "prelu": (lambda: nn.Sequential(Conv(3, 8, 3), nn.PReLU(), head(8, 14, 14)), IMAGE, optim.Adamax),
    "upsample": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), Conv(3, 2, 3), head(2, 30, 30)), IMAGE, optim.Adam),
    "shuffle": (
        lambda: nn.Sequential(Conv(3, 16, 3, padding=1), nn.PixelShuffle(2), head(4, 32, 32)),
        IMAGE,
        optim.NAdam,
    ),
    "residual": (
        lambda: nn.Sequential(Residual(Conv(3, 3, 3, padding=1)), nn.ReLU(), head(3, 16, 16)),
        IMAGE,
        optim.Adam,
    ),
    "dense": (lambda: nn.Sequential(Residual(Conv(3, 5, 3, padding=1), "cat"), head(8, 16, 16)), IMAGE, optim.Adam),
    "checkpoint": (
        lambda: nn.Sequential(Checkpointed(nn.Sequential(nn.Linear(64, 256), nn.ReLU())), head(256)),
        ROW,
        optim.Adam,
    ),
    "attention": (lambda: nn.Sequential(nn.Linear(32, 32), Attention(), head(32)), TEXT, optim.AdamW),
    "encoder": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True), head(12, 32)),
        TEXT,
        optim.Adam,
    ),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(12, 8, 3), nn.LeakyReLU(), head(8, 30)), TEXT, optim.Adadelta),
    "elu": (lambda: nn.Sequential(nn.Linear(64, 64), nn.ELU(), nn.Softplus(), head(64)), ROW, optim.Rprop),
}


def train(name: str, watch: Any = None) -> None:
    build, shape, optimizer_of = MODELS[name]
    model = build()
    optimizer = optimizer_of(model.parameters())
    mode = watch(model, optimizer) if watch is not None else contextlib.nullcontext()
    with mode:
        for _ in range(2):
            if watch is not None:
                mode.reset_mod_stats()
            x, y = torch.randn(shape), torch.randint(0, 10, (shape[0],))
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()


def ours(name: str, fake: bool) -> int:
    tracker = Tracker(Lines([]))
    tracker.everything = True
    with FakeTensorMode() if fake else contextlib.nullcontext(), tracker:
        train(name)
    living = peak = 0
    for event in tracker.events:
        living += tracker.sizes[event] if event >= 0 else -tracker.sizes[-1 - event]
        peak = max(peak, living)
    return peak


def theirs(name: str) -> int:
    tracker = MemTracker()

    def watch(model: Any, optimizer: Any) -> Any:
        tracker.track_external(model, optimizer)
        return tracker

    with FakeTensorMode():
        train(name, watch)
    return int(tracker.get_tracker_snapshot("peak")[torch.device("cpu")][_TOTAL_KEY])


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump({name: [ours(name, True), ours(name, False), theirs(name)] for name in MODELS}, sys.stdout)
