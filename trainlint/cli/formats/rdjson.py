"""`rdjson`: the diagnostic format of reviewdog. Columns are 1-based and count UTF-8 bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trainlint.cli.result import Result, shown_path, utf8_column

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding
    from trainlint.text.place import Span

_SEVERITIES = {"error": "ERROR", "warning": "WARNING", "info": "INFO", "hint": "INFO"}


def render(result: Result) -> str:
    content = {
        "source": {"name": "trainlint", "url": "https://github.com/trainlint/trainlint"},
        "diagnostics": [_diagnostic(finding, result) for finding in result.shown],
    }
    return json.dumps(content, indent=1) + "\n"


def _diagnostic(finding: Finding, result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "message": finding.message,
        "location": {
            "path": shown_path(finding.path),
            "range": _range(finding.path, finding.cell, finding.span, result),
        },
        "severity": _SEVERITIES[finding.level],
        "code": {"value": finding.code, "url": finding.url},
    }
    related = [
        {
            "message": each.message,
            "location": {
                "path": shown_path(each.path),
                "range": _range(each.path, finding.cell if each.path == finding.path else None, each.span, result),
            },
        }
        for each in finding.related
    ]
    if related:
        entry["relatedLocations"] = related
    suggestions = [
        {"range": _range(edit.path, finding.cell, edit.span, result), "text": edit.text}
        for fix in finding.fixes
        if fix.safety == "safe" and all(edit.path == finding.path for edit in fix.edits)
        for edit in fix.edits
    ]
    if suggestions:
        entry["suggestions"] = suggestions
    return entry


def _range(path: str, cell: int | None, span: Span, result: Result) -> dict[str, dict[str, int]]:
    start, end = result.sources.line(path, cell, span.line), result.sources.line(path, cell, span.end_line)
    return {
        "start": {"line": span.line, "column": utf8_column(start, span.column)},
        "end": {"line": span.end_line, "column": utf8_column(end, span.end_column)},
    }
