"""Offsets, lines, columns in three encodings, and edits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.text.lines import LineIndex, apply_edits, units

chars = st.text(st.sampled_from("ab\n\r\t é😀\u2028\x0b"), max_size=40)


@given(chars, st.data())
def test_offset_and_position_are_inverse(text: str, data: st.DataObject) -> None:
    index = LineIndex(text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = index.position(offset)
    inside_crlf = text[offset - 1 : offset + 1] == "\r\n"
    assert index.offset(line, column) == (offset - 1 if inside_crlf else offset)


@given(chars)
def test_lines_are_those_of_python(text: str) -> None:
    index = LineIndex(text)
    assert [index.line(n + 1) for n in range(len(index.starts))] == text.replace("\r\n", "\n").replace(
        "\r", "\n"
    ).split("\n")


@given(chars, st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_encoded_columns_are_inverse(text: str, encoding: str, data: st.DataObject) -> None:
    index = LineIndex(text)
    line = data.draw(st.integers(1, len(index.starts)))
    column = data.draw(st.integers(1, len(index.line(line)) + 1))
    assert index.column_of(line, index.encoded_column(line, column, encoding), encoding) == column


def test_clamping() -> None:
    index = LineIndex("ab\r\ncd")
    assert index.offset(0, 5) == 0
    assert index.offset(1, 99) == 2
    assert index.offset(1, -3) == 0
    assert index.offset(9, 1) == 6
    assert index.position(99) == (2, 3)
    assert index.column_of(1, 99, "utf-16") == 3
    assert index.line(0) == index.line(3) == ""


def test_a_column_inside_a_surrogate_pair_means_its_start() -> None:
    index = LineIndex("a😀b")
    assert [index.column_of(1, n, "utf-16") for n in range(6)] == [1, 2, 2, 3, 4, 4]
    assert [index.column_of(1, n, "utf-8") for n in range(7)] == [1, 2, 2, 2, 2, 3, 4]
    assert index.encoded_column(1, 3, "utf-16") == 3
    assert units("😀", "utf-8") == 4


def test_apply_edits() -> None:
    assert apply_edits("abcdef", [(4, 5, "X"), (0, 1, ""), (2, 2, "1"), (2, 2, "2")]) == "b12cdXf"


@pytest.mark.parametrize("edits", [[(0, 3, ""), (2, 4, "")], [(3, 9, "")], [(2, 1, "")]])
def test_edits_that_make_no_sense_are_refused(edits: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("abcdef", edits)
