"""NumPy over lists of numbers, against NumPy itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from memory_workspace import MemoryWorkspace

from trainlint.analysis.facts import Call
from trainlint.analysis.values import Const, number
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document


def found(expression: str) -> Any:
    """The number that the interpreter finds for an expression."""
    code = f"import numpy as np\nfrom torch import nn\nsizes = (3, 32, 32)\nlayer = nn.Linear({expression}, 1)\n"
    program = Analyser(MemoryWorkspace({})).program("/project/train.py", Document(code))
    (call,) = [fact for fact in program.facts if isinstance(fact, Call) and fact.name == "torch.nn.Linear"]
    value = call.args[0]
    return number(value) if isinstance(value, Const) else None


@pytest.mark.parametrize(
    "expression",
    [
        "np.prod(sizes)",
        "int(np.prod(sizes[1:]))",
        "np.max(sizes)",
        "np.min([8, 2])",
        "np.sum(sizes)",
        "np.amax((4, 9))",
    ],
)
def test_numbers(expression: str) -> None:
    assert found(expression) == eval(expression, {"np": np, "sizes": (3, 32, 32)})


@pytest.mark.parametrize("expression", ["np.prod(sizes, axis=0)", "np.max([])", "np.prod(np.array(sizes))"])
def test_what_is_not_known(expression: str) -> None:
    assert found(expression) is None
