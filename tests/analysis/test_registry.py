"""The table of library calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import trainlint.ops
from trainlint.analysis import registry
from trainlint.analysis.registry import Op, OpCall, RegisteredTwice
from trainlint.analysis.values import Value

assert trainlint.ops


@pytest.mark.parametrize(
    ("register", "other"),
    [
        (registry.op("torch.relu"), "as_function|relu"),
        (registry.method("module", "children"), "containers"),
        (registry.array_method("view"), "views|reshapes"),
        (registry.tensor_op("softmax"), "softmax|activations"),
        (registry.called("torch.nn.Conv2d"), "convolution"),
    ],
)
def test_a_name_is_registered_once(register: Callable[[Op], Op], other: str) -> None:
    def mine(call: OpCall) -> Value | None:
        return None

    before = len(registry.FUNCTIONS), len(registry.METHODS), len(registry.ARRAY_METHODS), len(registry.CALLS)
    # both places are named
    with pytest.raises(RegisteredTwice, match=f"({other}).*mine"):
        register(mine)
    assert before == (len(registry.FUNCTIONS), len(registry.METHODS), len(registry.ARRAY_METHODS), len(registry.CALLS))
