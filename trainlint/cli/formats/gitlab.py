"""`gitlab`: a Code Quality report. Fingerprints must be unique, or GitLab keeps only the first finding."""

from __future__ import annotations

import json

from trainlint.cli.result import Result, fingerprints, shown_path

_SEVERITIES = {"error": "critical", "warning": "major", "info": "minor", "hint": "info"}


def render(result: Result) -> str:
    entries = [
        {
            "description": f"{finding.code}: {finding.message}",
            "check_name": finding.id,
            "fingerprint": fingerprint,
            "severity": _SEVERITIES[finding.level],
            "location": {
                "path": shown_path(finding.path),
                "lines": {"begin": finding.span.line, "end": finding.span.end_line},
            },
        }
        for finding, fingerprint in zip(result.shown, fingerprints(result, result.shown), strict=True)
    ]
    return json.dumps(entries, indent=1) + "\n"
