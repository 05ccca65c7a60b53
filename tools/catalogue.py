"""The families of rules and the prefixes of their codes, and where the files of a rule lie."""

from __future__ import annotations

import re
from pathlib import Path

FAMILIES = {
    "batch": "BS",
    "learning-rate": "LR",
    "scheduler": "SC",
    "image": "IM",
    "shape": "SH",
    "memory": "ME",
    "loop": "LP",
    "eval-mode": "EV",
    "loss": "LS",
    "distributed": "DD",
    "amp": "MP",
    "data": "DA",
    "device": "DV",
    "numerics": "NU",
    "reproducibility": "RE",
    "api": "API",
}


def folder(root: Path, family: str) -> Path:
    return root / "trainlint" / "rules" / family.replace("-", "_")


def codes(root: Path) -> dict[str, Path]:
    """Every code that a rule file of the checkout names, read as text so that a broken rule file does not hide it."""
    found = {}
    for path in sorted((root / "trainlint" / "rules").glob("*/*.py")):
        for code in re.findall(r'code="([A-Z]+\d{3})"', path.read_text(encoding="utf-8")):
            found[code] = path
    return found


def next_code(root: Path, family: str) -> str:
    """The code after the highest one of the family: codes are never reused, so gaps stay gaps."""
    prefix = FAMILIES[family]
    numbers = [int(code.removeprefix(prefix)) for code in codes(root) if re.fullmatch(prefix + r"\d{3}", code)]
    return f"{prefix}{max(numbers, default=0) + 1:03}"
