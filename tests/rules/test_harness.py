"""The comparison of findings with markers, the edits and the places, without any rule."""

from __future__ import annotations

from harness import absolute, apply_edits, distinct, mismatches
from literate import Marker

from trainlint.rules.finding import Edit, Finding
from trainlint.text.place import Span


def finding(line: int, id: str = "some-rule", message: str = "the message of `opt`", level: str = "error") -> Finding:
    return Finding("LP001", id, "loop", level, "proved", message, absolute("train.py"), Span(line, 1, line, 5))  # type: ignore[arg-type]


def test_a_finding_meets_its_marker() -> None:
    assert mismatches([finding(3)], [Marker("train.py", 3, "error", "some-rule", ("opt",))]) == []
    assert mismatches([finding(3)], [Marker("train.py", 3, "finding", "some-rule")]) == []


def test_what_differs_is_said() -> None:
    promised = Marker("train.py", 3, "error", "some-rule", ("opt",))
    assert mismatches([], [promised]) == ["train.py:3: some-rule is promised and not found"]
    assert len(mismatches([finding(4)], [promised])) == 2
    assert "unexpected error [other-rule]" in mismatches([finding(3), finding(3, "other-rule")], [promised])[0]
    assert "is of level warning" in mismatches([finding(3, level="warning")], [promised])[0]
    assert "lacks 'opt'" in mismatches([finding(3, message="no name")], [promised])[0]
    assert len(mismatches([finding(3), finding(3)], [promised])) == 1


def test_a_known_miss_that_is_found_asks_for_promotion() -> None:
    todo = Marker("train.py", 3, "todo", "some-rule", reason="needs the callee")
    assert mismatches([], [todo]) == []
    (problem,) = mismatches([finding(3)], [todo])
    assert "promote it to `# error: [some-rule]`" in problem


def test_edits_apply_together() -> None:
    path = absolute("train.py")
    edits = [Edit(path, Span(1, 1, 1, 1), "import cv2\n"), Edit(path, Span(2, 5, 2, 6), "wide")]
    assert apply_edits({"train.py": "é = 1\nx = 1\n"}, edits) == {"train.py": "import cv2\né = 1\nx = wide\n"}


def test_the_same_finding_counts_once() -> None:
    assert distinct([finding(4), finding(3), finding(4)]) == [finding(3), finding(4)]
