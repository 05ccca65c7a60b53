"""Where the rules' pages lie, read once per test run."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from literate import Case, Page, read_example, read_page

from trainlint.rules.registry import Rule, all_rules

SNAPSHOTS = Path(__file__).parent / "snapshots"


def rules() -> list[Rule]:
    return list(all_rules().values())


def snake(rule: Rule) -> str:
    return rule.id.replace("-", "_")


def source_file(rule: Rule) -> Path:
    return Path(importlib.import_module(rule.module).__file__ or "")


def page_file(rule: Rule) -> Path:
    return source_file(rule).with_suffix(".md")


@cache
def page_of(path: Path) -> Page:
    return read_page(path.read_text(encoding="utf-8"))


def page(rule: Rule) -> Page:
    return page_of(page_file(rule))


def example(rule: Rule) -> tuple[Case, ...]:
    """The examples of the docstring; the page's prelude defines the names that they leave out."""
    prelude = page(rule).prelude if page_file(rule).exists() else ""
    return read_example(rule.doc, prelude)
