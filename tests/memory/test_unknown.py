"""Programs whose memory cannot be known: each says what is missing, and where; nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.answer import Fit, answer
from trainlint.memory.gpus import MIB
from trainlint.memory.target import target_of
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

SCRIPTS = Path(__file__).parent / "unknown"
# the line and the sentence that a person needs first
EXPECTED = {
    "boolean_mask": (18, "the size of what goes into `Linear` is not known"),
    "deepspeed_zero": (
        None,
        "what DeepSpeed (ZeRO stage 2, bf16) shares between processes and keeps beside is not followed",
    ),
    "downloaded_config": (9, "what `backward` starts from is not known"),
    "extension": (13, "what `fused_ops.fused_block` does is not known"),
    "data_parallel": (None, "what `DataParallel` adds on each device is not counted"),
    "layer_by_name": (None, "`the model`: an argument list that is not known"),
    "nms": (20, "the size of what `__getitem__` gives is not known"),
    "own_optimizer": (None, "which parameters the optimizer holds is not known"),
    "pickled_model": (12, "what `backward` starts from is not known"),
    "unknown_image_size": (13, "the size of what goes into `Conv2d` is not known"),
    "width_from_the_command_line": (None, "the size of the parameter `0.weight` is not known"),
}


def test_every_script_is_expected() -> None:
    assert sorted(script.stem for script in SCRIPTS.glob("*.py")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_not_known_is_said(name: str) -> None:
    text = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(text))
    assert len(found) == 1
    assert not found[0].complete
    said = [(where[1] if where is not None else None, what) for where, what in found[0].unknown]
    assert EXPECTED[name] in said


STEP = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)).cuda()
CHANGE
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(100):
    optimizer.zero_grad()
    net(torch.randn(64, 256, device="cuda")).sum().backward()
    optimizer.step()
"""
COMPILED = [
    "net = torch.compile(net)",
    "net.compile()",
    "@torch.compile\ndef f(x): ...",
    "@torch.compile(mode='max-autotune')\ndef f(x): ...",
]


@pytest.mark.parametrize("change", COMPILED)
def test_what_is_compiled_is_estimated_as_eager_mode(change: str) -> None:
    """The figures are no lower bounds then, and decide about no GPU."""
    (plain,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(STEP.replace("CHANGE", "")))
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(STEP.replace("CHANGE", change)))
    text = "what `torch.compile` fuses and computes again is not modelled: the figures are those of eager mode"
    ((where, said),) = found.assumed
    assert (where in [("/project/train.py", 6), ("/project/train.py", 7)], said) == (True, text)
    assert (found.unknown, found.complete, found.bound) == ([], False, "about ")
    assert found.peak.allocated == plain.peak.allocated
    tiny = target_of(None, MIB)
    assert tiny is not None
    assert answer(plain, tiny).fit == Fit(tiny.name, MIB, False, 0)
    assert answer(found, tiny).fit == Fit(tiny.name, MIB, None, None)


def test_compilation_that_is_switched_off_changes_nothing() -> None:
    code = STEP.replace("CHANGE", "net = torch.compile(net, disable=True)")
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code))
    assert found.complete
