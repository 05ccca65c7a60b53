"""Documents: chunked equals whole, incremental equals from scratch, and IR objects that outlive edits."""

from __future__ import annotations

import gc
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import libcst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_dump import dump, whole
from python_text import edits, garbage, place, texts
from real_files import own_files, read, sample

from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.text.place import Span

FILES = [*own_files(), *sample(60)]


def state(document: Document) -> tuple[object, ...]:
    return dump(document.module), document.comments, document.broken


def parts(value: object, owner: ir.Stmt | None = None) -> Iterator[tuple[ir.Expr | ir.Stmt, ir.Stmt | None]]:
    """Every statement and expression below a value with the statement that holds it."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from parts(each, owner)
    elif type(value).__module__ == ir.__name__ and not isinstance(value, ir.Unit):
        if isinstance(value, (ir.Stmt, ir.Expr)):
            yield value, owner
        inner = value if isinstance(value, ir.Stmt) else owner
        names = {name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())} - {"stmt", "unit"}
        for name in sorted(names):
            if hasattr(value, name):
                yield from parts(getattr(value, name), inner)


def places(document: Document) -> list[Span]:
    return [span(part) for part, _ in parts(document.module.body)]


def check(document: Document, text: str) -> None:
    """The document is as if it had been opened with this text."""
    assert document.text == text
    assert state(document) == state(Document(text))
    for unit in document.units:
        lines = unit.text.count("\n") if "\r" not in unit.text else len(unit.source_lines()) - 1
        got = "\n".join(document.source_line(unit.line + n) for n in range(lines + 1))
        assert got == "\n".join(unit.source_lines()), "a unit is where it says"
    units = set(map(id, document.units))
    for part, owner in parts(document.module.body):
        if isinstance(part, ir.Stmt):
            assert id(part.unit) in units, "a statement is in a unit of the document"
        elif not isinstance(owner, (ir.Try, ir.Match)):
            assert part.stmt is owner, "an expression knows its statement"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_chunks_give_what_the_whole_file_gives(path: Path) -> None:
    text = read(path)
    expected = whole(text) if text is not None else None
    if text is None or expected is None:
        pytest.skip("not UTF-8, or not Python 3")
    document = Document(text)
    assert document.broken == []
    assert dump(document.module) == dump(expected)


@settings(max_examples=300, deadline=None)
@given(texts, edits)
def test_edits_give_what_a_fresh_document_gives(text: str, changes: list[tuple[float, float, str]]) -> None:
    document = Document(text)
    for change in changes:
        start, end, new = place(text, change)
        document.edit(start, end, new)
        text = text[:start] + new + text[end:]
        check(document, text)
    assert places(document) == places(Document(text))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(FILES), edits)
def test_edits_of_real_files_give_what_a_fresh_document_gives(
    path: Path, changes: list[tuple[float, float, str]]
) -> None:
    text = read(path) or ""
    document = Document(text)
    for at, size, new in changes:
        start, end, new = place(text, (at, size / 20, new))
        document.edit(start, end, new)
        text = text[:start] + new + text[end:]
        check(document, text)


def test_typing_a_file_line_by_line() -> None:
    text = (Path(libcst.__file__).parent / "tool.py").read_text(encoding="utf-8")[:12_000]
    document = Document("")
    typed = ""
    rng = random.Random(2)
    for line in text.splitlines(keepends=True):
        document.edit(len(typed), len(typed), line)
        typed += line
        if rng.random() < 0.1:
            check(document, typed)
    check(document, typed)


@settings(max_examples=300, deadline=None)
@given(st.one_of(garbage, st.text(max_size=120), st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))))
def test_any_text_gives_a_document(text: str) -> None:
    document = Document(text)
    assert document.text == text
    document.edit(0, 0, "x = 1\n")
    check(document, "x = 1\n" + text)


TRAINING = """import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 64, 3)

    def forward(self, x):
        return self.conv(x)


def main(args):
    lr = 0.1
    for epoch in range(10):
        if epoch > 5:
            lr = lr / 10
        else:
            print(epoch)
        train(lr)


main(1)
"""


def calls(document: Document) -> set[str]:
    text = dump(document.module)
    names = [line.split("=", 1)[1] for line in text.split("\n") if line.strip().startswith(("name=", "id="))]
    return set(names)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("if epoch > 5:", "if epoch >", set()),
        ("if epoch > 5:", "if epoch > 5", set()),
        ("lr = 0.1", "lr = foo(1, (2", set()),
        ("lr = 0.1", "lr = 'abc(", set()),
        ("lr = 0.1", 'lr = """abc', set()),
        ("lr = 0.1", "lr = torch.", set()),
        ("def main(args):", "def main(args", set()),
        ("def main(args):", "def", {"'main'", "'args'"}),
        ("def forward(self, x):", "def forward(self, ", {"'x'"}),
        ("class Net(torch.nn.Module):", "class Net(torch.nn.Module", {"'Module'"}),
        ("for epoch in range(10):", "for epoch in ", {"'range'"}),
        ("print(epoch)", "print(epoch", set()),
        ("super().__init__()", "super().__init__(", set()),
        ("self.conv = torch.nn.Conv2d(3, 64, 3)", "self.conv = torch.nn.Conv2d(3, 64", {"'Conv2d'"}),
    ],
)
def test_half_typed_code_keeps_the_rest(old: str, new: str, lost: set[str]) -> None:
    assert old in TRAINING
    before = calls(Document(TRAINING))
    document = Document(TRAINING)
    at = TRAINING.index(old)
    document.edit(at, at + len(old), new)
    check(document, TRAINING.replace(old, new, 1))
    assert len(document.broken) >= 1
    broken_line = TRAINING[:at].count("\n") + 1
    assert all(
        first == last == broken_line or document.source_line(first).strip() == "else:"
        for first, last in document.broken
    )
    broken_names = {repr(name) for name in _broken_names(document)}
    assert before - calls(document) - broken_names <= lost
    document.edit(at, at + len(new), old)
    assert document.broken == []
    check(document, TRAINING)


def _broken_names(document: Document) -> set[str]:
    names: set[str] = set()
    for unit in document.units:
        for stmt in unit.statements:
            if isinstance(stmt, ir.Broken):
                names.update(stmt.names)
    return names


def test_a_half_typed_definition_keeps_its_name_and_its_methods() -> None:
    document = Document(TRAINING.replace("def forward(self, x):", "def forward(self, "))
    net = document.module.body[1]
    assert isinstance(net, ir.ClassDef)
    functions = [stmt for stmt in net.body if isinstance(stmt, ir.FunctionDef)]
    assert [each.name for each in functions] == ["__init__", "forward"]
    assert [param.name for param in functions[1].params] == ["self"]
    assert isinstance(functions[1].body[0], ir.Return)


def test_the_body_of_a_half_typed_header_stays_in_its_place() -> None:
    document = Document("def f():\n    if epoch ==\n        step(1)\n    return 2\n")
    function = document.module.body[0]
    assert isinstance(function, ir.FunctionDef)
    assert [type(stmt) for stmt in function.body] == [ir.Broken, ir.ExprStmt, ir.Return]
    assert isinstance(function.body[0], ir.Broken)
    assert function.body[0].names == ("epoch",)


def statements(document: Document) -> list[ir.Stmt]:
    return [stmt for unit in document.units for stmt in unit.statements]


def test_unchanged_statements_keep_their_objects() -> None:
    text = "".join(f"def f{n}():\n    x = {n}\n" + "    y = 1\n" * 30 + "\n\n" for n in range(10))
    document = Document(text)
    before = document.module.body
    ids = {id(stmt) for stmt in statements(document)}
    at = text.index("x = 5")
    document.edit(at, at, "new = 0\n    ")
    after = document.module.body
    assert [a is b for a, b in zip(before, after, strict=True)] == [True] * 10
    assert len([stmt for stmt in statements(document) if id(stmt) not in ids]) < 25
    assert after[6].first_line == before[6].first_line == text[: text.index("def f6")].count("\n") + 2


def test_a_large_compound_keeps_its_object_when_its_body_changes() -> None:
    text = "class A:\n    def f(self):\n" + "        x = 1\n" * 40 + "    def g(self):\n        return 1\n"
    document = Document(text)
    before = document.module.body[0]
    assert isinstance(before, ir.ClassDef)
    f, g = before.body
    old_body = f.body  # type: ignore[attr-defined]
    document.edit(text.index("x = 1"), text.index("x = 1") + 1, "y")
    after = document.module.body[0]
    assert isinstance(after, ir.ClassDef)
    assert after is before
    assert after.body[0] is f
    assert after.body[1] is g
    assert f.body is not old_body  # type: ignore[attr-defined]
    check(document, text.replace("x", "y", 1))


def test_what_did_not_change_keeps_its_objects_in_a_piece_that_is_parsed_again() -> None:
    text = "x = 1\nclass A:\n    def f(self):\n        y = f(2)\n        return y\n\n    def g(self):\n        pass\n"
    document = Document(text)
    one, cls = document.module.body
    assert isinstance(cls, ir.ClassDef)
    f, g = cls.body
    assert isinstance(f, ir.FunctionDef)
    changed, stays = f.body
    at = text.index("2")
    for new in ("2, 3", "2, ", "2  # a note", "2"):
        document.edit(at, document.text.index("\n", at), f"{new})" if "#" not in new else "2)  # a note")
        assert document.module.body == [one, cls]
        assert cls.body == [f, g]
        assert f.body[1] is stays
    assert f.body[0] is not changed
    check(document, text)


def test_text_that_comes_back_brings_its_objects_back() -> None:
    text = "".join(f"x{n} = {n}\n" for n in range(60))
    document = Document(text)
    before = document.module.body
    document.edit(0, len(text), "y = 2\n")
    document.edit(0, 6, text)
    assert [a is b for a, b in zip(before, document.module.body, strict=True)] == [True] * 60


def test_the_same_text_twice_has_objects_of_its_own() -> None:
    function = "def f():\n" + "    x = 1\n" * 40
    document = Document(function * 3)
    found = statements(document)
    assert len({id(stmt) for stmt in found}) == len(found)
    assert [stmt.first_line for stmt in document.module.body] == [1, 42, 83]


def test_no_node_of_libcst_outlives_the_parse() -> None:
    document = Document(TRAINING * 3 + "x = foo(\n")
    document.edit(10, 10, "\ny = 1\n")
    seen: set[int] = set()
    stack: list[object] = [document]
    while stack:
        each = stack.pop()
        if id(each) in seen or isinstance(each, (type, type(gc))) or callable(each):
            continue
        seen.add(id(each))
        assert not isinstance(each, libcst.CSTNode)
        stack.extend(gc.get_referents(each))
    assert len(seen) > 300


def test_the_ir_can_be_pickled() -> None:
    document = Document(TRAINING)
    copy = pickle.loads(pickle.dumps(document.module))
    assert dump(copy) == dump(document.module)


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["1"] * 5000),
        "(" * 5000 + ")" * 5000,
        "[" * 5000,
        "-" * 20000 + "1",
        "x" + ".a" * 5000,
        "lambda: " * 5000 + "1",
        "not " * 5000 + "1",
        "f'{" + "(" * 5000 + ")" * 5000 + "}'",
        "if 1: pass\n" + "elif 2: pass\n" * 800,
        "\n".join(" " * n + "if 1:" for n in range(300)),
        "x = (\n" + "'a'\n" * 3000 + ")",
        "{1: " * 3000,
    ],
    ids=lambda text: text[:12].strip(),
)
def test_deep_nesting_ends_in_a_document(text: str) -> None:
    document = Document(text + "\ny = 1\n")
    last = document.module.body[-1]
    assert isinstance(last, ir.Assign)
    assert isinstance(last.value, ir.Const)
    assert last.value.value == 1


def test_blank_lines_and_comments_inside_a_chunk_move_what_follows() -> None:
    text = "x = 1\n# note\ny = 2\n"
    document = Document(text)
    at = text.index("# note")
    document.edit(at, at, "# more\n\n")
    check(document, "x = 1\n# more\n\n# note\ny = 2\n")


@pytest.mark.parametrize(
    "broken",
    [
        "    if epoch ==\n",
        "    opt = torch.optim.Adam(\n",
        '    name = "run\n',
        "    def helper(self, \n",
        "    x = [1,\n",
        "    @\n",
        '    """\n',
        "    \\\n",
        "    else:\n",
    ],
)
def test_methods_around_a_half_typed_line_stay_where_they_are(broken: str) -> None:
    before = "class A:\n    def one(self):\n        return 1\n\n"
    after = "    def two(self):\n        return 2\n\n    def three(self):\n        return 3\n"
    document = Document(before + broken + after)
    klass = document.module.body[0]
    assert isinstance(klass, ir.ClassDef)
    names = [each.name for each in klass.body if isinstance(each, ir.FunctionDef)]
    assert [name for name in names if name != "helper"] == ["one", "two", "three"]
