"""`sarif`: SARIF 2.1.0, with columns in UTF-16 code units, as code scanning reads them."""

from __future__ import annotations

import json
from typing import Any

import trainlint
from trainlint.cli.result import Result, fingerprints, uri, utf16_column
from trainlint.rules.finding import Finding, Fix, Related
from trainlint.rules.registry import OWN_CODES, all_rules
from trainlint.text.place import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/trainlint/trainlint"
_LEVELS = {"error": "error", "warning": "warning", "info": "note", "hint": "note"}


def render(result: Result) -> str:
    rules = _rules(result)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    prints = fingerprints(result, result.shown)
    results = [_result(f, index[f.code], fp, result) for f, fp in zip(result.shown, prints, strict=True)]
    run = {
        "tool": {
            "driver": {
                "name": "trainlint",
                "version": trainlint.__version__,
                "informationUri": HOME,
                "rules": rules,
            }
        },
        "columnKind": "utf16CodeUnits",
        "invocations": [_invocation(result)],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rules(result: Result) -> list[dict[str, Any]]:
    seen = {finding.code: finding for finding in result.shown}
    return [
        {
            "id": code,
            "name": finding.id,
            "shortDescription": {"text": _summary(code) or finding.id},
            "helpUri": finding.url,
            "defaultConfiguration": {"level": _LEVELS[_default_level(finding)]},
            "properties": {"tags": [finding.family]},
        }
        for code, finding in sorted(seen.items())
    ]


def _summary(code: str) -> str:
    if code in OWN_CODES:
        return OWN_CODES[code][3]
    rule = all_rules().get(code)
    return "" if rule is None else rule.summary


def _default_level(finding: Finding) -> str:
    if finding.code in OWN_CODES:
        return OWN_CODES[finding.code][2]
    rule = all_rules().get(finding.code)
    return finding.level if rule is None else rule.level


def _result(finding: Finding, index: int, fingerprint: str, result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {"text": finding.message},
        "locations": [_location(finding.path, finding.cell, finding.span, result)],
        "partialFingerprints": {"trainlint/v1": fingerprint},
        "properties": {"certainty": finding.certainty, **({} if finding.cell is None else {"cell": finding.cell})},
    }
    if finding.related:
        entry["relatedLocations"] = [_related(each, finding, n, result) for n, each in enumerate(finding.related)]
    if finding.fixes and finding.cell is None:  # the lines of a notebook's file are JSON: no place for an edit
        entry["fixes"] = [_fix(fix, result) for fix in finding.fixes]
    return entry


def _location(path: str, cell: int | None, span: Span, result: Result) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": _region(path, cell, span, result)}}


def _region(path: str, cell: int | None, span: Span, result: Result) -> dict[str, int]:
    start, end = result.sources.line(path, cell, span.line), result.sources.line(path, cell, span.end_line)
    return {
        "startLine": span.line,
        "startColumn": utf16_column(start, span.column),
        "endLine": span.end_line,
        "endColumn": utf16_column(end, span.end_column),
    }


def _related(related: Related, finding: Finding, number: int, result: Result) -> dict[str, Any]:
    cell = finding.cell if related.path == finding.path else None
    place = _location(related.path, cell, related.span, result)
    return {"id": number, **place, "message": {"text": related.message}}


def _fix(fix: Fix, result: Result) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {
            "deletedRegion": _region(edit.path, None, edit.span, result),
            "insertedContent": {"text": edit.text},
        }
        changes.setdefault(edit.path, []).append(replacement)
    return {
        "description": {"text": f"{fix.title} ({fix.safety})"},
        "artifactChanges": [
            {"artifactLocation": {"uri": uri(path)}, "replacements": replacements}
            for path, replacements in changes.items()
        ],
    }


def _invocation(result: Result) -> dict[str, Any]:
    notes = [
        {
            "level": "error",
            "message": {"text": message},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(path)}}}],
        }
        for path, message in result.errors
    ]
    return {"executionSuccessful": not result.skipped, "toolExecutionNotifications": notes}
