"""Suppression comments: what they silence, and TR001 and TR002 with their fixes."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from trainlint.project import suppressions
from trainlint.project.fixes import apply_edits
from trainlint.rules.finding import Finding
from trainlint.rules.registry import OWN_CODES, all_rules
from trainlint.syntax.document import Document
from trainlint.text.place import Span

ALL = frozenset(all_rules()) | OWN_CODES.keys()


def at(line: int, end_line: int | None = None, code: str = "LR004") -> Finding:
    rule = all_rules()[code]
    span = Span(line, 1, end_line or line, 5)
    return Finding(code, rule.id, rule.family, rule.level, "proved", "m", "/a.py", span)


def judge(source: str, *findings: Finding, active: frozenset[str] = ALL, **more: object) -> list[Finding]:
    return suppressions.apply("/a.py", Document(source), findings, active, **more)  # type: ignore[arg-type]


def left(source: str, *findings: Finding, **more: object) -> list[tuple[str, int]]:
    return [(finding.code, finding.span.line) for finding in judge(textwrap.dedent(source), *findings, **more)]


@pytest.mark.parametrize(
    "comment",
    [
        "# trainlint: ignore[LR004]",
        "# trainlint: ignore[lr-out-of-range]",
        "# trainlint: ignore[learning-rate]",
        "# trainlint: ignore[LR]",
        "# trainlint: ignore[ALL]",
        "# trainlint: ignore[lr004]",
        "#trainlint:ignore[LR004]",
        "# trainlint: ignore [ LR004 ]",
        "# trainlint: ignore",
        "# trainlint: ignore, we mean it",
        "# trainlint: ignore[LR004] we mean it",
        "# noqa: E501  # trainlint: ignore[LR004]",
        "# trainlint: ignore[LR004]  # noqa: E501",
        "# TrainLint: Ignore[LR004]",
    ],
)
def test_on_the_line(comment: str) -> None:
    assert left(f"x = 1  {comment}\n", at(1)) == []


@pytest.mark.parametrize(
    "comment", ["# trainlint: ignored", "# trainlint: ignore-files[LR004]", "# trainlint ignore[LR004]", "# x"]
)
def test_no_suppression(comment: str) -> None:
    assert left(f"x = 1  {comment}\n", at(1)) == [("LR004", 1)]


def test_a_string_is_no_comment() -> None:
    assert left('x = "# trainlint: ignore[LR004]"\n', at(1)) == [("LR004", 1)]


def test_own_line_covers_the_next_code_line_only() -> None:
    source = """\
        # trainlint: ignore[LR004]

        # another comment
        x = 1
        y = 2
    """
    assert left(source, at(4)) == []
    assert left(source, at(5)) == [("LR004", 5), ("TR001", 1)]


def test_stacked_comments_all_count() -> None:
    source = "# trainlint: ignore[LR004]\n# trainlint: ignore[LP001]\nx = 1\n"
    assert left(source, at(3), at(3, code="LP001")) == []


def test_the_line_above_is_not_covered_by_a_trailing_comment() -> None:
    assert ("LR004", 2) in left("x = 1  # trainlint: ignore[LR004]\ny = 2\n", at(2))
    assert ("LR004", 1) in left("x = 1\ny = 2  # trainlint: ignore[LR004]\n", at(1))


CALL = "loader = DataLoader(\n    data,\n    batch_size=4,\n)\nx = 1\n"


@pytest.mark.parametrize("line", [1, 3, 4])
def test_a_statement_of_several_lines(line: int) -> None:
    """On its first or last line, or on the line of the finding itself."""
    lines = CALL.splitlines()
    lines[line - 1] += "  # trainlint: ignore[LR004]"
    assert left("\n".join(lines), at(3)) == []


def test_in_the_middle_of_a_statement() -> None:
    lines = CALL.splitlines()
    lines[1] += "  # trainlint: ignore[LR004]"
    assert ("LR004", 3) in left("\n".join(lines), at(3))
    assert left("\n".join(lines), at(1, 2)) == [], "the line where the finding ends"


def test_above_a_statement_and_above_an_argument() -> None:
    assert left("# trainlint: ignore[LR004]\n" + CALL, at(4)) == []
    lines = CALL.splitlines()
    lines.insert(2, "    # trainlint: ignore[LR004]")
    assert left("\n".join(lines), at(4)) == []
    assert ("LR004", 2) in left("\n".join(lines), at(2))


def test_above_a_loop_covers_its_header_only() -> None:
    source = "# trainlint: ignore[LR004]\nfor x in y:\n    z = 1\n"
    assert left(source, at(2)) == []
    assert ("LR004", 3) in left(source, at(3))


def test_whole_file() -> None:
    source = "x = 1\n# trainlint: ignore-file[LR004]\ny = 2\n"
    assert left(source, at(1), at(3), at(3, code="LP001")) == [("LP001", 3)]
    assert left("# trainlint: ignore-file\nx = 1\n", at(2)) == []


def test_findings_in_another_file_are_only_covered_by_the_whole_file() -> None:
    elsewhere = replace(at(1), path="/config.yaml")
    assert ("LR004", 1) in left("x = 1  # trainlint: ignore[LR004]\n", elsewhere)
    assert left("# trainlint: ignore-file[LR004]\nx = 1\n", elsewhere) == []


def test_cells_are_apart() -> None:
    source = "x = 1\n# trainlint: ignore[LR004]\ny = 2\n"
    assert left(source, at(3)) == []
    assert ("LR004", 3) in left(source, at(3), cell_ends=[2, 3])


def test_unused_is_reported() -> None:
    (finding,) = judge("x = 1  # trainlint: ignore[LR004]\n")
    assert (finding.code, finding.level, finding.family) == ("TR001", "info", "trainlint")
    assert finding.span == Span(1, 8, 1, 34)
    assert finding.fixes[0].safety == "safe"
    assert left("x = 1  # trainlint: ignore\n") == [("TR001", 1)]
    assert left("x = 1  # trainlint: ignore[]\n", at(1)) == [("LR004", 1), ("TR001", 1)]
    assert left("# trainlint: ignore-file[LR004]\nx = 1\n") == [("TR001", 1)]
    assert left("x = 1\n# trainlint: ignore[LR004]\n") == [("TR001", 2)]


def test_unused_is_not_claimed_where_it_is_not_known() -> None:
    source = "x = 1  # trainlint: ignore[LR004]\n"
    assert left(source, complete=False) == []
    assert left(source, active=frozenset({"TR001", "LP001"})) == [], "the rule did not run"
    assert left(source, active=ALL - {"TR001"}) == []
    assert left("x = 1  # trainlint: ignore[LR001]\n", left_out={"LR001"}) == [], "LR001 may need the git base"
    assert left("x = 1  # trainlint: ignore[LR001]\n") == [("TR001", 1)]


def test_it_can_be_silenced_by_name_only() -> None:
    assert left("x = 1  # trainlint: ignore[LR004, TR001]\n") == []
    assert left("# trainlint: ignore-file[TR001]\nx = 1  # trainlint: ignore[LR004]\n") == []
    assert left("# trainlint: ignore-file\nx = 1  # trainlint: ignore[LR004]\n") == [("TR001", 1), ("TR001", 2)]


def test_unknown_words() -> None:
    (silent, finding) = judge("x = 1  # trainlint: ignore[lr-out-of-rang]\n", at(1))
    assert silent.code == "LR004"
    assert (finding.code, finding.level) == ("TR002", "warning")
    assert "did you mean 'lr-out-of-range'" in finding.message
    assert left("x = 1  # trainlint: ignore[ZZ999, LR004]\n", at(1)) == [("TR002", 1)]
    (*_, finding) = judge("x = 1  # trainlint: ignore[LR004\n", at(1))
    assert (finding.code, "never closed" in finding.message) == ("TR002", True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1  # trainlint: ignore[LP001]\ny\n", "x = 1\ny\n"),
        ("x = 1  # trainlint: ignore[LP001] because\ny\n", "x = 1\ny\n"),
        ("x = 1  # noqa  # trainlint: ignore[LP001] because\n", "x = 1  # noqa\n"),
        ("x = 1  # trainlint: ignore[LP001]  # noqa\n", "x = 1  # noqa\n"),
        ("# trainlint: ignore[LP001]\nx = 1\n", "x = 1\n"),
        ("if x:\n    # trainlint: ignore[LP001]\n    y\n", "if x:\n    y\n"),
        ("# trainlint: ignore[LP001]", ""),
        ("x = 1  # trainlint: ignore[LP001, LR004] because\n", "x = 1  # trainlint: ignore[LR004] because\n"),
        ("x = 1  # trainlint: ignore[LP001,LR004,IM001]\n", "x = 1  # trainlint: ignore[LR004]\n"),
        ("x = 'é'  # trainlint: ignore[LP001]\r\ny\r\n", "x = 'é'\r\ny\r\n"),
    ],
)
def test_the_fix(source: str, expected: str) -> None:
    used = [at(1)] if "LR004" in source else []
    (finding,) = judge(source, *used)
    assert apply_edits(source, finding.fixes[0].edits) == expected
