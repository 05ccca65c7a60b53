"""The largest batch that fits: against playing the loop at every batch size."""

from collections.abc import Callable

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.allocator import MIB
from trainlint.memory.answer import answer
from trainlint.memory.demand import demands
from trainlint.memory.fits import Curve, largest_batch
from trainlint.memory.target import target_of
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
    assert not looked.fits(found + found // 64, 24 * 1024 * MIB)
    assert looked.played < 20


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


@pytest.mark.parametrize(
    ("change", "by"),
    [
        # no smaller last batch: the first axis is a number
        (lambda code: code.replace("batch_size=BATCH)", "batch_size=BATCH, drop_last=True)"), "symbol"),
        (
            lambda code: (
                code.replace("net = ", "BS = BATCH\nnet = ")
                .replace("batch_size=BATCH)", "BS, drop_last=True)")
                .replace("net(x)", "net(x.reshape(BS, 3, 32, 32))")
            ),
            "symbol",
        ),
        # a number that decides what is done: one interpretation for each batch size
        (
            lambda code: (
                code.replace("net = ", "BS = BATCH\nnet = ")
                .replace("batch_size=BATCH)", "BS, drop_last=True)")
                .replace("net(x)", "net(x) if BS < 10**9 else None")
            ),
            "number",
        ),
    ],
)
def test_a_batch_that_is_a_number_all_through(change: Callable[[str], str], by: str) -> None:
    usual, other = curve(CODE), curve(change(CODE))
    assert other.batch == 64
    for batch in (32, 128):
        assert other.at(batch).terms == usual.at(batch).terms
        assert other.at(batch).peak.allocated == usual.at(batch).peak.allocated
    step, again = usual.first.step, other.first.step
    assert step is not None
    assert again is not None
    assert step.at(32) is step
    assert again.at(32) is not again
    assert (again.at(32) is again.at(128)) == (by == "symbol")
    assert largest_batch(other, 500 * MIB) == largest_batch(usual, 500 * MIB)


@pytest.mark.parametrize(("layer", "convolves"), [("nn.Conv2d(3, 3, 1)", True), ("nn.Identity()", False)])
def test_one_room_for_the_report_and_the_rule(layer: str, convolves: bool) -> None:
    """The context with cuDNN is larger: both count it where the step has convolutions."""
    code = f"""
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

net = nn.Sequential({layer}, nn.Flatten(), nn.Linear(3072, 10)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
data = datasets.CIFAR10("data", transform=transforms.ToTensor())
for x, y in DataLoader(data, batch_size=4_000_000):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x.cuda()), y.cuda()).backward()
    optimizer.step()
"""
    analyser, target = Analyser(MemoryWorkspace({})), target_of("A100-40GB", None)
    assert target is not None
    (one,) = analyser.memory("/project/train.py", Document(code))
    assert one.step is not None
    (asked,) = demands(one.step.program, [Curve(one)], target)
    found = answer(one, target).fit
    assert found is not None
    assert asked.largest == found.largest_batch
    assert Curve(one).room(target) == target.room(convolves) != target.room(not convolves)
