"""Whole models as people write them: executed by PyTorch on meta tensors and interpreted.

Both give outputs of the same shape, call the same layers in the same order and have the same modules; trainlint reports
nothing. Each file of `models` binds `net` and `y`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from real_values import class_name, execute, interpret, is_layer, plain_abstract, plain_real, violations
from torch import nn

from trainlint.analysis.modules import CONTAINERS, is_module
from trainlint.analysis.program import Program
from trainlint.analysis.values import Obj

MODELS = sorted((Path(__file__).parent / "models").glob("*.txt"))
# the last line runs the model once more, with the hooks in place
CALL = "y = "


def leaves(program: Program) -> list[str]:
    """The layers of the library that the module body of a program calls, in order, by their classes."""
    events = [event for event in program.traces[0].events if event.kind == "forward"]
    called = [event.subject for event in events if isinstance(event.subject, Obj)]
    return [class_name(layer) for layer in called if layer.name not in CONTAINERS and is_module(layer)]


def watch(net: nn.Module, called: list[str]) -> None:
    """Note down each layer of torch.nn that is called, but not what it calls itself."""
    if is_layer(net):
        net.register_forward_pre_hook(lambda module, _: called.append(type(module).__name__))
        return
    for child in net.children():
        watch(child, called)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in MODELS])
def test_model(path: Path) -> None:
    code = path.read_text()
    program = interpret(code, path=f"{path.stem}.py")
    found = [
        (v.kind, v.op, v.node.stmt.first_line, {k: repr(n) for k, n in v.names.items()}) for v in violations(program)
    ]
    assert not found
    names = execute(code)
    assert plain_abstract(program.file.scope.names["net"]) == plain_real(names["net"])
    assert plain_abstract(program.file.scope.names["y"]) == plain_real(names["y"])

    called: list[str] = []
    watch(names["net"], called)
    with torch.device("meta"):
        exec(CALL + code.rpartition("\n" + CALL)[2], names)
    assert leaves(program) == called
