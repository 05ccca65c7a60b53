"""Edits for fixes: applied to the text they give the code that was meant."""

from __future__ import annotations

import pytest

from trainlint.syntax import edits, ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.text.lines import apply_edits
from trainlint.text.place import Span


def applied(document: Document, *changes: tuple[Span, str] | None) -> str | None:
    index = document.line_index
    found = []
    for change in changes:
        if change is None:
            return None
        place, text = change
        start, end = index.offset(place.line, place.column), index.offset(place.end_line, place.end_column)
        found.append((start, end, text))
    return apply_edits(document.text, found)


def statement(document: Document, line: int) -> ir.Stmt:
    stack = list(document.module.body)
    while stack:
        stmt = stack.pop(0)
        if stmt.first_line == line:
            return stmt
        for name in ("body", "orelse", "final"):
            stack += getattr(stmt, name, [])
    raise AssertionError(f"no statement on line {line}")


def call(document: Document, line: int = 1) -> ir.Call:
    stmt = statement(document, line)
    assert isinstance(stmt, (ir.ExprStmt, ir.Assign))
    assert isinstance(stmt.value, ir.Call)
    return stmt.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f()", "f(x=1)"),
        ("f(a)", "f(a, x=1)"),
        ("f(a, b=2)", "f(a, b=2, x=1)"),
        ("f(a,)", "f(a, x=1,)"),
        ("f(\n    a,\n    b=2,\n)", "f(\n    a,\n    b=2, x=1,\n)"),
        ("f(\n    a,  # why\n)", "f(\n    a, x=1,  # why\n)"),
        ("f(\n    a  # why\n)", "f(\n    a, x=1  # why\n)"),
        ("f(*a, **b)", "f(*a, **b, x=1)"),
        ("f(g(1))", "f(g(1), x=1)"),
        ("f(( a ))", "f(( a ), x=1)"),
        ("f((a for a in b))", "f((a for a in b), x=1)"),
        ("f(a for a in b)", None),
    ],
)
def test_insert_argument(text: str, expected: str | None) -> None:
    document = Document(text)
    assert applied(document, edits.insert_argument(call(document), "x=1")) == expected


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a\nb\n", 2, "a\nnew\nb\n"),
        ("if a:\r\n\tb\r\n", 2, "if a:\r\n\tnew\r\n\tb\r\n"),
        ("for a in b:\n    c\n", 1, "new\nfor a in b:\n    c\n"),
        ("for a in b: c\n", 1, "new\nfor a in b: c\n"),
        ("@d\n@e(1)\ndef f():\n    pass\n", 3, "new\n@d\n@e(1)\ndef f():\n    pass\n"),
        ("x = (a,\n     b)\n", 1, "new\nx = (a,\n     b)\n"),
        ("if a: b\n", 1, "new\nif a: b\n"),
        ("a; b\n", 1, None),
        ("if a:\n    b\nelif c:\n    d\n", 3, None),
    ],
)
def test_insert_line_before(text: str, line: int, expected: str | None) -> None:
    document = Document(text)
    assert applied(document, edits.insert_line_before(statement(document, line), "new")) == expected


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a\nb", 2, "a\nb\nnew"),
        ("if a:\r\n    b  # why\r\nc\r\n", 2, "if a:\r\n    b  # why\r\n    new\r\nc\r\n"),
        ("x = (a,\n     b)\ny\n", 1, "x = (a,\n     b)\nnew\ny\n"),
        ("a; b\n", 1, None),
        ("if a:\n    b\n", 1, None),
    ],
)
def test_insert_line_after(text: str, line: int, expected: str | None) -> None:
    document = Document(text)
    assert applied(document, edits.insert_line_after(statement(document, line), "new")) == expected


def test_a_statement_on_the_line_of_its_header_shares_it() -> None:
    document = Document("if a: b\n")
    header = document.module.body[0]
    assert isinstance(header, ir.If)
    assert edits.insert_line_after(header.body[0], "new") is None
    assert edits.insert_line_before(header.body[0], "new") is None
    assert edits.delete_statement(header.body[0]) is None


def test_replace_wrap_and_delete() -> None:
    document = Document("x = f((a + b) * 2)\ny = 1  # gone\nz = 2\n")
    argument = call(document).args[0]
    assert applied(document, edits.replace(argument, "c")) == "x = f(c)\ny = 1  # gone\nz = 2\n"
    assert applied(document, *edits.wrap(argument, "g(", ")")) == "x = f(g((a + b) * 2))\ny = 1  # gone\nz = 2\n"
    assert applied(document, edits.delete_statement(statement(document, 2))) == "x = f((a + b) * 2)\nz = 2\n"


def test_source_over_several_lines() -> None:
    document = Document("if a:\r\n    x = f(1,\r\n          2)\r\n")
    assert edits.source(call(document, 2)) == "f(1,\n          2)"
    assert span(call(document, 2)) == Span(2, 9, 3, 13)
