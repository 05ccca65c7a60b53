"""A rule that crashes costs its own findings in that file and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from harness import INTERNAL_ERROR, check_whole, comparable
from pages import page

from trainlint.rules.registry import all_rules


def explode(fact: object) -> NoReturn:
    raise ZeroDivisionError("this rule is broken on purpose")


def test_a_crash_costs_the_findings_of_that_rule_only() -> None:
    rules = all_rules()
    sound = rules["LP001"]
    case = page(sound).section("Fires")[0]
    broken = replace(sound, code="ZZ001", id="broken-on-purpose", check=explode)
    before = check_whole(case, list(rules.values()))
    assert any(f.code == "LP001" for f in before)
    found = check_whole(case, [broken, *rules.values()])
    assert comparable(f for f in found if f.code != INTERNAL_ERROR) == comparable(before)
    reports = [f for f in found if f.code == INTERNAL_ERROR]
    assert len(reports) == 1, "one report for the rule and the file"
    assert "broken-on-purpose" in reports[0].message
