"""`jsonl`: one finding a line, with the keys of `json`; errors are lines with `error` instead of `code`."""

from __future__ import annotations

import json

from trainlint.cli.formats.json import finding_object
from trainlint.cli.result import Result, shown_path


def render(result: Result) -> str:
    rows = [finding_object(finding) for finding in result.shown]
    rows += [{"path": shown_path(path), "error": message} for path, message in result.errors]
    return "".join(json.dumps(row) + "\n" for row in rows)
