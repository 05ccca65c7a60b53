"""Output formats, each read by a parser of its own format."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from trainlint.cli.formats import render
from trainlint.cli.options import FORMATS
from trainlint.cli.result import Result, Sources, shown_path, uri
from trainlint.cli.style import harmless
from trainlint.rules.finding import Edit, Finding, Fix, Level, Related
from trainlint.text.place import Span

URL = "https://trainlint.github.io/trainlint/rules/lr-out-of-range"
SOURCE = "import torch\n\ts = '🔥é漢'; lr = 0.5  # <x> & \x1b[31m\n" + "\n" * 8 + "lr = 0.5\nlr = 0.5\n"


def found(
    path: Path, span: Span, level: Level = "warning", cell: int | None = None, message: str = "lr is 0.5"
) -> Finding:
    edit = Edit(str(path), span, "0.001")
    return Finding(
        "LR004",
        "lr-out-of-range",
        "learning-rate",
        level,
        "proved",
        message,
        str(path),
        span,
        (
            Related(str(path), Span(1, 1, 1, 7), "imported here"),
            Related(str(path.parent / "o.py"), Span(3, 2, 3, 4), "far"),
        ),
        (Fix("Use 0.001", "safe", (edit,)), Fix("Use 0", "unsafe", (edit,))),
        cell,
        URL,
    )


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(tmp_path)
    path, book, broken = tmp_path / "sub dir" / "a,b.py", tmp_path / "n.ipynb", tmp_path / "z.py"
    sources = Sources()
    sources.give(str(path), SOURCE)
    cells = [{"cell_type": "code", "source": "x"}, {"cell_type": "code", "source": "lr = 0.5\n"}]
    sources.give(str(book), json.dumps({"cells": cells}))
    findings = [
        found(book, Span(1, 6, 1, 9), cell=1),
        found(path, Span(2, 18, 2, 21), "error", message="100% wrong:\n<b>, \x1b[31m"),
        found(path, Span(11, 6, 11, 9), "info"),
        found(path, Span(12, 6, 12, 9), "hint"),
        found(path, Span(2, 2, 11, 3)),
    ]
    paths = [str(book), str(path), str(broken), str(tmp_path / "clean.py")]
    return Result(findings, findings, [(str(broken), "is not UTF-8 \x00")], paths, 1, 0.123456, sources)


@pytest.fixture
def nothing() -> Result:
    return Result((), (), (), ("/x/a.py",), 0, 0.1)


def test_every_format_is_rendered_without_findings(nothing: Result) -> None:
    for name in FORMATS:
        text = render(name, nothing)
        if name in ("json", "gitlab", "sarif", "rdjson"):
            json.loads(text)
        if name in ("jsonl", "concise", "github"):
            assert text == ""
    ET.fromstring(render("junit", nothing))
    assert render("full", nothing) == "No findings in 1 file.\n"


FINDING_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "code", "id", "family", "level", "certainty", "message", "path", "cell", "line", "column", "end_line",
        "end_column", "related", "fixes", "url",
    ],
    "properties": {
        "code": {"type": "string"}, "id": {"type": "string"}, "family": {"type": "string"},
        "level": {"enum": ["error", "warning", "info", "hint"]}, "certainty": {"enum": ["proved", "default", "likely"]},
        "message": {"type": "string"}, "path": {"type": "string"}, "cell": {"type": ["integer", "null"]},
        "line": {"type": "integer"}, "column": {"type": "integer"}, "end_line": {"type": "integer"},
        "end_column": {"type": "integer"}, "url": {"type": "string"},
        "related": {"type": "array", "items": {"required": ["path", "line", "column", "message"]}},
        "fixes": {"type": "array", "items": {
            "required": ["title", "safety", "edits"],
            "properties": {"edits": {"type": "array", "items": {
                "required": ["path", "line", "column", "end_line", "end_column", "text"]}}},
        }},
    },
}  # fmt: skip


def test_json(result: Result) -> None:
    content = json.loads(render("json", result))
    assert list(content) == ["version", "findings", "errors", "summary"]
    for finding in content["findings"]:
        jsonschema.validate(finding, FINDING_SCHEMA)
    assert content["errors"] == [{"path": "z.py", "message": "is not UTF-8 \x00"}]
    counts = {"files": 4, "skipped": 1, "error": 1, "warning": 2, "info": 1, "hint": 1, "seconds": 0.123}
    assert content["summary"] == counts
    first = content["findings"][0]
    assert (first["path"], first["cell"], first["line"], first["column"]) == ("n.ipynb", 1, 1, 6)
    assert content["findings"][1]["path"] == "sub dir/a,b.py"


def test_json_holds_all_levels_and_the_others_only_the_shown(result: Result) -> None:
    result.shown = result.findings[:1]
    assert len(json.loads(render("json", result))["findings"]) == 5
    assert len([row for row in render("jsonl", result).splitlines() if "code" in json.loads(row)]) == 1
    assert len(render("concise", result).splitlines()) == 1
    assert "4 more findings below the level shown" in render("full", result)


def test_jsonl(result: Result) -> None:
    rows = [json.loads(line) for line in render("jsonl", result).splitlines()]
    assert [("code" in row, "error" in row) for row in rows] == [(True, False)] * 5 + [(False, True)]
    jsonschema.validate(rows[0], FINDING_SCHEMA)


def test_concise(result: Result) -> None:
    lines = render("concise", result).splitlines()
    assert lines[0] == "n.ipynb:cell 1:1:6: LR004 lr is 0.5"
    assert lines[1] == "sub dir/a,b.py:2:18: LR004 100% wrong: <b>, \ufffd[31m"
    assert len(lines) == 5


# the parts of the SARIF 2.1.0 schema that consumers refuse a file for
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endLine", "endColumn"],
    "additionalProperties": {"type": "integer", "minimum": 1},
}
ARTIFACT = {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "pattern": r"^[^ \\]+$"}}}
PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "additionalProperties": False,
    "properties": {"artifactLocation": ARTIFACT, "region": REGION},
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": PLACE,
        "id": {"type": "integer", "minimum": 0},
        "message": {"type": "object", "required": ["text"]},
    },
}
REPLACEMENT = {
    "type": "object",
    "required": ["deletedRegion"],
    "additionalProperties": False,
    "properties": {"deletedRegion": REGION, "insertedContent": {"type": "object", "required": ["text"]}},
}
SARIF_RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
    "properties": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "locations": {"type": "array", "minItems": 1, "items": LOCATION},
        "relatedLocations": {"type": "array", "items": LOCATION},
        "fixes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["artifactChanges"],
                "properties": {
                    "artifactChanges": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["artifactLocation", "replacements"],
                            "properties": {"replacements": {"type": "array", "minItems": 1, "items": REPLACEMENT}},
                        },
                    }
                },
            },
        },
    },
}


def test_sarif(result: Result) -> None:
    content = json.loads(render("sarif", result))
    assert content["version"] == "2.1.0"
    (run,) = content["runs"]
    driver = run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["LR004"]
    assert all(rule["shortDescription"]["text"] and rule["helpUri"] for rule in driver["rules"])
    for entry in run["results"]:
        jsonschema.validate(entry, SARIF_RESULT)
        assert driver["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]
    assert [entry["level"] for entry in run["results"]] == ["warning", "error", "note", "note", "warning"]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub%20dir/a%2Cb.py"
    assert run["columnKind"] == "utf16CodeUnits"
    assert place["region"] == {"startLine": 2, "startColumn": 19, "endLine": 2, "endColumn": 22}
    prints = [entry["partialFingerprints"]["trainlint/v1"] for entry in run["results"]]
    assert len(set(prints)) == 5
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("is not UTF-8")


def test_github(result: Result) -> None:
    lines = render("github", result).splitlines()
    assert len(lines) == 5
    pattern = r"::(error|warning|notice) ((?:\w+=[^,:]*,?)+)::(.*)"
    parsed: list[Any] = [re.fullmatch(pattern, line) for line in lines]
    assert [match[1] for match in parsed] == ["warning", "error", "notice", "notice", "warning"]
    properties = dict(pair.split("=") for pair in parsed[1][2].split(","))
    assert properties["file"] == "sub dir/a%2Cb.py"
    assert (properties["line"], properties["col"], properties["endColumn"]) == ("2", "18", "21")
    assert parsed[1][3] == "100%25 wrong:%0A<b>, \x1b[31m"
    assert parsed[0][3] == "cell 1, line 1: lr is 0.5"
    assert "col" not in parsed[4][2], "columns of longer spans are ignored by GitHub"


def test_gitlab(result: Result) -> None:
    entries = json.loads(render("gitlab", result))
    assert [entry["severity"] for entry in entries] == ["major", "critical", "minor", "info", "major"]
    assert len({entry["fingerprint"] for entry in entries}) == 5
    assert entries[1]["location"] == {"path": "sub dir/a,b.py", "lines": {"begin": 2, "end": 2}}
    path = result.findings[2].path
    moved = Sources()
    moved.give(path, "# new\n" + SOURCE)
    span = Span(12, 6, 12, 9)
    shifted = [found(Path(path), span), found(Path(path), Span(13, 6, 13, 9))]
    again = json.loads(render("gitlab", Result(shifted, shifted, sources=moved)))
    assert [entry["fingerprint"] for entry in again] == [entry["fingerprint"] for entry in entries[2:4]]


def test_junit(result: Result) -> None:
    root = ET.fromstring(render("junit", result))
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"n.ipynb", "sub dir/a,b.py", "z.py", "clean.py"}
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("7", "5", "1")
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    assert len(suites["clean.py"].findall("testcase")) == 1
    failure = suites["sub dir/a,b.py"].find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "100% wrong:\n<b>, \ufffd[31m"


def test_rdjson(result: Result) -> None:
    content = json.loads(render("rdjson", result))
    assert content["source"]["name"] == "trainlint"
    entry = content["diagnostics"][1]
    assert entry["severity"] == "ERROR"
    line = SOURCE.split("\n")[1]
    column = len(line[:17].encode()) + 1
    assert entry["location"]["range"]["start"] == {"line": 2, "column": column}
    assert entry["code"] == {"value": "LR004", "url": URL}
    assert [each["text"] for each in entry["suggestions"]] == ["0.001"]
    assert content["diagnostics"][0]["location"]["range"]["start"] == {"line": 1, "column": 6}


def test_full_points_at_the_place(result: Result) -> None:
    lines = render("full", result).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("error[LR004]: 100% wrong: <b>"))
    assert lines[head + 1].strip() == "--> sub dir/a,b.py:2:18"
    code, carets = lines[head + 3], lines[head + 4]
    assert "\x1b" not in code
    at = carets.index("^")
    assert carets[at : at + 3] == "^^^"
    before = code[: code.index("0.5")]
    assert width(before) == width(carets[:at]), "the caret is below the number, wide characters and all"
    assert any("imported here" in line and "^^^^^^" in line for line in lines[head:])
    assert any("note: sub dir/o.py:3:2: far" in line for line in lines[head:])
    assert any("fix: Use 0.001 (--fix)" in line for line in lines[head:])
    assert any("fix: Use 0 (--fix --unsafe-fixes)" in line for line in lines[head:])
    assert "Found 1 error, 2 warnings, 1 info, 1 hint in 4 files, 1 of them not checked." in lines


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def test_colour_only_when_wanted(result: Result) -> None:
    plain = render("full", result)
    assert "\x1b" not in plain
    result.colour = True
    painted = render("full", result)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == plain


def test_control_characters_do_nothing() -> None:
    assert harmless("a\tb\x1b]0;x\x07\u202e\r") == "a\tb\ufffd]0;x\ufffd\ufffd\ufffd"


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert shown_path(str(tmp_path.parent / "b.py")) == str(tmp_path.parent / "b.py")
    assert uri(str(tmp_path / "ü b.py")) == "%C3%BC%20b.py"
    assert uri("/x y/b.py") == "file:///x%20y/b.py"
