"""Gradient accumulation written as a loop in the loop: rounds that repeat are followed three times, then the last."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

PROGRAM = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(100):
    optimizer.zero_grad()
    losses = []
    total = 0.0
    for micro in range(ROUNDS):
        x = torch.rand(32, 64).to("cuda")
        loss = net(x).square().mean() / ROUNDS
        EXTRA
        loss.backward()
    optimizer.step()
"""


def estimated(rounds: int, extra: str) -> Estimate:
    code = PROGRAM.replace("ROUNDS", str(rounds)).replace("EXTRA", extra)
    workspace = MemoryWorkspace({"train.py": code})
    (estimate,) = Analyser(workspace).memory("/project/train.py", Document(code))
    return estimate


def operations(estimate: Estimate) -> int:
    assert estimate.step is not None
    return len(estimate.step.recorded)


@pytest.mark.parametrize("extra", ["pass", "total += loss.detach()", "print(micro)", "net.last = micro == 7"])
def test_rounds_that_repeat(extra: str) -> None:
    few, many = estimated(4, extra), estimated(40, extra)
    assert operations(few) == operations(many)
    assert (few.terms, few.peak, few.lines) == (many.terms, many.peak, many.lines)
    assert few.complete
    assert few.terms["batch"] == 32 * 64 * 4


@pytest.mark.parametrize(
    "extra",
    [
        "losses.append(loss)",
        "x = x * 2 if micro % 5 == 4 else x",
        "total += 1.0; x = x[: int(total)]",
    ],
)
def test_rounds_that_differ(extra: str) -> None:
    few, many = estimated(4, extra), estimated(40, extra)
    assert operations(many) >= 10 * operations(few) - 40


def test_what_a_list_keeps_grows_with_the_rounds() -> None:
    assert estimated(40, "losses.append(x)").peak.allocated - estimated(4, "losses.append(x)").peak.allocated == (
        36 * 32 * 64 * 4
    )
