"""The trust anchor of the tracker: fake tensors, real ones and PyTorch's own tracker give the same peak to the byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_fake_real_and_memtracker_agree() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("peaks.py"))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    peaks = json.loads(done.stdout)
    assert len(peaks) >= 20
    assert {name: row for name, row in peaks.items() if len(set(row)) != 1} == {}
    assert min(row[0] for row in peaks.values()) > 0
