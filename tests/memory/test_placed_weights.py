"""Weights that a program replaces, tables of layers told apart by type, and loops that call a training function."""

from __future__ import annotations

import pytest
from projects import DATA, NET, projected, said

MAIN = """
import copy

import torch
import torch.nn.functional as F
from data import get_loader
from net import Net

student = Net(16).cuda()
teacher = copy.deepcopy(student)
for p in teacher.parameters():
    p.requires_grad = False
optimizer = torch.optim.Adam(student.parameters())


@torch.no_grad()
def follow():
    for q, k in zip(student.parameters(), teacher.parameters()):
        {follow}


def one_epoch(loader):
    for x, y in loader:
        x, y = x.cuda(), y.cuda()
        out = student(x)
        with torch.no_grad():
            follow()
            wanted = teacher(x)
        optimizer.zero_grad()
        F.mse_loss(out, wanted).backward()
        optimizer.step()


loader = get_loader(8)
for epoch in range(100):
    one_epoch(loader)
"""


def test_a_weight_put_in_the_place_of_another_takes_no_more() -> None:
    placed, written = (
        projected({"main.py": MAIN.format(follow=follow), "data.py": DATA, "net.py": NET})[0]
        for follow in ("k.data = k.data * 0.9 + q.data * 0.1", "k.data.mul_(0.9).add_(q.data, alpha=0.1)")
    )
    assert said(placed) == said(written) == []
    assert placed.terms == written.terms


def test_a_function_that_trains_is_one_loop_however_often_it_is_called() -> None:
    files = {"main.py": MAIN.format(follow="k.data.lerp_(q.data, 0.1)"), "data.py": DATA, "net.py": NET}
    assert len(projected(files)) == 1


TABLE = """
import torch
from torch import nn

layers, inside = [], 3
for entry in [(3, 8), "M", [4, 8, 2]]:
    if {kind}(tuple):
        layers += [nn.Conv2d(inside, entry[1], entry[0], padding=1)]
        inside = entry[1]
    elif {kind}(str):
        layers += [nn.MaxPool2d(2)]
    elif {kind}(list):
        first, second, times = entry
        for _ in range(times):
            layers += [nn.Conv2d(inside, first, 1), nn.Conv2d(first, second, 3, padding=1)]
            inside = second
model = nn.Sequential(*layers).cuda()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(10):
    x = torch.randn(4, 3, 8, 8).cuda()
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()
"""


@pytest.mark.parametrize("operator", ["==", "is"])
def test_the_type_of_an_entry_decides(operator: str) -> None:
    text = TABLE
    for name in ("tuple", "str", "list"):
        text = text.replace(f"{{kind}}({name})", f"type(entry) {operator} {name}")
    found = projected({"main.py": text})[0]
    assert said(found) == []
    assert found.terms["parameters"] == 4 * ((3 * 8 * 9 + 8) + 2 * ((8 * 4 + 4) + (4 * 8 * 9 + 8)))


def test_pillow_makes_rgb_of_bytes_with_three_channels() -> None:
    text = """
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor


class Pictures(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        picture = Image.fromarray(np.random.randint(0, 255, (40, 50, 3), dtype=np.uint8))
        x, y = np.random.randint(0, 18), np.random.randint(0, 8)
        return to_tensor(picture.crop((x, y, x + 32, y + 32)))


model = torch.nn.Conv2d(3, 3, 3).cuda()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for x in DataLoader(Pictures(), batch_size=8):
    optimizer.zero_grad()
    model(x.cuda()).sum().backward()
    optimizer.step()
"""
    found = projected({"main.py": text})[0]
    assert said(found) == []
    assert found.terms["batch"] == 8 * 3 * 32 * 32 * 4
