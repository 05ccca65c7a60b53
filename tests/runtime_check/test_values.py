"""What a program does with numbers: those that fake tensors do not have, and those that it really gets."""

from __future__ import annotations

import pytest

from tests.runtime_check.conftest import PLAIN, Lab

# windows of a text that random numbers of the host choose, as language models are trained
WINDOWS = """\
import numpy as np
import torch
from torch import nn

data = np.arange(10000, dtype=np.uint16) % 50
net = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 50)).cuda()
optimizer = torch.optim.AdamW(net.parameters())
for _ in range(4):
    starts = torch.randint(len(data) - 64, (8,))
    rows = [torch.from_numpy(data[i : i + 65].astype(np.int64)) for i in starts]
    rows = torch.stack(rows).pin_memory().to("cuda", non_blocking=True)
    assert starts.tolist() == [int(each) for each in starts]
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten()).backward()
    optimizer.step()
"""
CLOSURE = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)).cuda()
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=4, history_size=5)
x, y = torch.randn(64, 16).cuda(), torch.randint(0, 4, (64,)).cuda()


def closure():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    return loss


while True:
    optimizer.step(closure)
    assert optimizer.param_groups[0]["tolerance_change"] == 1e-9
"""
SCALED = """\
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 4)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cuda")
while True:
    x, y = torch.randn(8, 3, 8, 8).cuda(), torch.randint(0, 4, (8,)).cuda()
    with torch.autocast("cuda", dtype=torch.float16):
        loss = nn.functional.cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
"""


HALF = """\
import torch
from torch import nn

net = nn.Linear(16, 4096).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
while True:
    x, y = torch.randn(64, 16).cuda(), torch.randint(0, 4096, (64,)).cuda()
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.float16):
        loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""


def test_logarithms_of_half_precision_stay_half_on_cuda(lab: Lab) -> None:
    """Kept for backward: the logarithms in half precision and their copy in float32, which the loss is taken of."""
    logits = 64 * 4096
    kept = lab.measured(HALF).figures.terms["activations"] - 6 * logits
    # what else there is: the batch and the weight in half precision
    assert 0 < kept < logits


@pytest.mark.parametrize("text", [WINDOWS, CLOSURE, SCALED], ids=["windows", "closure", "scaled"])
def test_a_fake_step_holds_what_a_real_one_does(lab: Lab, text: str) -> None:
    fake, real = (lab.measured(text, device=device, rules="cpu").figures for device in ("fake", "cpu"))
    assert fake.terms == real.terms
    assert fake.peak.roles == real.peak.roles
    assert fake.terms["activations"] > 0


def test_conditions_are_those_of_a_one(lab: Lab) -> None:
    text = PLAIN.replace(
        "    loss.backward()",
        """    if (labels >= 0).sum() == 0 or loss < 1e-3 or loss.isnan():
        raise SystemExit(7)
    if loss > 0.5 and loss != 0:
        loss.backward()""",
    )
    # and a progress bar needs no terminal
    bar = "import os\n_, width = os.popen('stty size', 'r').read().split()\nassert int(width) == 80\n"
    assert lab.measured(bar + text).steps == 2


NO_LOADER = """\
import torch
from torch import nn

LAYER
net = net.cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(SHAPE, device="cuda")
kept = []
for _ in range(6):
    optimizer.zero_grad()
    out = net(x)
    loss = (out[0] if isinstance(out, tuple) else out).square().mean()
    loss.backward()
    optimizer.step()
    KEEP
"""


def without_loader(lab: Lab, layer: str, shape: str, keep: str = "pass") -> tuple[int | None, list[str], list[str]]:
    """(batch size, notes, codes of the findings)"""
    text = NO_LOADER.replace("LAYER", layer).replace("SHAPE", shape).replace("KEEP", keep)
    measured = lab.measured(text)
    return measured.figures.batch_size, measured.notes, [each.code for each in measured.findings]


def test_the_calls_of_models_tell_what_no_loader_says(lab: Lab) -> None:
    size, notes, codes = without_loader(lab, "net = nn.Linear(8, 8)", "32, 8", "kept.append(loss)")
    assert size == 32
    assert any("the first axis of what the model gets" in note for note in notes)
    assert codes == ["RT008"]


def test_what_the_calls_do_not_tell_is_not_known(lab: Lab) -> None:
    # time comes first
    assert without_loader(lab, "net = nn.LSTM(8, 8)", "35, 32, 8")[0] is None
    # one axis may be one sample; and what was computed before the loop is no graph of a step that is kept
    before = "net = nn.Linear(8, 8)\ndry = net(torch.randn(8))"
    assert without_loader(lab, before, "8")[::2] == (None, [])
