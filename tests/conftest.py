"""Options and import paths that all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# helpers of the tests, the reader of rule pages, and the scripts below tools/
sys.path[:0] = [str(HERE), str(HERE / "memory"), str(HERE / "rules"), str(HERE.parent / "tools")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the snapshots of messages from what is reported now")
