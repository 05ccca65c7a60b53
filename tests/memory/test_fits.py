"""The largest batch that fits: against playing the loop at every batch size."""

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.allocator import MIB
from trainlint.memory.fits import Curve, largest_batch
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

CODE = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

net = nn.Sequential(
    nn.Conv2d(3, 24, 3), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 24, 3), nn.ReLU(), nn.Flatten(),
    nn.Linear(24 * 28 * 28, 100),
).cuda()
optimizer = torch.optim.AdamW(net.parameters())
data = datasets.CIFAR10("data", transform=transforms.ToTensor())
for x, y in DataLoader(data, batch_size=BATCH):
    x, y = x.cuda(), y.cuda()
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""


def curve(code: str, batch: str = "64") -> Curve:
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code.replace("BATCH", batch)))
    return Curve(found[0])


@pytest.mark.parametrize("capacity", [100 * MIB, 150 * MIB])
def test_one_sample_more_does_not_fit(capacity: int) -> None:
    looked = curve(CODE)
    found = largest_batch(looked, capacity)
    assert found
    assert all(looked.fits(batch, capacity) for batch in range(1, found + 1))
    assert not looked.fits(found + 1, capacity)


def test_the_search_plays_few_steps() -> None:
    looked = curve(CODE)
    found = largest_batch(looked, 24 * 1024 * MIB)
    assert found is not None
    assert found > 10_000
    assert looked.fits(found, 24 * 1024 * MIB)
    assert not looked.fits(found + found // 256, 24 * 1024 * MIB)
    assert looked.played < 24


def test_close_to_the_limit_cached_memory_is_given_back() -> None:
    """What is reserved without a limit says that less fits than does."""
    looked = curve(CODE)
    capacity = 300 * MIB
    found = largest_batch(looked, capacity)
    assert found
    assert looked.at(found).peak.allocated <= capacity
    assert looked.at(found).reserved > capacity


def test_a_model_that_is_too_large() -> None:
    assert largest_batch(curve(CODE), 20 * MIB) == 0


@pytest.mark.parametrize("batch", ["other.size", "torch.load('n')"])
def test_a_batch_that_is_not_known(batch: str) -> None:
    assert largest_batch(curve("import other\n" + CODE, batch), 1024 * MIB) is None


def test_a_step_that_does_not_depend_on_the_batch() -> None:
    code = CODE.replace("F.cross_entropy(net(x), y)", "sum(p.sum() for p in net.parameters())").replace(
        "    x, y = x.cuda(), y.cuda()\n", ""
    )
    assert largest_batch(curve(code), 1024 * MIB) is None
