"""Reports of `trainlint measure` that were made elsewhere, on the files as they lie here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from trainlint.project.texts import file_hash, found_here
from trainlint.server.measurements import Text

LARGEST_REPORT = 64 * 1024 * 1024  # bytes


class Refused(Exception):
    """Why nothing is measured or shown, in a sentence for the person."""


def texts_of(report: Mapping[str, Any]) -> set[Text]:
    """The texts that a report says something about."""
    places = [report["loop"], *report["lines"], *(report.get("findings") or ())]
    return {(each["path"], each["cell"]) for each in places if each["path"] is not None}


def read_report(path: str) -> dict[str, Any]:
    """A report of `trainlint measure`. Raises Refused."""
    name = os.path.basename(path)
    try:
        if os.path.getsize(path) > LARGEST_REPORT:
            raise Refused(f"{name} is too large for a report")
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{name} is no JSON file: {error}") from error
    if not isinstance(report, dict) or "peak" not in report:
        raise Refused(f"{name} is no report of `trainlint measure`")
    if report.get("measured") is not True:
        raise Refused(f"{name} holds an estimate: nothing in it was measured")
    return report


def placed_here(report: dict[str, Any], folders: list[str], own: str | None) -> dict[str, Any]:
    """The report with the paths that its files have here; `own` is the file if its name is another."""
    known: dict[Any, Any] = {None: None}

    def here(each: Mapping[str, Any]) -> dict[str, Any]:
        path = each["path"]
        if path not in known:
            known[path] = found_here(path, folders) or (own if path == report["path"] else None)
        return {**each, "path": known[path]}

    loop = report.get("loop") or {"path": report["path"], "cell": None, "line": 1, "name": None}
    result = {
        **report,
        "loop": here(loop),
        "lines": [found for each in report["lines"] if (found := here(each))["path"] is not None],
        "findings": [found for each in report.get("findings") or () if (found := here(each))["path"] is not None],
        "places": {value: name for name, value in known.items() if value is not None},
    }
    if result["loop"]["path"] is None:
        raise Refused(f"the report is about {report['path']}, which is not in this workspace; open it first")
    return result


def hash_in(report: Mapping[str, Any], text: Text, here: Mapping[str, Any]) -> str | None:
    """The hash that the report has of a text; where it has none, the text here is taken to be the one."""
    path, cell = text
    name = here["places"].get(path, path)
    known = (report.get("files") or {}).get(name if cell is None else f"{name}::{cell}")
    return known if known is not None or cell is not None else file_hash(path)
