"""What cuDNN's convolutions take while they run, and where it is told."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.allocator import MIB
from trainlint.memory.answer import answer
from trainlint.memory.estimate import Estimate
from trainlint.memory.plan import Plan
from trainlint.memory.target import target_of
from trainlint.memory.workspaces import LARGEST, winograd
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

CODE = """
import torch
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, KERNEL), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(100):
    x, y = torch.randn(16, 3, 64, 64).cuda(), torch.randint(0, 10, (16,)).cuda()
    optimizer.zero_grad()
    nn.CrossEntropyLoss()(net(x), y).backward()
    optimizer.step()
"""


def estimate(kernel: str = "3, padding=1") -> Estimate:
    return Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(CODE.replace("KERNEL", kernel)))[0]


def working(found: Estimate) -> Estimate:
    assert found.step is not None
    return found.step.estimate(Plan(convolutions=True))


def test_the_size() -> None:
    """36 numbers for each tile of 4 x 4 of the input and of the result, and for each filter."""
    tiles = 2 * 16 * 17
    assert winograd((2, 8, 64, 66), (24, 8, 3, 3), (2, 24, 64, 66), (1, 1), 1, 4) == 36 * 4 * (tiles * 32 + 8 * 24)


@pytest.mark.parametrize(
    ("filters", "stride", "groups", "itemsize"),
    [
        ((8, 8, 1, 1), (1, 1), 1, 4),
        ((8, 8, 5, 5), (1, 1), 1, 4),
        ((8, 8, 3, 3), (2, 2), 1, 4),
        ((8, 1, 3, 3), (1, 1), 8, 4),
        ((8, 8, 3, 3), (1, 1), 1, 2),
    ],
)
def test_what_it_is_not_for(filters: tuple[int, ...], stride: tuple[int, int], groups: int, itemsize: int) -> None:
    assert winograd((2, 8, 32, 32), filters, (2, 8, 32, 32), stride, groups, itemsize) == 0


def test_it_is_there_while_the_convolution_runs_only() -> None:
    found = estimate()
    other = working(found)
    size = 36 * 4 * (16 * 16 * 16 * 128 + 64 * 64)
    assert other.reserved - found.reserved >= size - 20 * MIB
    assert {**other.terms} == {**found.terms}
    assert other.peak.roles["workspace"] - found.peak.roles["workspace"] == size
    assert working(estimate("1")).reserved - estimate("1").reserved < size // 4


def test_the_figures_of_tensors_are_without_it() -> None:
    found = estimate()
    told = answer(found, target_of("A100", None))
    assert told.convolutions == working(found).reserved - found.reserved > 0
    assert told.device.expected == answer(estimate("1"), target_of("A100", None)).device.expected + (
        told.convolutions - answer(estimate("1"), target_of("A100", None)).convolutions
    ) + (found.reserved - estimate("1").reserved)
    assert told.device.low < found.reserved + 300 * MIB
    assert "cuDNN" in told.device.why
    # each batch size has its own
    half, double = told.what_if
    assert half.device - half.reserved < told.device.expected - found.reserved < double.device - double.reserved


def test_other_vendors_have_other_libraries() -> None:
    assert answer(estimate(), target_of("MI300X", None)).convolutions == 0


def test_it_is_no_larger_than_any_that_was_measured() -> None:
    shape, filters = (128, 64, 224, 224), (64, 64, 3, 3)
    assert winograd(shape, filters, shape, (1, 1), 1, 4) == LARGEST
    twice = (256, *shape[1:])
    assert winograd(twice, filters, twice, (1, 1), 1, 4) == LARGEST


def test_it_does_not_decide_what_fits() -> None:
    """cuDNN takes another algorithm where memory is short, and takes no more than there is."""
    found = estimate()
    free = answer(found, None)
    assert free.convolutions == free.asked > 20 * MIB
    tight = target_of(None, free.device.expected - free.convolutions + 10 * MIB)
    told = answer(found, tight)
    assert told.fit is not None
    assert told.fit.fits is True
    assert (told.convolutions, told.asked) == (10 * MIB, free.asked)
    assert tight is not None
    assert told.device.expected == tight.usable


def test_up_to_which_batch_it_has_all_that_it_takes() -> None:
    found = estimate()
    target = target_of(None, answer(found, None).device.expected)
    fit = answer(found, target).fit
    assert fit is not None
    assert fit.largest_batch is not None
    assert fit.largest_at_ease is not None
    assert 16 <= fit.largest_at_ease < fit.largest_batch
    assert answer(estimate("1"), target_of("MI300X", None)).fit.largest_at_ease is None  # type: ignore[union-attr]
