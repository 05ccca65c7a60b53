"""A rule that crashes costs its own findings in that file and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest
from harness import absolute, check_whole, comparable
from memory_workspace import MemoryWorkspace
from pages import page

from trainlint.rules.engine import Analyser
from trainlint.rules.registry import all_rules


def explode(fact: object) -> NoReturn:
    raise ZeroDivisionError("this rule is broken on purpose")


def test_a_crash_costs_the_findings_of_that_rule_only() -> None:
    rules = list(all_rules().values())
    sound = all_rules()["LP001"]
    case = page(sound).section("Fires")[0]
    broken = replace(sound, code="ZZ001", id="broken-on-purpose", check=explode)
    workspace = MemoryWorkspace(case.files)
    path = absolute(case.entry)

    analyser = Analyser(workspace)
    before = analyser.check(path, workspace.document(path), rules, None)
    assert any(f.code == "LP001" for f in before)
    assert analyser.failures == []

    found = analyser.check(path, workspace.document(path), [broken, *rules], None)
    assert comparable(found) == comparable(before)
    ((where, code, error),) = analyser.failures
    assert (where, code) == (path, "ZZ001")
    assert isinstance(error, ZeroDivisionError)

    assert analyser.check(path, workspace.document(path), rules, None) == found
    assert analyser.failures == [], "the next check starts afresh"


def test_the_tests_of_the_pages_notice_a_crash() -> None:
    sound = all_rules()["LP001"]
    case = page(sound).section("Fires")[0]
    with pytest.raises(AssertionError, match="LP001 crashed on"):
        check_whole(case, [replace(sound, check=explode)])
