"""The estimate of whole scripts against the same scripts run for real: `scripts/` holds them as people write them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import step
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

SCRIPTS = Path(__file__).parent / "scripts"
# files, and folders with a `train.py` beside the modules that it imports
ENTRIES = sorted([*SCRIPTS.glob("*.py"), *SCRIPTS.glob("*/train.py")])
EXACT = ("parameters", "buffers", "gradients", "optimizer", "batch")


@cache
def real_step(script: Path) -> step.Step:
    """What the script really does; the tests of a script share one run."""
    return step.run(script)


@cache
def estimated(script: Path) -> Estimate:
    """The estimate of the only training loop of a script."""
    files = {
        str(file.relative_to(script.parent)): file.read_text(encoding="utf-8") for file in script.parent.rglob("*.py")
    }
    path = f"/project/{script.name}"
    found = Analyser(MemoryWorkspace(files)).memory(path, Document(files[script.name]))
    assert len(found) == 1, [f"{each.function}:{each.line}" for each in found]
    return found[0]


def name(script: Path) -> str:
    return script.stem if script.parent == SCRIPTS else script.parent.name


@pytest.mark.parametrize("script", ENTRIES, ids=name)
def test_a_script(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    real = real_step(script)
    estimate = estimated(script)
    assert estimate.unknown == []
    assert {term: estimate.terms[term] for term in EXACT} == {term: getattr(real, term) for term in EXACT}
    assert estimate.terms["activations"] == pytest.approx(real.activations, rel=0.02, abs=2048)
    assert estimate.peak.allocated - estimate.terms["workspace"] == pytest.approx(real.peak, rel=0.02)


@pytest.mark.parametrize("script", ENTRIES, ids=name)
def test_the_heaviest_lines(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    real = real_step(script)
    held = estimated(script).peak.lines
    first = sorted(real.lines, key=lambda line: -real.lines[line])[:3]
    named = [(Path(where[0]).name, where[1]) for where in sorted(held, key=lambda w: -held[w]) if where is not None][:8]
    assert [line for path, number in first if (line := (Path(path).name, number)) not in named] == []
