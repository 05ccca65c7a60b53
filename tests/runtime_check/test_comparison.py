"""Two reports side by side, on the command line."""

from __future__ import annotations

import json
from typing import Any

from tests.runtime_check.conftest import Lab
from trainlint.memory.comparison import compared


def report(size: int, measured: bool, **others: Any) -> dict[str, Any]:
    peak = {"allocated": 4 * size, "reserved": 2 << 20}
    terms = {"parameters": size, "gradients": 0, "batch": size // 10, "activations": 7}
    return {"terms": terms, "peak": peak, "measured": measured, **others}


def test_two_files(lab: Lab) -> None:
    (lab.folder / "old.json").write_text(json.dumps(report(1000, False, batch_size=8)), encoding="utf-8")
    (lab.folder / "new.json").write_text(json.dumps(report(1100, True, device="cpu", batch_size=16)), encoding="utf-8")
    done = lab.command("new.json", "--compare", "old.json")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "+10.0 %" in text
    assert "same" in text
    assert "the batch sizes are 8 and 16" in text
    done = lab.command("new.json", "--compare", "old.json", "--output-format", "json")
    assert json.loads(done.stdout)["compared"]["parameters"] == {
        "old": 1000,
        "new": 1100,
        "change": 100,
        "why": None,
    }


def test_files_that_are_no_reports(lab: Lab) -> None:
    (lab.folder / "new.json").write_text(json.dumps(report(1, True)), encoding="utf-8")
    for content in ("", "[]", "{}", '{"peak": 1, "terms": 2}'):
        (lab.folder / "old.json").write_text(content, encoding="utf-8")
        done = lab.command("new.json", "--compare", "old.json")
        assert done.returncode == 2
        assert len(done.stderr.decode().strip().splitlines()) == 1


def line(number: int, saved: int) -> dict[str, Any]:
    return {"path": "train.py", "cell": None, "line": number, "saved": saved, "held": saved}


def reason(name: str, old: dict[str, Any], new: dict[str, Any]) -> str | None:
    return next(row.why for row in compared(old, new) if row.name == name)


def test_the_reports_tell_why_they_differ() -> None:
    base = report(1000, True, device="fake", rules="cuda", parameters=250)
    kept = {**base, "terms": {**base["terms"], "activations": 5000}, "lines": [line(3, 4000), line(9, 900)]}
    few = {**base, "lines": [line(3, 100), line(9, 900)]}
    assert reason("activations", few, kept) == "mostly train.py:3 (3.8 KiB more)"
    assert "the CPU keeps other things" in str(reason("activations", few, {**kept, "rules": "cpu"}))
    half = {**base, "terms": {**base["terms"], "parameters": 500}}
    assert reason("parameters", base, half) == "the same 250 parameters take 4.0 and 2.0 bytes each"
    adam = {**base, "terms": {**base["terms"], "optimizer": 2000}}
    sgd = {**base, "terms": {**base["terms"], "optimizer": 1000}}
    assert "1 and 2 times the parameters: another optimizer" in str(reason("optimizer", sgd, adam))
    grown = {**base, "peak": {**base["peak"], "allocated": 9000, "terms": {"activations": 5000}}}
    assert reason("peak allocated", base, grown) == "mostly activations: 4.9 KiB more"
    unknown = [{"path": "train.py", "cell": None, "line": 4, "what": "`odd` is not followed"}]
    estimate = {**report(400, False), "unknown": unknown, "parameters": 0}
    assert "(train.py:4: `odd` is not followed)" in str(reason("parameters", estimate, base))
