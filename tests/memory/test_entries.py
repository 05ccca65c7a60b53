"""Which model and which loop: several loops, loops in other files, functions nobody calls, defaults of options."""

from __future__ import annotations

import pytest
from projects import DATA, NET, SAMPLE, projected, said, weights_of

from trainlint.memory.entries import NoSuchEntry, chosen, told

TRAINER = """
import torch
from torch import nn


class Trainer:
    def __init__(self, model, loader, cfg):
        self.model = model.to(cfg.device)
        self.loader = loader
        self.cfg = cfg
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self):
        for epoch in range(self.cfg.epochs):
            for x, y in self.loader:
                x, y = x.to(self.cfg.device), y.to(self.cfg.device)
                self.step(x, y)
"""
CONFIG = """
from dataclasses import dataclass


@dataclass
class Config:
    lr: float = 1e-3
    batch_size: int = 48
    epochs: int = 5
    device: str = "cuda"


cfg = Config()
"""
MAIN = """
from config import cfg
from data import get_loader
from model import Net
from trainer import Trainer


def main():
    Trainer(Net(32), get_loader(cfg.batch_size), cfg).fit()


if __name__ == "__main__":
    main()
"""
PARTS = {"model.py": NET, "data.py": DATA, "trainer.py": TRAINER, "config.py": CONFIG}
EPOCH = """
import torch.nn.functional as F


def train_one_epoch(model, loader, optimizer, device):
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""
PACKAGE = """
import torch
from .data import get_loader
from .engine import train_one_epoch
from .models import Net

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
net = Net(32).to(device)
optimizer = torch.optim.AdamW(net.parameters())
for epoch in range(3):
    train_one_epoch(net, get_loader(48), optimizer, device)
"""


def test_a_trainer_in_another_file() -> None:
    (found,) = projected({**PARTS, "main.py": MAIN})
    assert found.unknown == []
    assert (found.path, found.name, found.batch_size) == ("/project/trainer.py", "Trainer.fit", 48)
    assert told(found) == "Trainer.fit (trainer.py:23, called from line 13 → 9)"
    assert found.terms["parameters"] == found.terms["gradients"] == weights_of(32)
    assert found.terms["optimizer"] == 2 * weights_of(32)
    assert found.terms["batch"] == 48 * SAMPLE


@pytest.mark.parametrize("entry", ["proj/__main__.py", "proj/train.py"])
def test_a_package(entry: str) -> None:
    files = {
        "proj/__init__.py": "",
        "proj/models/__init__.py": "from .net import Net\n",
        "proj/models/net.py": NET,
        "proj/data.py": DATA,
        "proj/engine.py": EPOCH,
        entry: PACKAGE,
    }
    (found,) = projected(files, entry)
    assert found.unknown == []
    assert found.batch_size == 48
    assert found.terms["parameters"] == weights_of(32)


SEVERAL = (
    NET
    + DATA
    + """
def pretrain():
    net = Net(8).cuda()
    opt = torch.optim.SGD(net.parameters(), 0.1)
    for x, y in get_loader(16):
        x, y = x.cuda(), y.cuda()
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()


class Finetuner:
    def __init__(self, width):
        self.net = Net(width).cuda()
        self.opt = torch.optim.Adam(self.net.parameters())

    def run(self, batch):
        for x, y in get_loader(batch):
            x, y = x.cuda(), y.cuda()
            self.opt.zero_grad()
            F.cross_entropy(self.net(x), y).backward()
            self.opt.step()


def main():
    pretrain()
    Finetuner(16).run(32)
    Finetuner(32).run(64)


main()
"""
)


@pytest.mark.parametrize(
    ("entry", "batch"),
    [
        (None, 64),
        ("pretrain", 16),
        ("run", 64),
        ("Finetuner.run", 64),
        ("main", 64),
        (str(SEVERAL.splitlines().index("    for x, y in get_loader(16):") + 1), 16),
        (str(SEVERAL.splitlines().index("        F.cross_entropy(net(x), y).backward()") + 1), 16),
    ],
)
def test_one_of_several(entry: str | None, batch: int) -> None:
    assert chosen(projected({"main.py": SEVERAL}), entry).batch_size == batch


def test_one_function_called_twice() -> None:
    code = NET + DATA + EPOCH
    code += """
def fit(width, batch):
    net = Net(width).cuda()
    train_one_epoch(net, get_loader(batch), torch.optim.SGD(net.parameters(), 0.1), "cuda")


fit(8, 16)
fit(32, 64)
"""
    found = projected({"main.py": code})
    line = code.splitlines().index("fit(8, 16)") + 1
    assert [told(each).partition(", ")[2] for each in found] == [
        f"called from line {line} → {line - 3})",
        f"called from line {line + 1} → {line - 3})",
    ]
    assert chosen(found, str(line)).terms["parameters"] == weights_of(8)
    assert chosen(found, str(line + 1)).terms["parameters"] == weights_of(32)


def test_no_such_entry() -> None:
    with pytest.raises(NoSuchEntry) as error:
        chosen(projected({"main.py": SEVERAL}), "evaluate")
    assert str(error.value).startswith("no training loop in 'evaluate'; there is pretrain (line ")
    assert "Finetuner.run" in str(error.value)


def test_a_function_nobody_calls() -> None:
    (found,) = projected({"main.py": NET + EPOCH})
    assert not found.complete
    end = ", and nothing that is read here calls it"
    assert said(found)[:3] == [
        "`train_one_epoch` gets its batches by the parameter `loader`" + end,
        "`train_one_epoch` gets its model by the parameter `model`" + end,
        "`train_one_epoch` gets its optimizer by the parameter `optimizer`" + end,
    ]


OPTIONS = (
    NET
    + DATA
    + """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=24)
parser.add_argument("--width", type=int, default=32)
parser.add_argument("--opt", choices=["sgd", "adam"], default="adam")
parser.add_argument("--clip", type=float, default=0.0)
parser.add_argument("--freeze", action="store_true")
args = parser.parse_args()
use_cuda = torch.cuda.is_available()
net = Net(args.width)
if use_cuda:
    net.cuda()
if args.freeze:
    for p in net.a.parameters():
        p.requires_grad = False
if args.opt == "sgd":
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
else:
    opt = torch.optim.Adam(net.parameters(), lr=0.1)
for x, y in get_loader(args.batch_size):
    if use_cuda:
        x, y = x.cuda(), y.cuda()
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    if args.clip > 0:
        torch.nn.utils.clip_grad_norm_(net.parameters(), args.clip)
    opt.step()
"""
)


def test_defaults_of_options_decide() -> None:
    (found,) = projected({"main.py": OPTIONS})
    assert found.unknown == []
    assert found.batch_size == 24
    assert found.terms["gradients"] == weights_of(32)
    assert found.terms["optimizer"] == 2 * weights_of(32)


def test_an_option_without_a_default() -> None:
    (found,) = projected({"main.py": OPTIONS.replace('"--width", type=int, default=32', '"width", type=int')})
    assert not found.complete
    assert found.terms["parameters"] == 10 * 4


FORMS = {
    "click": (
        "import click\n\n\n"
        '@click.command()\n@click.option("--batch-size", "-b", default=56, type=int)\n'
        '@click.option("--width", default=8)\ndef main(batch_size, width):\n    run(batch_size, width)\n\n\nmain()\n'
    ),
    "typer": (
        "import typer\n\napp = typer.Typer()\n\n\n"
        "@app.command()\ndef main(batch_size: int = typer.Option(56, help='b'), width: int = 8):\n"
        "    run(batch_size, width)\n\n\napp()\n"
    ),
    "environment": 'import os\n\nrun(int(os.environ.get("BATCH", 56)), int(os.getenv("WIDTH", "8")))\n',
    "attributes": (
        "from easydict import EasyDict\nfrom types import SimpleNamespace\n\n"
        "cfg = EasyDict()\ncfg.batch = 56\ncfg.model = SimpleNamespace(width=8)\nrun(cfg.batch, cfg.model.width)\n"
    ),
    "HfArgumentParser": (
        "from dataclasses import dataclass, field\nfrom transformers import HfArgumentParser\n\n\n"
        "@dataclass\nclass Args:\n    width: int = field(default=8)\n    batch: int = 56\n\n\n"
        "(args,) = HfArgumentParser(Args).parse_args_into_dataclasses()\nrun(args.batch, args.width)\n"
    ),
    "yaml": 'from omegaconf import OmegaConf\n\ncfg = OmegaConf.load("c.yaml")\nrun(cfg.batch, cfg.model.width)\n',
}
RUN = """
def run(batch, width):
    net = Net(width).cuda()
    opt = torch.optim.SGD(net.parameters(), 0.1)
    for x, y in get_loader(batch):
        x, y = x.cuda(), y.cuda()
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()


"""


@pytest.mark.parametrize("form", FORMS)
def test_where_numbers_come_from(form: str) -> None:
    files = {"main.py": NET + DATA + RUN + FORMS[form], "c.yaml": "batch: 56\nmodel:\n  width: 8\n"}
    (found,) = projected(files)
    assert found.unknown == []
    assert found.batch_size == 56
    assert found.terms["parameters"] == weights_of(8)
