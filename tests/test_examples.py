"""What trainlint says about the examples is what their pages promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent

Place = tuple[str, int, str, str]


def check(folder: str) -> list[Place]:
    command = [sys.executable, "-m", "trainlint", "check", "--no-cache", "--output-format", "json", folder]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    report = json.loads(result.stdout)
    assert report["errors"] == []
    assert report["summary"]["files"] == len(list((ROOT / folder).glob("*.py")))
    return sorted((PurePosixPath(f["path"]).name, f["line"], f["code"], f["level"]) for f in report["findings"])


def promised(page: str) -> list[Place]:
    rows = re.findall(r"^\| `([\w.]+):(\d+)` \| \[?`?([A-Z]+\d+).*? \| (\w+) \|", page, re.M)
    return sorted((file, int(line), code, level) for file, line, code, level in rows)


def test_planted_mistakes_are_found_where_the_page_says() -> None:
    wanted = promised((ROOT / "examples/cifar/README.md").read_text(encoding="utf-8"))
    assert len(wanted) >= 6
    assert check("examples/cifar") == wanted


def test_the_mended_project_is_clean() -> None:
    assert check("examples/clean") == []


def test_the_two_projects_differ_in_the_mistakes_only() -> None:
    for name in ("train.py", "dataset.py"):
        flawed = (ROOT / "examples/cifar" / name).read_text(encoding="utf-8").splitlines()
        mended = (ROOT / "examples/clean" / name).read_text(encoding="utf-8").splitlines()
        assert flawed[0] == mended[0]
        assert len(set(flawed) ^ set(mended)) <= 20
