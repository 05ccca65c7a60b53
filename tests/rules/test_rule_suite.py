"""What every rule must bring along: a page, a docstring, an example that fires, its name in the right form."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from catalogue import FAMILIES
from harness import check_whole
from pages import SNAPSHOTS, example, page, page_file, rules, snake, source_file

from trainlint.rules.finding import LEVELS
from trainlint.rules.registry import OWN_CODES, Rule

HEADINGS = ["What it does", "Why it matters", "Example", "When it stays silent"]
each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=snake(rule)) for rule in rules()])


def test_there_are_rules() -> None:
    assert rules()


@each_rule
def test_page(rule: Rule) -> None:
    assert page_file(rule).exists(), f"{page_file(rule).name} is missing beside {source_file(rule).name}"
    fires, near = page(rule).section("Fires"), page(rule).section("Near misses")
    assert fires, "at least one block below `## Fires`"
    assert len(near) >= len(fires), f"{len(near)} near misses for {len(fires)} blocks that fire: write as many"
    for case in fires:
        assert any(m.id == rule.id for m in case.markers), (
            f"the block at line {case.line} marks no finding of {rule.id}"
        )
    for case in near:
        assert all(m.id != rule.id for m in case.markers), f"the near miss at line {case.line} marks {rule.id}"
    for case in page(rule).section("Known misses"):
        assert any(m.is_todo for m in case.markers), f"the known miss at line {case.line} has no `# todo:` marker"


@each_rule
def test_docstring(rule: Rule) -> None:
    headings = re.findall(r"^## (.+)$", rule.doc, re.M)
    assert headings == HEADINGS
    assert rule.summary, "the first line is the summary"
    assert len(rule.doc.partition("\n")[0]) <= 100, "the summary stands in tables: at most 100 characters"
    assert rule.doc.split("\n")[1:2] == [""], "an empty line follows the summary"


@each_rule
def test_docstring_example_fires(rule: Rule) -> None:
    promised = [(case, marker) for case in example(rule) for marker in case.markers if marker.id == rule.id]
    assert promised, "the example marks no finding of the rule"
    for case, marker in promised:
        assert any(f.id == rule.id and f.span.line == marker.line for f in check_whole(case))


@each_rule
def test_name(rule: Rule) -> None:
    assert source_file(rule).stem == snake(rule), "the file is named as the id, in snake_case"
    assert source_file(rule).parent.name == rule.family.replace("-", "_"), "the folder is named as the family"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.id), "an id is kebab-case"
    # `no-activation-between-layers` is a pattern, `no-print` would be a wish
    assert not re.match(r"(no-(?!activation)|avoid-|check-)", rule.id), (
        "an id names the pattern: it reads after `allow`"
    )
    assert rule.family in FAMILIES
    assert re.fullmatch(FAMILIES[rule.family] + r"\d{3}", rule.code)
    assert rule.level in LEVELS
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", rule.since)


@each_rule
def test_fix_is_shown(rule: Rule) -> None:
    offers = any(f.fixes for case in page(rule).section("Fires") for f in check_whole(case) if f.id == rule.id)
    assert offers == bool(page(rule).section("Fix")), (
        "a rule with a fix shows it below `## Fix`, one without has no such section"
    )


@each_rule
def test_message(rule: Rule) -> None:
    for case in page(rule).section("Fires"):
        for finding in (f for f in check_whole(case) if f.id == rule.id):
            assert (finding.code, finding.family) == (rule.code, rule.family)
            assert not finding.message.endswith("."), "a message is a sentence without the final stop"
            assert not re.search(r"\b(you|should|please)\b", finding.message, re.I), "a message says what is"
            assert finding.message.count("`") % 2 == 0, "code stands in backticks"
            assert finding.url.endswith(f"/{rule.id}")


def test_codes_and_ids_are_unique() -> None:
    ids = Counter([rule.id for rule in rules()] + [id for id, *_ in OWN_CODES.values()])
    codes = Counter([rule.code for rule in rules()] + list(OWN_CODES))
    assert [word for word, times in (ids + codes).items() if times > 1] == []


def test_no_snapshot_without_a_rule() -> None:
    known = {rule.id for rule in rules()}
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} - known == set()


def test_no_page_without_a_rule() -> None:
    folders = {source_file(rule).parent for rule in rules()}
    pages = {path for folder in folders for path in folder.glob("*.md")}
    assert pages - {page_file(rule) for rule in rules()} == set()
