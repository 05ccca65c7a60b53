"""Every block of every rule's page: the promised findings and no others, whole and typed in; fixes; wording."""

from __future__ import annotations

from contextlib import suppress

import pytest
from harness import apply_edits, check_files, check_typed, check_whole, comparable, mismatches, wording
from literate import Case, PageError
from pages import SNAPSHOTS, example, page, page_file, rules, snake

from trainlint.rules.registry import Rule


def _cases(*sections: str) -> list[object]:
    params: list[object] = []
    for rule in rules():
        for read in (lambda rule: page(rule).cases, example):
            # an unreadable page or docstring fails in test_rule_suite, where the reason is shown
            with suppress(OSError, PageError):
                for case in read(rule):
                    if case.section in sections:
                        params.append(pytest.param(rule, case, id=f"{snake(rule)}-{case.name}"))
    return params


BLOCKS = ("Fires", "Near misses", "Known misses", "docstring")


@pytest.mark.parametrize(("rule", "case"), _cases(*BLOCKS))
def test_block(rule: Rule, case: Case) -> None:
    problems = mismatches(check_whole(case), case.markers)
    assert not problems, _report(rule, case, problems)


@pytest.mark.parametrize(("rule", "case"), _cases(*BLOCKS))
def test_block_typed_line_by_line(rule: Rule, case: Case) -> None:
    assert comparable(check_typed(case)) == comparable(check_whole(case)), _report(rule, case, [])


@pytest.mark.parametrize(("rule", "case"), _cases("Fix"))
def test_fix(rule: Rule, case: Case) -> None:
    found = check_whole(case)
    if case.markers:
        assert not mismatches(found, case.markers), _report(rule, case, mismatches(found, case.markers))
    fixes = [finding.fixes[0] for finding in found if finding.id == rule.id and finding.fixes]
    assert fixes, _report(rule, case, ["no finding of the rule offers a fix"])
    fixed = apply_edits(case.files, fixes[0].edits)
    assert fixed == {**case.files, **case.after}, _report(rule, case, [f"the fix was: {fixes[0].title}"])
    left = [f.message for f in check_files(fixed, case.base) if f.id == rule.id]
    assert not left, _report(rule, case, ["the fixed code is still reported", *left])


@pytest.mark.parametrize("rule", [pytest.param(rule, id=snake(rule)) for rule in rules()])
def test_wording(rule: Rule, request: pytest.FixtureRequest) -> None:
    path = SNAPSHOTS / f"{rule.id}.txt"
    now = wording(page(rule).section("Fires"), rule.id)
    if request.config.getoption("--bless"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8", newline="\n")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    assert now == before, f"the messages of {rule.id} changed: read the difference, then run `just bless`"


def _report(rule: Rule, case: Case, problems: list[str]) -> str:
    lines = case.files[case.entry].splitlines()
    source = "\n".join(f"{number:4} {line}" for number, line in enumerate(lines, start=1))
    return "\n".join([f"{page_file(rule).name}, block at line {case.line}", *problems, source])
