"""Programs that are too large to be followed or played often: an answer comes anyway, and says what it leaves out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.cli import memory
from trainlint.cli.main import main
from trainlint.memory.answer import answer
from trainlint.memory.fits import Curve
from trainlint.memory.plan import OutOfTime
from trainlint.memory.target import target_of
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

CODE = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10)).cuda()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(100):
    x = torch.randn(4096, 64, device="cuda")
    optimizer.zero_grad()
    net(x).sum().backward()
    optimizer.step()
"""
# each operation has all that came before alive around it
MANY = CODE.replace(
    "    net(x)", "".join(f"    y{n + 1} = {f'y{n}' if n else 'x'} + {n}\n" for n in range(2000)) + "    net(y2000)"
)


def test_the_largest_batch_of_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(CODE))[0]
    target = target_of("RTX 3060", None)
    exact = answer(found, target, whole=True)
    monkeypatch.setattr("trainlint.memory.fits.LONG", 2)
    rough = answer(found, target, whole=True)
    assert exact.fit is not None
    assert rough.fit is not None
    assert exact.fit.largest_batch is not None
    assert rough.fit.largest_batch is not None
    assert 0.8 * exact.fit.largest_batch < rough.fit.largest_batch <= exact.fit.largest_batch
    assert Curve(found).long
    assert (len(exact.table), rough.table, exact.notes) == (6, [], [])
    assert "looked for roughly" in rough.notes[0]


def test_what_took_too_long_is_left_out() -> None:
    asked = 0

    def heed() -> None:
        nonlocal asked
        asked += 1
        if asked > limit:
            raise OutOfTime

    limit = 10_000_000
    analyser = Analyser(MemoryWorkspace({}))
    found = analyser.memory("/project/train.py", Document(CODE), heed=heed)[0]
    whole = answer(found)
    assert whole.remedies
    found = analyser.memory("/project/train.py", Document(CODE), heed=heed)[0]
    # enough for other batch sizes, not for all changes
    limit = asked + 150
    told = answer(found)
    assert told.what_if == whole.what_if
    assert told.remedies == []
    assert "takes too long" in told.notes[0]
    assert told.device == whole.device


def test_a_program_that_is_not_done_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "train.py"
    script.write_text(CODE, encoding="utf-8")
    monkeypatch.setattr(memory, "PATIENCE", -1.0)
    assert main(["memory", str(script)]) == 2
    assert "too large to be followed" in capsys.readouterr().err


def test_what_is_alive_around_operations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlint.analysis.tape.MAX_ALIVE", 50_000)
    begun = time.monotonic()
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(MANY))[0]
    assert "the program is too large to be followed whole" in [what for _, what in found.unknown]
    assert found.step is not None
    assert len(found.step.entries) < 500
    assert time.monotonic() - begun < 60
