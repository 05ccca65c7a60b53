"""Models that are taken from a module by their name, the device of this machine, and the accuracy at k."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

NETS = """
from torch import nn


def small(num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, num_classes))
"""
PROGRAM = """
import argparse
import torch
import torchvision.models as models
import nets

parser = argparse.ArgumentParser()
parser.add_argument("--arch", default="NAME")
args = parser.parse_args()
device = torch.accelerator.current_accelerator()
model = MODULE[args.arch]()
if device.type == "cuda":
    model = model.cuda()
else:
    model = None
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        _, found = output.topk(max(topk), 1, True, True)
        correct = found.t().eq(target.view(1, -1).expand_as(found.t()))
        return [correct[:k].reshape(-1).float().sum(0, keepdim=True) for k in topk]


def accuracies(output, target, topk=(1,)):
    with torch.no_grad():
        _, found = output.topk(max(topk), 1, True, True)
        correct = found.t().eq(target.view(1, -1).expand_as(found.t()))
        result = []
        for k in topk:
            result.append(correct[:k].reshape(-1).float().sum(0, keepdim=True))
        return result


for step in range(100):
    x, y = torch.rand(8, 3, SIDE, SIDE).to(device), torch.randint(0, 10, (8,)).to(device)
    out = model(x)
    loss = torch.nn.functional.cross_entropy(out, y)
    one, five = ACCURACY(out, y, topk=(1, 5))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def estimated(name: str, module: str, side: int, accuracy: str) -> Estimate:
    changes = {"NAME": name, "MODULE": module, "SIDE": str(side), "ACCURACY": accuracy}
    code = PROGRAM
    for word, text in changes.items():
        code = code.replace(word, text)
    (found,) = Analyser(MemoryWorkspace({"nets.py": NETS})).memory("/project/train.py", Document(code))
    return found


@pytest.mark.parametrize("accuracy", ["accuracy", "accuracies"])
@pytest.mark.parametrize(
    ("name", "module", "side", "parameters"),
    [
        ("small", "nets.__dict__", 4, 48 * 10 + 10),
        ("small", "vars(nets)", 4, 48 * 10 + 10),
        ("resnet18", "models.__dict__", 32, 11_689_512),
    ],
)
def test_a_model_by_its_name(name: str, module: str, side: int, parameters: int, accuracy: str) -> None:
    estimate = estimated(name, module, side, accuracy)
    assert estimate.unknown == []
    assert estimate.parameters == parameters
    assert estimate.terms["gradients"] == 4 * parameters
