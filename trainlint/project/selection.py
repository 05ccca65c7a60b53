"""Which rules apply to a file, and at which level: configuration and command line put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from trainlint.project.config import Config, Overrides
from trainlint.rules.finding import Finding, Level
from trainlint.rules.registry import OWN_CODES, Rule, all_rules, selectors
from trainlint.rules.runtime import RUNTIME_CODES


def enabled_codes(config: Config, overrides: Overrides) -> frozenset[str]:
    """The codes in use, per-file ignores aside.

    By default: everything but hints, previews and TR900. In one place (file or command line) the more exact word wins,
    `ignore` on a tie; what the command line says comes after the file. A rule in preview needs `preview` or its exact
    code or id.
    """
    chosen = _default_codes() if config.select is None else frozenset[str]()
    chosen = _layer(chosen, (*(config.select or ()), *config.extend_select), config.ignore)
    if overrides.select is not None:
        chosen = frozenset()
    chosen = _layer(chosen, (*(overrides.select or ()), *overrides.extend_select), overrides.ignore)
    if config.preview or overrides.preview:
        return chosen
    named = {*(config.select or ()), *config.extend_select, *(overrides.select or ()), *overrides.extend_select}
    return frozenset(code for code in chosen if not _hidden_preview(code, named))


def enabled_rules(codes: Iterable[str]) -> list[Rule]:
    """The registered rules among the codes, in the order of their codes."""
    wanted = set(codes)
    return [rule for code, rule in all_rules().items() if code in wanted]


def codes_of(words: Iterable[str]) -> frozenset[str]:
    """The codes that known words mean."""
    table = selectors()
    return frozenset().union(*(table.get(word, frozenset()) for word in words))


def with_levels(findings: Iterable[Finding], levels: Mapping[str, str]) -> list[Finding]:
    """The findings at the levels that the configuration gives their code, id or family."""
    if not levels:
        return list(findings)
    return [_releveled(finding, levels) for finding in findings]


def _releveled(finding: Finding, levels: Mapping[str, str]) -> Finding:
    for word in (finding.code, finding.id, finding.code.rstrip("0123456789"), finding.family, "ALL"):
        if word in levels:
            return finding.at_level(cast(Level, levels[word]))
    return finding


def _default_codes() -> frozenset[str]:
    rules = {code for code, rule in all_rules().items() if rule.level != "hint"}
    return frozenset(rules | {code for code in OWN_CODES if code != "TR900"} | RUNTIME_CODES.keys())


def _hidden_preview(code: str, named: set[str]) -> bool:
    rule = all_rules().get(code)
    return rule is not None and rule.preview and not named & {code, rule.id}


def _layer(start: frozenset[str], select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    table = selectors()
    chosen = set(start)
    steps = [(_exactness(word), 0, word) for word in select] + [(_exactness(word), 1, word) for word in ignore]
    for _, is_ignore, word in sorted(steps):
        if is_ignore:
            chosen -= table.get(word, frozenset())
        else:
            chosen |= table.get(word, frozenset())
    return frozenset(chosen)


def _exactness(word: str) -> int:
    if word == "ALL":
        return 0
    return 2 if word in _exact_words() else 1


def _exact_words() -> set[str]:
    rules = {word for rule in all_rules().values() for word in (rule.code, rule.id)}
    runtime = {word for code, (id, *_) in RUNTIME_CODES.items() for word in (code, id)}
    return rules | runtime | {word for code, (id, *_) in OWN_CODES.items() for word in (code, id)}
