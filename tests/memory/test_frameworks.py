"""What Lightning, Accelerate and the Trainer of transformers do around a step, against a record of the real libraries.

`frameworks.json` is written by `tools/record_frameworks.py`, which runs the same scripts.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from projects import DATA, NET, SAMPLE, projected, said, weights_of

from trainlint.memory.estimate import Estimate

HERE = Path(__file__).parent
RECORD: dict[str, Any] = json.loads((HERE / "frameworks.json").read_text(encoding="utf-8"))
KINDS = ("forward", "zero_grad", "backward", "step")
BATCHES, CYCLE = 6, 3


def estimated(name: str) -> Estimate:
    (found,) = projected({"main.py": (HERE / "frameworks" / f"{name}.py").read_text(encoding="utf-8")})
    return found


def in_one_round(estimate: Estimate) -> list[tuple[str, bool]]:
    """The events of a round, each with whether it happens in some rounds only; forwards of layers in a row are one."""
    assert estimate.loop is not None
    loop = estimate.loop
    kinds = [(event.kind, bool(event.conds_in(loop.loop))) for event in loop.events if event.kind in KINDS]
    return [key for key, _ in groupby(kinds)]


def really(name: str) -> list[str]:
    """The recorded events, from the first forward on."""
    events = [event.rstrip("+") for event in RECORD["events"][name]]
    return [kind for kind, _ in groupby(event for event in events if event in KINDS)]


@pytest.mark.parametrize(
    "name", ["lightning_automatic", "lightning_manual", "accelerate_plain", "transformers_trainer"]
)
def test_the_order_of_a_step(name: str) -> None:
    ours = in_one_round(estimated(name))
    assert not any(sometimes for _, sometimes in ours)
    kinds = [kind for kind, _ in ours]
    assert really(name)[-BATCHES * len(kinds) :] == BATCHES * kinds


@pytest.mark.parametrize("name", ["lightning_accumulating", "accelerate_accumulating", "transformers_accumulating"])
def test_the_order_of_a_cycle(name: str) -> None:
    """What happens once a cycle has the same neighbours as in the real library."""
    ours = in_one_round(estimated(name))
    real = really(name)
    real = real[real.index("forward") :]
    for place, (kind, sometimes) in enumerate(ours):
        assert real.count(kind) == (BATCHES // CYCLE if sometimes else BATCHES), kind
        if sometimes and place:
            at = real.index(kind)
            assert real[at - 1] == ours[place - 1][0]


# two tensors each, of 1024 bytes, and of less than 512
@pytest.mark.parametrize(
    ("name", "waiting", "batch"), [("transformers_accumulating", CYCLE, 2048), ("accelerate_accumulating", 1, 1024)]
)
def test_batches_that_wait_on_the_device(name: str, waiting: int, batch: int) -> None:
    """The Trainer fetches the batches of a whole cycle before it uses the first.

    Of those that a loader of Accelerate has handed out the last one is still on the host.
    """
    real = RECORD["events"][name]
    assert real[: real.index("forward")].count("batch") == waiting + 1
    estimate = estimated(name)
    assert estimate.terms["batch"] <= batch
    assert estimate.peak.roles["batch"] == waiting * batch


@pytest.mark.parametrize("name", sorted(RECORD["events"]))
def test_every_script_is_known(name: str) -> None:
    estimate = estimated(name)
    assert estimate.unknown == []
    assert estimate.batch_size == 8
    assert estimate.terms["gradients"] == estimate.terms["parameters"] > 0


LIT = """
import lightning as L


class Lit(L.LightningModule):
    def __init__(self, width):
        super().__init__()
        self.net = Net(width)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
FIT = "trainer = L.Trainer(max_epochs=3{options})\ntrainer.fit(Lit({width}), get_loader({batch}))\n"
PLAIN = """
net = Net({width}).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in get_loader({batch}):
    x, y = x.cuda(), y.cuda()
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()
    optimizer.step()
"""


def fitted(width: int, batch: int, options: str = "") -> Estimate:
    code = NET + DATA + LIT + FIT.format(options=options, width=width, batch=batch)
    (found,) = projected({"main.py": code})
    return found


def test_lightning_keeps_the_gradients_of_the_step_before_through_the_forward() -> None:
    """A network whose gradients are larger than what backward needs on top has its peak there."""
    assert RECORD["events"]["lightning_automatic"][-4:] == ["forward+", "zero_grad+", "backward", "step+"]
    lit = fitted(1024, 1)
    (plain,) = projected({"main.py": NET + DATA + PLAIN.format(width=1024, batch=1)})
    assert lit.unknown == plain.unknown == []
    assert lit.terms == {**plain.terms, "activations": lit.terms["activations"]}
    assert (lit.peak.phase, plain.peak.phase) == ("forward", "backward")
    assert lit.peak.allocated > plain.peak.allocated
    assert lit.terms["parameters"] == weights_of(1024)
    assert lit.terms["batch"] == SAMPLE


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (", strategy='fsdp'", "what `the strategy fsdp`"),
        (", precision='transformer-engine'", "what `precision=transformer-engine`"),
    ],
)
def test_options_of_the_trainer(options: str, what: str) -> None:
    found = said(fitted(16, 8, options))
    assert any(text.startswith(what) for text in found), found
