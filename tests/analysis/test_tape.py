"""The tape: operations in order, new tensors told apart from views of names, what is alive around them."""

from __future__ import annotations

from itertools import pairwise

from memory_workspace import MemoryWorkspace

import trainlint.ops
from trainlint.analysis.arrays import Array
from trainlint.analysis.program import Program
from trainlint.analysis.tape import Mark, Returned, Round, Site, Tape
from trainlint.syntax.document import Document

assert trainlint.ops

SCRIPT = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        out = torch.relu(self.conv(x))
        out = self.drop(out)
        return out


net = Block()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(1000):
    images = torch.rand(4, 3, 8, 8)
    loss = net(images).mean() + 0
    loss += 1
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def recorded(code: str) -> Tape:
    program = Program("/project/train.py", Document(code), MemoryWorkspace({}))
    program.tape = Tape()
    program.interpret()
    return program.tape


def inside(tape: Tape) -> list[Site | Mark | Returned]:
    return [entry for entry in tape.entries if entry.loops]


def names(site: Site | Mark) -> set[str]:
    return {name for _, name in site.live}


def test_operations_and_events_stand_in_order() -> None:
    order = [
        entry.op if isinstance(entry, Site) else entry.event.kind
        for entry in inside(recorded(SCRIPT))
        if not isinstance(entry, (Returned, Round))
    ]
    assert order == [
        "torch.rand", "torch.nn.Conv2d", "torch.relu", "torch.nn.Dropout", "Tensor.mean", "operator.+", "operator.+=",
        "zero_grad", "backward", "step",
    ]  # fmt: skip


def test_a_new_tensor_is_a_new_value() -> None:
    """Dropout and relu change nothing that is known of a tensor, and still give another one."""
    sites = [entry for entry in inside(recorded(SCRIPT)) if isinstance(entry, Site)]
    for site in sites:
        assert {id(a) for a in site.results}.isdisjoint(id(a) for a in site.operands), site.op
    for one, other in pairwise(sites):
        assert one.results[0] in other.operands


def test_what_names_hold_before_an_operation() -> None:
    by_op = {entry.op: entry for entry in inside(recorded(SCRIPT)) if isinstance(entry, Site)}
    assert "out" not in names(by_op["torch.relu"])
    assert {"images", "x", "out"} <= names(by_op["torch.nn.Dropout"])
    assert "out" not in names(by_op["Tensor.mean"])
    held = by_op["torch.nn.Dropout"].live
    assert next(v for (_, name), v in held.items() if name == "out") == by_op["torch.relu"].results


def test_what_a_function_gives_is_in_flight() -> None:
    entries = inside(recorded(SCRIPT))
    (given,) = [entry for entry in entries if isinstance(entry, Returned)]
    dropout = next(entry for entry in entries if isinstance(entry, Site) and entry.op == "torch.nn.Dropout")
    assert given.values == dropout.results


def test_lists_hold_tensors() -> None:
    tape = recorded(
        "import torch\nkept = [torch.rand(2), torch.rand(2)]\nkept.append(torch.rand(2))\nx = torch.rand(3)\n"
    )
    last = tape.entries[-1]
    assert isinstance(last, Site)
    assert len(next(v for (_, name), v in last.live.items() if name == "kept")) == 3


def test_nothing_is_recorded_unasked() -> None:
    program = Program("/project/train.py", Document(SCRIPT), MemoryWorkspace({}))
    program.interpret()
    assert program.tape is None
    assert isinstance(program.file.scope.names["images"], Array)
