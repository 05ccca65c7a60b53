"""`just new-rule` in a copy of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalogue import next_code
from literate import read_page
from new_rule import Refused, start

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "trainlint", tmp_path / "trainlint", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_both_files_are_written_and_the_rule_registers(checkout: Path) -> None:
    expected = next_code(checkout, "numerics")
    rule_file, page_file = start(checkout, "lr-below-zero", "numerics", "error")
    assert rule_file == checkout / "trainlint" / "rules" / "numerics" / "lr_below_zero.py"
    assert [case.section for case in read_page(page_file.read_text(encoding="utf-8")).cases] == ["Fires", "Near misses"]
    program = (
        "from trainlint.rules.registry import all_rules\n"
        f"rule = all_rules()[{expected!r}]\n"
        "print(rule.id, rule.family, rule.level, rule.since, rule.module)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=False)
    assert result.stdout.split() == [
        *("lr-below-zero", "numerics", "error", "0.1"),
        "trainlint.rules.numerics.lr_below_zero",
    ], result.stderr


def test_codes_follow_the_highest_and_gaps_stay(checkout: Path) -> None:
    home = checkout / "trainlint" / "rules" / "api"
    home.mkdir(exist_ok=True)
    (home / "far_away.py").write_text('rule("far-away", code="API041")\n', encoding="utf-8")
    start(checkout, "layer-never-used", "api")
    assert 'code="API042"' in (home / "layer_never_used.py").read_text(encoding="utf-8")
    start(checkout, "unsafe-load", "api", code="API003")
    assert 'code="API003"' in (home / "unsafe_load.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("id", "family", "code", "problem"),
    [
        ("GradNotCleared", "loop", None, "is not an id"),
        ("no-zero-grad", "loop", None, "reads after `allow`"),
        ("grad-lost", "loops", None, "is not a family; the families are batch"),
        ("grad-lost", "loop", "XX001", "is not a code of loop"),
    ],
)
def test_refusals(checkout: Path, id: str, family: str, code: str | None, problem: str) -> None:
    before = sorted(checkout.rglob("*"))
    with pytest.raises(Refused, match=problem):
        start(checkout, id, family, code=code)
    assert sorted(checkout.rglob("*")) == before


def test_nothing_is_overwritten(checkout: Path) -> None:
    rule_file, _ = start(checkout, "grad-lost", "loop")
    rule_file.write_text("mine", encoding="utf-8")
    with pytest.raises(Refused, match=r"grad_lost\.py exists"):
        start(checkout, "grad-lost", "memory")
    assert rule_file.read_text(encoding="utf-8") == "mine"
