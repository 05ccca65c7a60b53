"""`github`: workflow commands that become annotations of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainlint.cli.result import Result, shown_path

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice", "hint": "notice"}


def render(result: Result) -> str:
    return "".join(_annotation(finding) + "\n" for finding in result.shown)


def _annotation(finding: Finding) -> str:
    span = finding.span
    where = {"file": shown_path(finding.path)}
    if finding.cell is None:
        where |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:  # GitHub ignores columns of longer spans
            where |= {"col": str(span.column), "endColumn": str(span.end_column)}
    else:  # the annotation is for the file, whose lines are JSON
        where |= {"line": "1"}
    where["title"] = f"trainlint ({finding.code} {finding.id})"
    properties = ",".join(f"{name}={_property(value)}" for name, value in where.items())
    cell = "" if finding.cell is None else f"cell {finding.cell}, line {span.line}: "
    return f"::{_COMMANDS[finding.level]} {properties}::{_data(cell + finding.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
