"""Copies of a model beside it against real steps."""

from __future__ import annotations

from typing import Any

import pytest
from test_estimate import HEAD, LOOP, MODELS, OPTIMIZERS, estimated, measured

HEAD = HEAD + "import copy\n"
COPIES = {
    "copy": "ema = copy.deepcopy(net)\n",
    "frozen": "ema = copy.deepcopy(net).requires_grad_(False).eval()\n",
    "averaged": "ema = torch.optim.swa_utils.AveragedModel(net)\n",
}


@pytest.mark.parametrize("name", COPIES)
def test_a_real_step(name: str) -> None:
    code = HEAD + MODELS["convolutions"] + COPIES[name] + OPTIMIZERS["sgd"] + LOOP
    alive, peak = measured(code)
    estimate = estimated(code)
    plain = estimated(HEAD + MODELS["convolutions"] + OPTIMIZERS["sgd"] + LOOP)
    assert estimate.unknown == []
    assert estimate.terms["parameters"] == 2 * plain.terms["parameters"]
    assert estimate.terms["gradients"] == plain.terms["gradients"]
    parts = ("parameters", "buffers", "optimizer", "batch", "activations")
    assert sum(estimate.terms[part] for part in parts) == pytest.approx(alive, abs=1024)
    assert estimate.peak.allocated - estimate.terms["workspace"] == pytest.approx(peak, rel=0.03)


def test_copies_that_are_parts_or_models_of_the_loop_count_once() -> None:
    parts = """
block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
net = nn.Sequential(nn.Conv2d(3, 8, 1), copy.deepcopy(block), copy.deepcopy(block), nn.Flatten(), nn.Linear(2048, 10))
"""
    code = HEAD + parts + OPTIMIZERS["sgd"] + LOOP
    names: dict[str, Any] = {}
    exec(HEAD + parts, names)
    size = sum(p.nbytes for p in names["net"].parameters())
    assert estimated(code).terms["parameters"] == size
    teacher = "teacher = copy.deepcopy(net)\n"
    taught = LOOP.replace("    out = net(x)\n", "    with torch.no_grad():\n        teacher(x)\n    out = net(x)\n")
    assert estimated(HEAD + parts + teacher + OPTIMIZERS["sgd"] + taught).terms["parameters"] == 2 * size


def test_another_default_dtype_is_counted() -> None:
    code = HEAD + "{}" + MODELS["convolutions"] + OPTIMIZERS["sgd"] + LOOP
    plain, half = (estimated(code.format(line)) for line in ("", "torch.set_default_dtype(torch.bfloat16)\n"))
    assert 2 * half.terms["parameters"] == plain.terms["parameters"]
    assert half.unknown == plain.unknown


def test_a_default_dtype_that_is_not_known_is_said() -> None:
    code = HEAD + "import sys\ntorch.set_default_dtype(getattr(torch, sys.argv[1]))\n" + MODELS["convolutions"]
    assert (None, "the default dtype is not known") in estimated(code + OPTIMIZERS["sgd"] + LOOP).unknown


def test_a_default_dtype_set_in_one_arm_is_not_known() -> None:
    line = "import sys\nif len(sys.argv) > 3:\n    torch.set_default_dtype(torch.{})\n"
    code = HEAD + "{}" + MODELS["convolutions"] + OPTIMIZERS["sgd"] + LOOP
    unknown, same = (estimated(code.replace("{}", line.format(name), 1)) for name in ("float64", "float32"))
    assert (None, "the default dtype is not known") in unknown.unknown
    assert same.complete


def test_the_default_dtype_is_the_one_that_was_set() -> None:
    line = "torch.set_default_dtype(torch.bfloat16)\n"
    code = HEAD + line + MODELS["convolutions"] + OPTIMIZERS["sgd"] + LOOP
    asked = code.replace("out = net(x)", "out = net(x.to(torch.get_default_dtype()))")
    assert asked != code
    assert estimated(asked).terms["activations"] == estimated(code).terms["activations"]
