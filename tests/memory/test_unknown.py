"""Programs whose memory cannot be known: each says what is missing, and where; nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

SCRIPTS = Path(__file__).parent / "unknown"
# the line and the sentence that a person needs first
EXPECTED = {
    "boolean_mask": (18, "the size of what goes into `Linear` is not known"),
    "downloaded_config": (9, "what `backward` starts from is not known"),
    "extension": (13, "what `fused_ops.fused_block` does is not known"),
    "fsdp": (None, "what `FullyShardedDataParallel` adds on each device is not counted"),
    "layer_by_name": (None, "`the model`: an argument list that is not known"),
    "nms": (20, "the size of what `__getitem__` gives is not known"),
    "own_optimizer": (None, "which parameters the optimizer holds is not known"),
    "pickled_model": (12, "what `backward` starts from is not known"),
    "unknown_image_size": (13, "the size of what goes into `Conv2d` is not known"),
    "width_from_the_command_line": (None, "the size of the parameter `0.weight` is not known"),
}


def test_every_script_is_expected() -> None:
    assert sorted(script.stem for script in SCRIPTS.glob("*.py")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_not_known_is_said(name: str) -> None:
    text = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(text))
    assert len(found) == 1
    assert not found[0].complete
    said = [(where[1] if where is not None else None, what) for where, what in found[0].unknown]
    assert EXPECTED[name] in said
