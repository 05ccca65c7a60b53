"""The names of positional arguments are those of the installed torch."""

from __future__ import annotations

import json

import gen_signatures
import pytest

from trainlint.memory.options import HIDDEN, Options, Unclear, positions, signatures


def test_the_file_is_what_torch_says() -> None:
    assert json.loads(json.dumps(gen_signatures.table())) == signatures(), "run `python tools/gen_signatures.py`"


def test_positions() -> None:
    assert list(positions("torch.nn.GroupNorm") or ())[:2] == ["num_groups", "num_channels"]
    assert list(positions("torch.optim.SGD") or ())[:3] == ["params", "lr", "momentum"]
    assert list(positions("Tensor.mean") or ()) == ["dim"]
    assert list(positions("torch.nn.RNN") or ())[3] == "nonlinearity"
    assert positions("other.Layer") is None


def test_an_option_that_may_be_hidden_is_unclear() -> None:
    options = Options({"p": 0.5, HIDDEN: None})
    assert options.number("p", 0) == 0.5
    with pytest.raises(Unclear):
        options.on("inplace")
    assert not options.told("copies")
