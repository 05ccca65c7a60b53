"""Fixes: which fit together, what they leave of a file's form, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_scripts import BAD as SCRIPT

from trainlint.project.fixes import apply_edits, choose, fix, write
from trainlint.project.report import FileReport
from trainlint.project.session import Session
from trainlint.rules.finding import Edit, Finding, Fix, Safety
from trainlint.text.place import Span

from .conftest import Write

USELESS = "import torch\nx = 1  # trainlint: ignore[LR004]\ny = 2  # trainlint: ignore\n"


def finding(path: str, *edits: tuple[Span, str], safety: Safety = "safe", cell: int | None = None) -> Finding:
    made = Fix("Mend", safety, tuple(Edit(path, span, text) for span, text in edits))
    return Finding("LR004", "x-y", "x", "warning", "proved", "m", path, Span(1, 1, 1, 2), (), (made,), cell)


@pytest.mark.parametrize(
    ("text", "span", "new", "expected"),
    [
        ("ab\ncd\n", Span(2, 1, 2, 2), "X", "ab\nXd\n"),
        ("ab\r\ncd\r\n", Span(1, 1, 2, 1), "", "cd\r\n"),
        ("ab\r\ncd\r\n", Span(1, 1, 1, 1), "new\n", "new\r\nab\r\ncd\r\n"),
        ("é🔥b", Span(1, 3, 1, 4), "X", "é🔥X"),
        ("ab\n", Span(2, 1, 2, 1), "end\n", "ab\nend\n"),
        ("a\fb\x85c\nd", Span(2, 1, 2, 2), "X", "a\fb\x85c\nX"),
        ("", Span(1, 1, 1, 1), "x", "x"),
        ("ab\n", Span(1, 5, 1, 6), "x", None),
        ("ab\n", Span(4, 1, 4, 1), "x", None),
        ("ab\n", Span(1, 2, 1, 1), "x", None),
    ],
)
def test_one_edit(text: str, span: Span, new: str, expected: str | None) -> None:
    assert apply_edits(text, [Edit("/a.py", span, new)]) == expected


def test_only_what_fits_together_is_chosen() -> None:
    first = finding("/a.py", (Span(1, 1, 1, 5), "x"))
    overlapping = finding("/a.py", (Span(1, 4, 1, 8), "y"))
    inserting_at_its_end = finding("/a.py", (Span(1, 5, 1, 5), "z"))
    same = finding("/a.py", (Span(1, 1, 1, 5), "x"), (Span(9, 1, 9, 1), "w"))
    apart = finding("/a.py", (Span(1, 5, 1, 6), "v"))
    edits, count = choose([first, overlapping, inserting_at_its_end, same, apart], unsafe=False)
    assert count == 3
    assert [edit.text for _, edit in edits["/a.py"]] == ["x", "w", "v"]


def test_unsafe_only_when_asked() -> None:
    risky = finding("/a.py", (Span(1, 1, 1, 1), "x"), safety="unsafe")
    assert choose([risky], unsafe=False) == ({}, 0)
    assert choose([risky], unsafe=True)[1] == 1


def test_fixing_goes_on_until_nothing_is_left(write: Write) -> None:
    folder = write({"a.py": USELESS})
    session = Session([folder])
    path = str(folder / "a.py")
    fixed = fix(session, [session.check(path)], unsafe=False)
    assert [change.after for change in fixed.changes] == ["import torch\nx = 1\ny = 2\n"]
    assert fixed.applied == 2
    assert [report.findings for report in fixed.reports] == [()]
    assert (folder / "a.py").read_text() == USELESS, "nothing is written yet"


def test_a_fix_that_uncovers_another_needs_a_second_round(write: Write) -> None:
    folder = write({"a.py": SCRIPT.replace("lr=0.5)", "lr=1e-3)  # trainlint: ignore[LR004]")})
    session = Session([folder])
    path = str(folder / "a.py")
    fixed = fix(session, [session.check(path)], unsafe=False)
    (change,) = fixed.changes
    assert "cvtColor" in change.after
    assert "zero_grad" in change.after
    assert "ignore" not in change.after
    assert [report.findings for report in fixed.reports] == [()]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + USELESS.encode(),
        USELESS.replace("\n", "\r\n").encode(),
        b"# coding: latin-1\n# \xe9\n" + USELESS.encode(),
        USELESS.rstrip("\n").encode(),
    ],
    ids=["BOM", "CRLF", "latin-1", "no last line end"],
)
def test_the_form_of_the_file_is_kept(write: Write, raw: bytes) -> None:
    folder = write({"a.py": raw})
    session = Session([folder])
    path = str(folder / "a.py")
    fixed = fix(session, [session.check(path)], unsafe=False)
    assert write_all(session, fixed.changes) == []
    expected = raw.replace(b"  # trainlint: ignore[LR004]", b"").replace(b"  # trainlint: ignore", b"")
    assert (folder / "a.py").read_bytes() == expected


def write_all(session: Session, changes: object) -> list[tuple[str, str]]:
    return write(session, changes)  # type: ignore[arg-type]


def test_notebook_cells_are_fixed_in_place(write: Write) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# é"]},
        {"cell_type": "code", "metadata": {"b": 1, "a": 2}, "outputs": [], "source": ["%time\n", "import torch\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "!ls\nx = 1  # trainlint: ignore[LR004]\n"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["y = 1\n", "# trainlint: ignore[LR004]"]},
    ]
    text = json.dumps({"nbformat": 4, "cells": cells, "metadata": {}}, indent=2, ensure_ascii=False) + "\n"
    folder = write({"a.ipynb": text})
    session = Session([folder])
    path = str(folder / "a.ipynb")
    fixed = fix(session, [session.check(path)], unsafe=False)
    assert write_all(session, fixed.changes) == []
    cells[2]["source"] = "!ls\nx = 1\n"
    cells[3]["source"] = ["y = 1\n"]
    expected = json.dumps({"nbformat": 4, "cells": cells, "metadata": {}}, indent=2, ensure_ascii=False) + "\n"
    assert (folder / "a.ipynb").read_text(encoding="utf-8") == expected


def reported(path: Path, *edits: tuple[Span, str]) -> list[FileReport]:
    return [FileReport(str(path), (finding(str(path), *edits),))]


def test_a_fix_that_breaks_the_file_is_refused(write: Write) -> None:
    folder = write({"a.py": "import torch\nx = (1)\n"})
    session = Session([folder])
    fixed = fix(session, reported(folder / "a.py", (Span(2, 5, 2, 6), "")), unsafe=False)
    assert (fixed.changes, fixed.applied) == ((), 0)


def test_a_config_file_is_fixed_only_into_a_config_file(write: Write) -> None:
    folder = write({"pyproject.toml": "", "c.yaml": "lr: 0.1 # keep\n"})
    session = Session([folder])
    fixed = fix(session, reported(folder / "c.yaml", (Span(1, 5, 1, 8), "0.8")), unsafe=False)
    assert [change.after for change in fixed.changes] == ["lr: 0.8 # keep\n"]
    fixed = fix(Session([folder]), reported(folder / "c.yaml", (Span(1, 5, 1, 8), "[")), unsafe=False)
    assert fixed.changes == ()


def test_nothing_outside_the_workspace_is_touched(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "b.py"
    outside.write_text("x = 1\n")
    folder = write({"a.py": ""})
    fixed = fix(Session([folder]), reported(outside, (Span(1, 1, 1, 2), "y")), unsafe=False)
    assert fixed.changes == ()


def test_a_fix_over_two_files_is_all_or_nothing(write: Write) -> None:
    folder = write({"a.py": "import torch\nx = 1\n", "b.py": "import torch\ny = (1)\n"})
    a, b = str(folder / "a.py"), str(folder / "b.py")
    both = Fix("Mend", "safe", (Edit(a, Span(2, 1, 2, 2), "z"), Edit(b, Span(2, 5, 2, 6), "")))
    report = FileReport(a, (Finding("LR004", "x-y", "x", "warning", "proved", "m", a, Span(2, 1, 2, 2), (), (both,)),))
    assert fix(Session([folder]), [report], unsafe=False).changes == ()
