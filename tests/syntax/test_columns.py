"""Exact places: equal to libcst's own positions on real files, and right for half-typed code."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from real_files import own_files, read, sample

from trainlint.syntax import ir
from trainlint.syntax.columns import argument_list_end, keyword_span, span
from trainlint.syntax.document import Document
from trainlint.syntax.edits import source
from trainlint.syntax.lower import Lowering
from trainlint.syntax.parse import Parsed, parse
from trainlint.text.place import Span
from trainlint.text.skeleton import Skeleton

FILES = [*own_files()[::3], *sample(30, 30_000)]


def expressions(value: object) -> list[ir.Expr]:
    """Every expression under an IR object, and under its statements."""
    found: list[ir.Expr] = []
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, (list, tuple)):
            stack.extend(each)
        elif isinstance(each, (ir.Module, ir.Stmt, ir.Expr, ir.CompFor, ir.Param, ir.Handler, ir.Case)):
            if isinstance(each, ir.Expr):
                found.append(each)
            names = {name for cls in type(each).__mro__ for name in getattr(cls, "__slots__", ())}
            stack.extend(getattr(each, name) for name in names - {"unit", "stmt", "__weakref__"})
    return found


def statements(block: list[ir.Stmt]) -> list[ir.Stmt]:
    found: list[ir.Stmt] = []
    for stmt in block:
        found.append(stmt)
        for name in ("body", "orelse", "final"):
            found += statements(getattr(stmt, name, []))
        for name in ("handlers", "cases"):
            for clause in getattr(stmt, name, ()):
                found += statements(clause.body)
    return found


def expected_places(text: str, parsed: Parsed) -> list[tuple[tuple[str, bool], Span]]:
    """Kind and place of every expression of a file, from one lowering of the whole and PositionProvider."""
    wrapper = MetadataWrapper(parsed.module, unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    nodes: dict[tuple[int, int], cst.CSTNode] = {}
    unit = ir.Unit(text, 1)
    lines = [(line.line - 1, line.end - 1) for line in Skeleton(text).lines]
    module = ir.Module(Lowering(unit, lines, nodes).statements(parsed.nodes))
    places = []
    for expr in expressions(module):
        place = positions[nodes[expr.stmt.index, expr.ord]]
        start, end = place.start, place.end
        places.append((type(expr).__name__, Span(start.line, start.column + 1, end.line, end.column + 1)))
    return sorted(places)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_columns_are_those_of_libcst(path: Path) -> None:
    text = read(path)
    parsed = parse(text) if text is not None else None
    if text is None or not isinstance(parsed, Parsed) or "\r" in text:
        pytest.skip("not UTF-8, or not Python 3")
    found = sorted((type(expr).__name__, span(expr)) for expr in expressions(Document(text).module))
    assert found == expected_places(text, parsed)


@pytest.mark.parametrize("path", own_files()[::9], ids=lambda path: path.name)
def test_places_of_statements(path: Path) -> None:
    text = read(path)
    assert text is not None
    document = Document(text)
    lines = text.split("\n")
    for stmt in statements(document.module.body):
        place = span(stmt)
        assert (place.line, place.end_line) == (stmt.first_line, stmt.last_line)
        assert not lines[place.line - 1][: place.column - 1].strip() or isinstance(stmt, ir.Stmt)
        last = lines[place.end_line - 1]
        rest = last[place.end_column - 1 :].strip()
        if getattr(stmt, "body", None) is not None:
            assert last[place.end_column - 2] == ":"
        else:
            assert rest[:1] in ("", "#", ";")


def find(text: str, kind: type[ir.Expr], document: Document | None = None) -> list[str]:
    made = document or Document(text)
    return sorted(source(expr) for expr in expressions(made.module) if isinstance(expr, kind))


def test_parentheses_stand_outside() -> None:
    text = "x = (a + (b)) * (yield)\n"
    assert find(text, ir.BinOp) == ["(a + (b)) * (yield)", "a + (b)"]
    assert find(text, ir.Yield) == ["yield"]


def test_headers_of_large_compounds() -> None:
    body = "".join(f"        x{n} = 1\n" for n in range(40))
    text = (
        ("@dec(1)\nclass A(B[0], metaclass=M):\n  if a(1):\n" + body + "  elif b(2):\n" + body + "  else:\n" + body)
        + ("  try:\n" + body + "  except (E, F(3)) as e:\n" + body + "  finally:\n" + body)
        + ("  match m(4):\n    case N.x if g(5):\n" + body + "    case None:\n" + body)
    )
    document = Document(text)
    assert document.broken == []
    assert len(document.units) > 12
    lines = text.split("\n")
    calls = [expr for expr in expressions(document.module) if isinstance(expr, ir.Call)]
    assert sorted(source(call) for call in calls) == ["F(3)", "a(1)", "b(2)", "dec(1)", "g(5)", "m(4)"]
    for call in calls:
        place = span(call)
        assert lines[place.line - 1][place.column - 1 : place.end_column - 1] == source(call)
    klass = document.module.body[0]
    assert isinstance(klass, ir.ClassDef)
    assert [source(stmt) for stmt in klass.body] == ["if a(1):", "try:", "match m(4):"]
    assert source(klass) == "class A(B[0], metaclass=M):"


def test_byte_order_mark_tabs_form_feeds_and_line_ends() -> None:
    for text in (
        "\ufeffx = f(1)\ny = g(2)",
        "if a:\r\n\tx = f(1)\r\n\ty = g(2)\r\n",
        "x = f(1)\r\ry = g(2)",
        "x=f(1)\n\x0c\ny=g(2)",
    ):
        document = Document(text)
        assert document.broken == []
        for call in expressions(document.module):
            if isinstance(call, ir.Call):
                place = span(call)
                line = document.source_line(place.line)
                assert line[place.column - 1 : place.end_column - 1] in ("f(1)", "g(2)")


def test_columns_count_code_points() -> None:
    document = Document("é = '😀'; f(x)\n")
    call = next(expr for expr in expressions(document.module) if isinstance(expr, ir.Call))
    assert span(call) == Span(1, 10, 1, 14)


def test_a_place_moves_with_its_unit() -> None:
    text = "x = 1\n" * 60 + "y = f(1)\n"
    document = Document(text)
    call = next(expr for expr in expressions(document.module) if isinstance(expr, ir.Call))
    assert span(call) == Span(61, 5, 61, 9)
    document.edit(0, 0, "\n\n")
    assert span(call) == Span(63, 5, 63, 9)
    assert any(expr is call for expr in expressions(document.module))


def test_a_broken_statement_has_its_line() -> None:
    document = Document("if a:\n    x = foo(  # no\n    y = 1\n")
    broken = next(stmt for stmt in statements(document.module.body) if isinstance(stmt, ir.Broken))
    assert span(broken) == Span(2, 5, 2, 19)


def test_keyword_arguments() -> None:
    document = Document("x = f(a, *b, lr = 1e-3,\n      **kw)\n")
    call = next(expr for expr in expressions(document.module) if isinstance(expr, ir.Call))
    assert keyword_span(call, 0) == Span(1, 14, 1, 23)
    assert keyword_span(call, 1) == Span(2, 7, 2, 11)


@pytest.mark.parametrize(
    ("text", "place", "comma", "last"),
    [
        ("f()", (1, 3), False, None),
        ("f( )", (1, 4), False, None),
        ("f(a, b=1)", (1, 9), False, (1, 6)),
        ("(f(a,))", (1, 6), True, (1, 4)),
        ("f(\n  a,\n  b=g(1),\n)", (4, 1), True, (3, 3)),
    ],
)
def test_end_of_an_argument_list(text: str, place: tuple[int, int], comma: bool, last: tuple[int, int] | None) -> None:
    document = Document(text)
    stmt = document.module.body[0]
    assert isinstance(stmt, ir.ExprStmt)
    assert isinstance(stmt.value, ir.Call)
    end = argument_list_end(stmt.value)
    assert end is not None
    assert (end.line, end.column) == place
    assert end.has_trailing_comma is comma
    assert (None if end.last is None else (end.last.line, end.last.column)) == last
