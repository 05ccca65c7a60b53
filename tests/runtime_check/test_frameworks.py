"""What libraries ask of torch while it is pretended, and the libraries themselves where they are installed."""

from __future__ import annotations

import pytest

from tests.runtime_check.conftest import PLAIN, Lab

ASKED = """import importlib.util

import torch

# as accelerate and transformers ask
assert not isinstance(torch.nn.Linear(1, 1), (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel))
assert issubclass(torch.nn.DataParallel, torch.nn.Module)
assert importlib.util.find_spec("neptune") is None
import neptune

neptune.init_run()
"""
LIGHTNING = """import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.head(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


data = TensorDataset(torch.randn(64, 64), torch.randint(0, 10, (64,)))
lightning.Trainer(max_epochs=1, logger=False, enable_checkpointing=False).fit(Net(), DataLoader(data, batch_size=16))
"""
ACCELERATE = """import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

accelerator = Accelerator()
net = nn.Linear(64, 10)
data = TensorDataset(torch.randn(64, 64), torch.randint(0, 10, (64,)))
made = accelerator.prepare(net, torch.optim.AdamW(net.parameters()), DataLoader(data, batch_size=16))
net, optimizer, loader = made
for x, y in loader:
    optimizer.zero_grad()
    accelerator.backward(nn.functional.cross_entropy(net(x), y))
    optimizer.step()
"""


def test_questions_that_libraries_ask_are_answered(lab: Lab) -> None:
    measured = lab.measured(ASKED + PLAIN)
    assert measured.notes == ["the package neptune is not installed: nothing is logged to it"]


@pytest.mark.parametrize(("package", "text"), [("lightning", LIGHTNING), ("accelerate", ACCELERATE)])
def test_a_framework_comes_to_its_step(lab: Lab, package: str, text: str) -> None:
    pytest.importorskip(package)
    measured = lab.measured(text)
    terms = measured.figures.terms
    assert terms["parameters"] == terms["gradients"] == 4 * (64 * 10 + 10)
    assert terms["batch"] == 16 * (64 * 4 + 8)


def test_weights_that_cannot_be_had_are_random_ones(lab: Lab) -> None:
    # the module of timm that loads weights, with its failure where the hub is out of reach
    (lab.folder / "timm" / "models").mkdir(parents=True)
    (lab.folder / "timm" / "models" / "_builder.py").write_text(
        "def load_pretrained(model, **options):\n    raise FileNotFoundError('no such file on the hub')\n"
    )
    text = PLAIN.replace("optimizer =", "from timm.models import _builder\n_builder.load_pretrained(net)\noptimizer =")
    measured = lab.measured(text)
    assert measured.steps == 2
    assert any("cannot be had" in note for note in measured.notes)
