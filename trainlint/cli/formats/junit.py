"""`junit`: one test suite a file; a file without findings is one passed test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from trainlint.cli.result import Result, shown_path

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding

# characters that XML 1.0 cannot hold in any form
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(result: Result) -> str:
    findings: dict[str, list[Finding]] = {path: [] for path in result.paths}
    errors: dict[str, list[str]] = {}
    for finding in result.shown:
        findings.setdefault(finding.path, []).append(finding)
    for path, message in result.errors:
        findings.setdefault(path, [])
        errors.setdefault(path, []).append(message)
    suites = [_suite(path, found, errors.get(path, ())) for path, found in sorted(findings.items())]
    failures, broken = len(result.shown), len(result.errors)
    tests = sum(max(1, len(found) + len(errors.get(path, ()))) for path, found in findings.items())
    head = f'<testsuites name="trainlint" tests="{tests}" failures="{failures}" errors="{broken}">'
    text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>"]) + "\n"
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _suite(path: str, findings: Sequence[Finding], errors: Sequence[str]) -> str:
    name = shown_path(path)
    cases = [_failure(finding, name) for finding in findings] + [_error(message, name) for message in errors]
    if not cases:
        cases = [f'<testcase name="trainlint" classname={_attribute(name)} />']
    head = f'<testsuite name={_attribute(name)} tests="{len(cases)}" failures="{len(findings)}" errors="{len(errors)}">'
    return "\n".join([head, *cases, "</testsuite>"])


def _failure(finding: Finding, name: str) -> str:
    cell = "" if finding.cell is None else f"cell {finding.cell}, "
    where = f"{cell}line {finding.span.line}, column {finding.span.column}"
    case = f"<testcase name={_attribute(f'{finding.code} {finding.id}')} classname={_attribute(name)}"
    if finding.cell is None:
        case += f' file={_attribute(name)} line="{finding.span.line}"'
    message = f'<failure type="{finding.level}" message={_attribute(finding.message)}>'
    return f"{case}>{message}{_text(f'{where}: {finding.message} ({finding.url})')}</failure></testcase>"


def _error(message: str, name: str) -> str:
    error = f"<error message={_attribute(message)}>{_text(message)}</error>"
    return f'<testcase name="trainlint" classname={_attribute(name)}>{error}</testcase>'


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
