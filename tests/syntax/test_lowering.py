"""Every construct has its IR, with the values and orders that the analysis relies on."""

from __future__ import annotations

import warnings

import pytest
from ir_dump import dump

from trainlint.syntax import ir
from trainlint.syntax.document import Document


def one(text: str) -> ir.Stmt:
    document = Document(text)
    assert document.broken == []
    return document.module.body[0]


def value(text: str) -> ir.Expr:
    stmt = one(text)
    assert isinstance(stmt, ir.ExprStmt)
    return stmt.value


def show(expr: object) -> str:
    """An expression written back in a short form."""
    if isinstance(expr, ir.Const):
        return repr(expr.value)
    if isinstance(expr, ir.Name):
        return expr.id
    if isinstance(expr, (list, tuple)):
        return "(" + " ".join(show(each) for each in expr) + ")"
    if isinstance(expr, (ir.Expr, ir.CompFor, ir.Param, ir.Stmt, ir.Case, ir.Handler)):
        names = [name for cls in type(expr).__mro__ for name in getattr(cls, "__slots__", ())]
        hidden = {"unit", "index", "line", "end"} if isinstance(expr, ir.Stmt) else {"stmt", "ord", "expr"}
        return f"{type(expr).__name__}[" + " ".join(show(getattr(expr, n)) for n in sorted(set(names) - hidden)) + "]"
    return str(expr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1_000", 1000),
        ("0x_FF", 255),
        ("0b11", 3),
        ("0o17", 15),
        ("00", 0),
        ("1e-3", 0.001),
        ("1_0.5E1", 105.0),
        (".5", 0.5),
        ("2j", 2j),
        (str(10**40), 10**40),
        ("True", True),
        ("None", None),
        ("...", ...),
        ("'a\\n\\x41\\u00e9\\N{BULLET}\\101\\q'", "a\nAé•A\\q"),
        ("r'\\n'", "\\n"),
        ("b'\\x00\\n\\u0041'", b"\x00\n\\u0041"),
        ("Rb'\\n'", b"\\n"),
        ("'''a\\\nb\nc'''", "ab\nc"),
        ("('a' \"b\"\n 'c')", "abc"),
        ("b'a' b'b'", b"ab"),
        ("u'x'", "x"),
    ],
)
def test_literals(text: str, expected: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        literal = value(text)
    assert isinstance(literal, ir.Const)
    assert literal.value == expected
    assert type(literal.value) is type(expected)


def test_literals_with_carriage_returns_hold_newlines() -> None:
    stmt = one("x = '''a\r\nb\rc'''\r\n")
    assert isinstance(stmt, ir.Assign)
    assert isinstance(stmt.value, ir.Const)
    assert stmt.value.value == "a\nb\nc"


@pytest.mark.parametrize("text", ["9" * 5000, "'\\N{no such name}'"])
def test_literals_without_a_value(text: str) -> None:
    assert isinstance(value(text), ir.UnknownExpr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1", "UnaryOp[- 1]"),
        ("a.b(c, *d, e=f, **g)", "Call[(c Star[d]) Attr[b a] ((e f) (None g))]"),
        ("a < b <= c", "Compare[(b c) a (< <=)]"),
        ("a not in b is not c", "Compare[(b c) a (not in is not)]"),
        ("a + b * c", "BinOp[a + BinOp[b * c]]"),
        ("a + b - c", "BinOp[BinOp[a + b] - c]"),
        ("a @ b // c", "BinOp[BinOp[a @ b] // c]"),
        ("a and b or not c", "BoolOp[BoolOp[a and b] or UnaryOp[not c]]"),
        ("a[1]", "Subscript[1 a]"),
        ("a[1,]", "Subscript[Sequence[(1) tuple] a]"),
        ("a[1:2, ..., None]", "Subscript[Sequence[(Slice[1 None 2] Ellipsis None) tuple] a]"),
        ("a[*b]", "Subscript[Sequence[(Star[b]) tuple] a]"),
        ("(a, *b), [c], {d}", "Sequence[(Sequence[(a Star[b]) tuple] Sequence[(c) list] Sequence[(d) set]) tuple]"),
        ("{a: 1, **b}", "Dict[(a None) (1 b)]"),
        ("a if b else c", "IfExp[a c b]"),
        ("lambda a, *b: c", "Lambda[c (Param[None None normal a] Param[None None star b])]"),
        ("[a for b in c if d if e]", "Comp[(CompFor[(d e) False c b]) a None list]"),
        ("{a: b for c in d for e in f}", "Comp[(CompFor[() False d c] CompFor[() False f e]) b a dict]"),
        ("(a async for b in c)", "Comp[(CompFor[() True c b]) a None generator]"),
        ("f(a for b in c)", "Call[(Comp[(CompFor[() False c b]) a None generator]) f ()]"),
        ("(a := b)", "NamedExpr[a b]"),
        ("await a", "Await[a]"),
        ("yield", "Yield[False None]"),
        ("yield from a", "Yield[True a]"),
        ("f'a{{{b}c\\n'", "FString[(a{ b c\n)]"),
        ("rf'\\n{b}'", "FString[(\\n b)]"),
        ("'x' f'{a}' 'y'", "FString[(x a y)]"),
        ("t'{a}'", "FString[(a)]"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert show(value(text)) == expected


def test_a_formatted_value_is_not_its_string() -> None:
    string = value("f'{a!r} {b:>{c}.{d}} {e=} {g}'")
    assert isinstance(string, ir.FString)
    kinds = [type(part).__name__ for part in string.parts if not isinstance(part, str)]
    assert kinds == ["UnknownExpr", "UnknownExpr", "UnknownExpr", "Name"]
    assert "Unknown" in show(string)
    padded = string.parts[2]
    assert isinstance(padded, ir.UnknownExpr)
    assert show(padded.parts) == "(b c d)"


def test_parameters() -> None:
    function = one("def f(a, /, b: int = 1, *c, d, e=2, **g) -> None: pass")
    assert isinstance(function, ir.FunctionDef)
    assert [(p.name, p.kind) for p in function.params] == [
        ("a", "positional"),
        ("b", "normal"),
        ("c", "star"),
        ("d", "keyword"),
        ("e", "keyword"),
        ("g", "starstar"),
    ]
    assert [show(p.default) for p in function.params] == ["None", "1", "None", "None", "2", "None"]
    assert show(function.params[1].annotation) == "int"
    assert all(p.expr.id == p.name and p.expr.stmt is function for p in function.params)
    bare = one("def f(a, *, b): pass")
    assert isinstance(bare, ir.FunctionDef)
    assert [p.kind for p in bare.params] == ["normal", "keyword"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x: int", ir.AnnAssign),
        ("a = b = 1", ir.Assign),
        ("a @= b", ir.AugAssign),
        ("del a, b[0]", ir.Delete),
        ("raise A from b", ir.Raise),
        ("assert a, b", ir.Assert),
        ("import a.b as c, d", ir.Import),
        ("from ..a import (b as c, d)", ir.ImportFrom),
        ("from . import *", ir.ImportFrom),
        ("lazy import a", ir.Import),
        ("global a, b", ir.Scope),
        ("nonlocal a", ir.Scope),
        ("type X[T: int = str] = list[T]", ir.TypeAliasStmt),
        ("return", ir.Return),
        ("break", ir.Break),
        ("continue", ir.Continue),
        ("async def f[T, *U, **V](a: T): await a", ir.FunctionDef),
        ("class A[T](B, metaclass=M, **k): pass", ir.ClassDef),
        ("async with a as b, c: pass", ir.With),
        ("with (a as b, c as (d, e),): pass", ir.With),
        ("async for a, *b in c: pass\nelse: pass", ir.For),
        ("while a: pass\nelse: pass", ir.While),
        ("try: pass\nexcept* (A, B) as e: pass\nelse: pass\nfinally: pass", ir.Try),
        ("try: pass\nexcept A, B: pass", ir.Try),
    ],
)
def test_statements(text: str, kind: type[ir.Stmt]) -> None:
    assert type(one(text)) is kind


def test_statement_parts() -> None:
    assert show(one("a @= b")) == "AugAssign[@ a b]"
    assert show(one("del a, b[0]")) == "Delete[(a Subscript[0 b])]"
    assert show(one("del (a, b)")) == "Delete[(Sequence[(a b) tuple])]"
    assert show(one("import a.b as c, d")) == "Import[((a.b c) (d None))]"
    assert show(one("from ..a import (b as c, d)")) == "ImportFrom[2 a ((b c) (d None))]"
    assert show(one("from . import *")) == "ImportFrom[1  None]"


def test_elif_is_an_if_alone_in_orelse() -> None:
    stmt = one("if a: x\nelif b: y\nelse: z")
    assert isinstance(stmt, ir.If)
    inner = stmt.orelse[0]
    assert isinstance(inner, ir.If)
    assert (stmt.first_line, inner.first_line) == (1, 2)
    assert show(inner.orelse) == "(ExprStmt[z])"


def test_match() -> None:
    text = (
        "match a:\n case 1: pass\n case None: pass\n case B(c, d=[e, *f], g={'h': i, **j}) as k if l: pass\n"
        " case M.x | 'y': pass\n case _: pass\n"
    )
    stmt = one(text)
    assert isinstance(stmt, ir.Match)
    assert [show(case.pattern) for case in stmt.cases] == ["1", "None", "None", "None", "None"]
    assert stmt.cases[1].pattern is not None
    assert stmt.cases[2].pattern is None
    assert set(stmt.cases[2].binds) == {"c", "e", "f", "i", "j", "k"}
    assert show(stmt.cases[2].guard) == "l"
    assert stmt.cases[2].guard is not None
    assert stmt.cases[2].guard.stmt.first_line == 4


def test_ordinals_count_the_expressions_of_one_statement() -> None:
    text = "@d\ndef f(a=1):\n    x = g(a, b=2)\n    return x\n"
    first, second = (Document(text).module, Document("z = 0\n" + text).module)
    ordinals = [line.rpartition("#")[2] for line in dump(first).split("\n") if "#" in line]
    assert sorted(ordinals) == sorted([*"012", *"01234", "0"])
    assert ordinals == [line.rpartition("#")[2] for line in dump(second).split("\n") if "#" in line][2:]


def test_called_names_are_collected() -> None:
    document = Document("a(b.c(1), d[0]())\nfor x in y.z(): pass\n")
    assert set().union(*(unit.called for unit in document.units)) == {"a", "c", "z"}
