"""The skeleton: logical lines and comments, whole and over edits."""

from __future__ import annotations

import io
import tokenize

import pytest
from hypothesis import given, settings
from python_text import edits, garbage, place, texts
from real_files import own_files, read, sample

from trainlint.text.skeleton import Skeleton, comments


def lines_of(text: str) -> list[tuple[int, int, int, str]]:
    return [(line.line, line.end, line.indent, line.keyword) for line in Skeleton(text).lines]


def state(skeleton: Skeleton) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    lines = [(each.line, each.end, each.indent, each.keyword, each.start, each.stop) for each in skeleton.lines]
    return lines, [tuple(each) for each in skeleton.comments()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ny = 2\n", [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ("x = (1,\n  2)\ny", [(1, 2, 0, "x"), (3, 3, 0, "y")]),
        ("x = 1 + \\\n  2\ny", [(1, 2, 0, "x"), (3, 3, 0, "y")]),
        ('"""a\n\nb"""\nx', [(1, 3, 0, ""), (4, 4, 0, "x")]),
        ("x = 'a\\\nb'\ny", [(1, 2, 0, "x"), (3, 3, 0, "y")]),
        ("x = 'a\\\r\nb'\r\ny", [(1, 2, 0, "x"), (3, 3, 0, "y")]),
        ("x\r\ny\rz", [(1, 1, 0, "x"), (2, 2, 0, "y"), (3, 3, 0, "z")]),
        ("if x:\n\ty\n\n  # c\n        z", [(1, 1, 0, "if"), (2, 2, 8, "y"), (5, 5, 8, "z")]),
        ("\ufeffx\n\x0c  y", [(1, 1, 0, "x"), (2, 2, 2, "y")]),
        ("x = rb'\\'' + Rb\"#\"\ny", [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ("x\0y\nz", [(1, 1, 0, "x"), (2, 2, 0, "z")]),
        ("@a.b\ndef f():\n  pass", [(1, 1, 0, "@"), (2, 2, 0, "def"), (3, 3, 2, "pass")]),
        ('x = f"{d["("]}"\ny', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ('x = f"{d["#"]} {e["("]:>{w["["]}}"\ny', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ('x = f"{f(a,\n  "b")}"\ny', [(1, 2, 0, "x"), (3, 3, 0, "y")]),
        ('x = f"{{"\ny = f"{a}}}"', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ("été = 1\n", [(1, 1, 0, "été")]),
        ("a = (b\n     @ c)\nd", [(1, 2, 0, "a"), (3, 3, 0, "d")]),
        ("", []),
    ],
)
def test_logical_lines(text: str, expected: list[tuple[int, int, int, str]]) -> None:
    assert lines_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # an open bracket ends where the next statement evidently begins
        ("def f(a,\ndef g():\n  pass", [(1, 1, 0, "def"), (2, 2, 0, "def"), (3, 3, 2, "pass")]),
        ("  x = f(\n  return 1\ny", [(1, 1, 2, "x"), (2, 2, 2, "return"), (3, 3, 0, "y")]),
        # a comprehension and a conditional expression go on
        ("x = [a\nfor a in b\nif a\nelse 1]\ny", [(1, 4, 0, "x"), (5, 5, 0, "y")]),
        # an unclosed string breaks only its own line, brackets in it do not count
        ("x = 'abc(\ny = 1", [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ('x = """abc(\ny = 1', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ('x = f("""abc\ny = 1', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
        ('x = f"{a["b\ny = 1', [(1, 1, 0, "x"), (2, 2, 0, "y")]),
    ],
)
def test_half_typed(text: str, expected: list[tuple[int, int, int, str]]) -> None:
    assert lines_of(text) == expected


def test_comments() -> None:
    text = "# one\nx = 1  # two\ny = (  # three\n  # four\n)\nz = '# no'\nt = '''\n# no\n''' # five\n"
    assert [tuple(each) for each in comments(text)] == [
        (1, 1, "# one", True),
        (2, 8, "# two", False),
        (3, 8, "# three", False),
        (4, 3, "# four", True),
        (9, 5, "# five", False),
    ]


@pytest.mark.parametrize("path", [*own_files()[:20], *sample(25)], ids=lambda path: path.name)
def test_comments_are_those_of_the_tokenizer(path: object) -> None:
    text = read(path)  # type: ignore[arg-type]
    if text is None:
        pytest.skip("not UTF-8")
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        pytest.skip("not valid for this interpreter")
    expected = [(t.start[0], t.start[1] + 1, t.string) for t in tokens if t.type == tokenize.COMMENT]
    assert [(each.line, each.column, each.text) for each in comments(text)] == expected


@settings(max_examples=300, deadline=None)
@given(texts, edits)
def test_the_skeleton_follows_edits(text: str, changes: list[tuple[float, float, str]]) -> None:
    skeleton = Skeleton(text)
    for change in changes:
        start, end, new = place(text, change)
        before = skeleton.lines[:]
        count = len(before)
        i, j, k = skeleton.edit(start, end, new)
        text = text[:start] + new + text[end:]
        assert skeleton.text == text
        assert state(skeleton) == state(Skeleton(text))
        assert skeleton.lines[:i] == before[:i]
        assert skeleton.lines[k:] == before[j:]
        assert len(skeleton.lines) == count + k - j


@settings(max_examples=200, deadline=None)
@given(garbage, edits)
def test_any_text(text: str, changes: list[tuple[float, float, str]]) -> None:
    skeleton = Skeleton(text)
    for change in changes:
        start, end, new = place(text, change)
        skeleton.edit(start, end, new)
        text = text[:start] + new + text[end:]
        assert state(skeleton) == state(Skeleton(text))
    for line in skeleton.lines:
        assert text[line.start : line.stop].strip(), "a logical line holds something"


def test_a_triple_quote_opened_far_above_is_seen_by_the_edit_that_closes_it() -> None:
    text = 'x = """\n' + "y = 1\n" * 50
    skeleton = Skeleton(text)
    assert len(skeleton.lines) == 51
    skeleton.edit(len(text), len(text), '"""\n')
    assert len(skeleton.lines) == 1
    skeleton.edit(len(text), len(text) + 3, "")
    assert len(skeleton.lines) == 51
