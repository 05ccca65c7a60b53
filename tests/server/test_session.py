"""A short form of `benchmarks/session.py`: a random editing session leaves nothing stale and no error in the log."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from session import play


def test_an_editing_session_leaves_nothing_stale(tmp_path: Path) -> None:
    session = play(tmp_path, 15, seed=11, pause=0)
    try:
        assert session.stale == []
        assert session.errors() == []
        assert sum(session.actions.values()) > 12
        assert session.editor.shut() == 0
    finally:
        session.editor.end()
