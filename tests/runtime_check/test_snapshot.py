"""Memory snapshots of CUDA: a small one of our own making, a real one where it lies, and files that are none."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.runtime_check.conftest import Lab
from trainlint.memory.snapshot import measured_of
from trainlint.project.errors import UsageError
from trainlint.project.snapshots import read_snapshot

REAL = Path(os.environ.get("TRAINLINT_CUDA_SNAPSHOT", ""))


def frames(line: int, *others: str) -> list[dict[str, Any]]:
    inside = [{"name": name, "filename": "engine.cpp", "line": 0} for name in others]
    torch = {"name": "linear", "filename": "/venv/lib/python3.11/site-packages/torch/nn/functional.py", "line": 9}
    return [*inside, torch, {"name": "forward", "filename": "/home/me/train.py", "line": line}]


def entry(action: str, addr: int, size: int, line: int, *names: str) -> dict[str, Any]:
    return {"action": action, "addr": addr, "size": size, "stream": 0, "frames": frames(line, *names)}


# 1024 bytes live before the history; 2048 + 512 + 4096 live together at the peak
SNAPSHOT = {
    "segments": [
        {
            "device": 0,
            "total_size": 2 << 20,
            "blocks": [
                {"size": 1024, "requested_size": 1000, "state": "active_allocated", "frames": []},
                {"size": 2048, "requested_size": 2048, "state": "active_allocated", "frames": []},
                {"size": 4096, "requested_size": 4096, "state": "inactive", "frames": []},
            ],
        }
    ],
    "device_traces": [
        [
            entry("segment_alloc", 1, 2 << 20, 5),
            entry("alloc", 10, 2048, 5),
            entry("alloc", 11, 100, 6),
            entry("alloc", 12, 4096, 7, "torch::autograd::Engine::thread_main"),
            entry("free_requested", 12, 4096, 7),
            entry("free_completed", 12, 4096, 7),
            entry("free_completed", 11, 100, 7),
        ]
    ],
}


def test_the_peak_is_on_its_lines(lab: Lab) -> None:
    path = lab.folder / "small.pickle"
    path.write_bytes(pickle.dumps(SNAPSHOT))
    done = lab.command("--from-snapshot", "small.pickle", "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["peak"]["allocated"] == 1024 + 2048 + 512 + 4096
    assert report["peak"]["reserved"] == 2 << 20
    assert report["peak"]["at"] == {"path": "/home/me/train.py", "cell": None, "line": 7, "phase": "backward"}
    assert {line["line"]: line["held"] for line in report["lines"]} == {5: 2048, 6: 512, 7: 4096}
    assert report["complete"] is False
    assert report["terms"]["parameters"] is None


def test_nothing_in_a_snapshot_is_called(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "made"),))

    path = tmp_path / "evil.pickle"
    path.write_bytes(pickle.dumps({"segments": [Evil()], "device_traces": []}))
    with pytest.raises(UsageError, match="more than plain data"):
        read_snapshot(str(path))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2])])
def test_other_files_are_refused(lab: Lab, content: bytes) -> None:
    (lab.folder / "other.pickle").write_bytes(content)
    done = lab.command("--from-snapshot", "other.pickle")
    assert done.returncode == 2
    assert len(done.stderr.decode().strip().splitlines()) == 1


@pytest.mark.skipif(not REAL.is_file(), reason="TRAINLINT_CUDA_SNAPSHOT names no snapshot made on a real card")
def test_a_real_snapshot() -> None:
    measured = measured_of(read_snapshot(str(REAL)), "snapshot")
    peak = measured.figures.peak
    assert 0 < peak.allocated <= measured.figures.reserved
    assert sum(peak.lines.values()) == peak.allocated
    with_line = sum(size for line, size in peak.lines.items() if line is not None)
    assert 0 < with_line <= peak.allocated
    assert measured.timeline
