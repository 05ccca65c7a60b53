"""Writes trainlint/memory/signatures.json: the names of the positional arguments of layers, functions and optimizers.

    python tools/gen_signatures.py

Needs the torch of the dev extra. The names come from the constructors and functions themselves; for functions of torch
without a Python signature from `torch.overrides`, which PyTorch keeps for that purpose.
`tests/memory/test_signatures.py` compares the file with the installed torch.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

TARGET = Path(__file__).parents[1] / "trainlint" / "memory" / "signatures.json"
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def names(function: Callable[..., Any]) -> list[str] | None:
    """The positional parameters but `self`; None where there is no signature that says them."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in found):
        return None
    return [p.name for p in found if p.kind in POSITIONAL and p.name != "self"]


def classes(module: Any, base: type) -> dict[str, list[str]]:
    """The public classes of a module by name."""
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if isinstance(value, type) and issubclass(value, base) and (given := names(value.__init__) or recurrent(value)):
            found[name] = given
    return found


def recurrent(layer: type) -> list[str] | None:
    """LSTM, GRU and RNN hand their arguments on; RNN takes its nonlinearity out of them (torch/nn/modules/rnn.py)."""
    if not issubclass(layer, nn.RNNBase):
        return None
    given = (names(nn.RNNBase.__init__) or [])[1:]
    return [*given[:3], "nonlinearity", *given[3:]] if issubclass(layer, nn.RNN) else given


def functions(module: Any) -> dict[str, list[str]]:
    """The public functions of a module by name."""
    stated = torch.overrides.get_testing_overrides()
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if name.startswith("_") or not callable(value) or isinstance(value, type):
            continue
        given = names(value) or (names(stated[value]) if value in stated else None)
        if given and len(given) > 1:
            found[name] = given
    return found


def table() -> dict[str, dict[str, list[str]]]:
    """Everything that the file holds."""
    return {
        "torch.nn": classes(nn, nn.Module),
        "torch.optim": classes(torch.optim, torch.optim.Optimizer),
        "torch.nn.functional": functions(F),
        # `to` may have a device in front of its dtype: what follows moves by one place and decides nothing
        "torch": {**functions(torch), "einsum": ["equation"], "to": ["input", "dtype", "non_blocking", "copy"]},
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(table(), indent=0, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n")
