"""The generated documentation is what the rules say now."""

from __future__ import annotations

from pathlib import Path

import pytest
from gen_docs import BEGIN, END, between, generate, stale

from trainlint.rules.registry import all_rules

ROOT = Path(__file__).parent.parent.parent


def test_nothing_is_stale() -> None:
    assert [path.relative_to(ROOT).as_posix() for path in stale(ROOT)] == [], "run `just gen`"


def test_every_rule_has_a_page_with_its_example_and_its_cases() -> None:
    files = generate(ROOT)
    for rule in all_rules().values():
        page = files[ROOT / "docs" / "rules" / f"{rule.id}.md"]
        assert page.startswith(f"# {rule.id}\n")
        assert page.count(f"[{rule.id}]") >= 2, "the docstring's example and a tested case"
        assert "### Reported" in page
        assert f"[{rule.id}](docs/rules/{rule.id}.md)" in files[ROOT / "README.md"]


def test_only_the_part_between_the_marks_changes() -> None:
    assert between(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    with pytest.raises(ValueError, match="lacks the marks"):
        between("no marks", "new")
