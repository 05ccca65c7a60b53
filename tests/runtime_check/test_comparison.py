"""Two reports side by side, on the command line."""

from __future__ import annotations

import json
from typing import Any

from tests.runtime_check.conftest import Lab


def report(parameters: int, measured: bool, **others: Any) -> dict[str, Any]:
    peak = {"allocated": 4 * parameters, "reserved": 2 << 20}
    return {"terms": {"parameters": parameters, "gradients": 0}, "peak": peak, "measured": measured, **others}


def test_two_files(lab: Lab) -> None:
    (lab.folder / "old.json").write_text(json.dumps(report(1000, False, batch_size=8)), encoding="utf-8")
    (lab.folder / "new.json").write_text(json.dumps(report(1100, True, device="cpu", batch_size=16)), encoding="utf-8")
    done = lab.command("new.json", "--compare", "old.json")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "+10.0 %" in text
    assert "same" in text
    assert "the batch sizes differ: 8 and 16" in text
    done = lab.command("new.json", "--compare", "old.json", "--output-format", "json")
    assert json.loads(done.stdout)["compared"]["parameters"] == {"old": 1000, "new": 1100, "change": 100}


def test_files_that_are_no_reports(lab: Lab) -> None:
    (lab.folder / "new.json").write_text(json.dumps(report(1, True)), encoding="utf-8")
    for content in ("", "[]", "{}", '{"peak": 1, "terms": 2}'):
        (lab.folder / "old.json").write_text(content, encoding="utf-8")
        done = lab.command("new.json", "--compare", "old.json")
        assert done.returncode == 2
        assert len(done.stderr.decode().strip().splitlines()) == 1
