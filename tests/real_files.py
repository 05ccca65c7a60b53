"""Real Python files for property tests: trainlint itself, and a fixed sample of installed ones."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import trainlint

_PACKAGES = ("libcst", "pygls", "hypothesis", "_pytest", "yaml")


def own_files() -> list[Path]:
    return sorted(Path(trainlint.__file__).parent.rglob("*.py"))


def sample(count: int, max_bytes: int = 60_000) -> list[Path]:
    """`count` files, always the same ones for one interpreter."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    site = Path(sysconfig.get_path("purelib"))
    found = [path for path in stdlib.rglob("*.py") if "site-packages" not in path.parts and "bad" not in path.name]
    for package in _PACKAGES:
        found += (site / package).rglob("*.py")
    found = sorted(path for path in found if 200 < path.stat().st_size < max_bytes)
    return random.Random(5).sample(found, min(count, len(found)))


def read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
