"""Checkpointed calls against real steps."""

from __future__ import annotations

import pytest
from cuda_autocast import cuda_lists
from test_estimate import HEAD, LOOP, MODELS, OPTIMIZERS, estimated, measured
from test_precision import AMP

from trainlint.memory.plan import Plan

HEAD = HEAD + "from torch.utils.checkpoint import checkpoint, checkpoint_sequential\n"
CALLS = {
    "new": "checkpoint(block, x, use_reentrant=False)",
    "reentrant": "checkpoint(block, x, use_reentrant=True)",
    "usual": "checkpoint(block, x)",
    "lambda": "checkpoint(lambda y: block(y), x, use_reentrant=False)",
}
SEQUENCE = """
layers = nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.SiLU()) for _ in range(7)])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.layers = layers
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = checkpoint_sequential(self.layers, 3, self.stem(x), use_reentrant={reentrant})
        return self.head(x.mean(dim=(2, 3)))


net = Net()
"""


def compared(code: str) -> None:
    alive, peak = measured(code)
    estimate = estimated(code)
    assert estimate.unknown == []
    parts = ("parameters", "buffers", "optimizer", "batch", "activations")
    assert sum(estimate.terms[name] for name in parts) == pytest.approx(alive, abs=1024)
    assert estimate.peak.allocated - estimate.terms["workspace"] == pytest.approx(peak, rel=0.03)


@pytest.mark.parametrize("call", CALLS)
def test_a_real_step(call: str) -> None:
    compared(HEAD + MODELS["residual"].replace("x = block(x)", f"x = {CALLS[call]}") + OPTIMIZERS["sgd"] + LOOP)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_sequence(reentrant: bool) -> None:
    compared(HEAD + SEQUENCE.replace("{reentrant}", str(reentrant)) + OPTIMIZERS["sgd"] + LOOP)


def test_a_flag_of_the_model() -> None:
    """`if self.gradient_checkpointing:` is decided by what the program sets."""
    branch = """            if self.gradient_checkpointing:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
"""
    model = MODELS["residual"].replace("            x = block(x)\n", branch)
    model = model.replace("        self.stem", "        self.gradient_checkpointing = False\n        self.stem")
    compared(HEAD + model + OPTIMIZERS["sgd"] + LOOP)
    model = model.replace("gradient_checkpointing = False", "gradient_checkpointing = True")
    compared(HEAD + model + OPTIMIZERS["sgd"] + LOOP)


def test_blocks_that_the_program_does_not_checkpoint() -> None:
    """A plan that checkpoints them gives what the program would give that does."""
    asked = estimated(
        HEAD + MODELS["residual"].replace("x = block(x)", f"x = {CALLS['new']}") + OPTIMIZERS["sgd"] + LOOP
    )
    plain = estimated(HEAD + MODELS["residual"] + OPTIMIZERS["sgd"] + LOOP)
    assert plain.step is not None
    blocks = [
        value for entry in plain.step.recorded for value in getattr(entry, "within", ()) if value.cls.name == "Block"
    ]
    planned = plain.step.played(Plan(blocks=tuple(dict.fromkeys(blocks))))
    assert planned.unknown == []
    assert planned.terms == asked.terms
    assert planned.peak.allocated == asked.peak.allocated < plain.peak.allocated


def test_under_autocast() -> None:
    model = MODELS["residual"].replace("x = block(x)", f"x = {CALLS['new']}")
    code = HEAD + model + OPTIMIZERS["sgd"] + AMP
    with cuda_lists():
        alive, peak = measured(code.replace('"cuda"', '"cpu"'))
    estimate = estimated(code)
    assert estimate.unknown == []
    parts = ("parameters", "buffers", "optimizer", "batch", "activations")
    assert sum(estimate.terms[name] for name in parts) == pytest.approx(alive, abs=1024)
    assert estimate.peak.allocated - estimate.terms["workspace"] == pytest.approx(peak, rel=0.05)
