"""`json`: one object; the contract that tests, editors and scripts rely on. All levels are in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trainlint.cli.result import Result, shown_path

if TYPE_CHECKING:
    from trainlint.rules.finding import Finding
    from trainlint.text.place import Span


def render(result: Result) -> str:
    summary: dict[str, Any] = {"files": len(result.paths), "skipped": result.skipped, **result.counts}
    content = {
        "version": 1,
        "findings": [finding_object(finding) for finding in result.findings],
        "errors": [{"path": shown_path(path), "message": message} for path, message in result.errors],
        "summary": {**summary, "seconds": round(result.seconds, 3)},
    }
    return json.dumps(content, indent=1) + "\n"


def finding_object(finding: Finding) -> dict[str, Any]:
    """A finding with the keys of the contract."""
    return {
        "code": finding.code,
        "id": finding.id,
        "family": finding.family,
        "level": finding.level,
        "certainty": finding.certainty,
        "message": finding.message,
        "path": shown_path(finding.path),
        "cell": finding.cell,
        **_span(finding.span),
        "related": [
            {
                "path": shown_path(each.path),
                "line": each.span.line,
                "column": each.span.column,
                "message": each.message,
            }
            for each in finding.related
        ],
        "fixes": [
            {
                "title": fix.title,
                "safety": fix.safety,
                "edits": [{"path": shown_path(edit.path), **_span(edit.span), "text": edit.text} for edit in fix.edits],
            }
            for fix in finding.fixes
        ],
        "url": finding.url,
    }


def _span(span: Span) -> dict[str, int]:
    return {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
