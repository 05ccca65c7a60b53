"""Chunks, edits and columns agree with parsing the whole file: files of the standard library and of trainlint."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import libcst as cst
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from libcst.metadata import MetadataWrapper, PositionProvider

from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.syntax.lower import Lowering
from trainlint.text.skeleton import Skeleton, comments, scan

STDLIB = Path(sysconfig.get_paths()["stdlib"])
OWN = sorted((Path(__file__).parents[2] / "trainlint").rglob("*.py"))
FILES = [*random.Random(7).sample(sorted(STDLIB.glob("*.py")), 25), *OWN[::4]]
SNIPPETS = ["(", ")", '"', '"""', "\n", "    ", "if x:\n", "def f(\n", "x = 1\n", "# note", "\\\n", "else:\n", "@", ""]


def dump(node: object, lines: bool = True) -> object:
    """The IR as plain tuples; statements with their lines."""
    if isinstance(node, (list, tuple)):
        return [dump(item, lines) for item in node]
    if isinstance(node, (ir.Expr, ir.Stmt, ir.Param, ir.CompFor, ir.Handler, ir.Case)):
        hidden = {"stmt", "ord", "unit", "index", "line", "end", "__weakref__"}
        names = sorted({n for cls in type(node).__mro__ for n in getattr(cls, "__slots__", ())} - hidden)
        where = (node.first_line, node.last_line) if isinstance(node, ir.Stmt) and lines else ()
        return (type(node).__name__, *where, *((n, dump(getattr(node, n), lines)) for n in names))
    return repr(node)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def whole(text: str) -> list[ir.Stmt]:
    """The file lowered as one unit."""
    unit = ir.Unit(text, 1)
    lines = [(ll.line - 1, ll.end - 1) for ll in scan(text)[0]]
    return Lowering(unit, lines).module(list(cst.parse_module(text).body))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_chunks_give_what_the_whole_file_gives(path: Path) -> None:
    text = read(path)
    document = Document(text)
    assert document.broken == []
    assert dump(document.module.body) == dump(whole(text))


@pytest.mark.parametrize("path", FILES[::6], ids=lambda p: p.stem)
def test_columns_are_those_of_libcst(path: Path) -> None:
    text = read(path)
    module = cst.parse_module(text)
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    nodes: list[tuple[cst.CSTNode, int, int]] = []
    lines = [(ll.line - 1, ll.end - 1) for ll in scan(text)[0]]
    Lowering(ir.Unit(text, 1), lines, nodes).module(list(module.body))
    wanted = sorted(
        (p.start.line, p.start.column + 1, p.end.line, p.end.column + 1)
        for p in (positions[node] for node, _, ordinal in nodes if ordinal >= 0)
    )
    found = []
    for stmt in statements(Document(text).module.body):
        span(stmt)
        for (index, ordinal), (line, column, end, end_column) in (stmt.unit.spans or {}).items():
            if index == stmt.index and ordinal >= 0:
                found.append((stmt.unit.file_line(line - 1), column, stmt.unit.file_line(end - 1), end_column))
    assert sorted(found) == wanted
    assert found


def statements(block: list[ir.Stmt]) -> list[ir.Stmt]:
    result: list[ir.Stmt] = []
    for stmt in block:
        result.append(stmt)
        for name in ("body", "orelse", "final"):
            result += statements(getattr(stmt, name, None) or [])
        if isinstance(stmt, ir.Try):
            for handler in stmt.handlers:
                result += statements(handler.body)
        if isinstance(stmt, ir.Match):
            for case in stmt.cases:
                result += statements(case.body)
    return result


@pytest.mark.parametrize("seed", range(6))
def test_edits_give_what_a_fresh_document_gives(seed: int) -> None:
    chance = random.Random(seed)
    document = Document(read(FILES[seed * 5])[:6000])
    for _ in range(40):
        start = chance.randrange(len(document.text) + 1)
        end = min(len(document.text), start + chance.choice([0, 0, 1, 3, 30]))
        document.edit(start, end, chance.choice(SNIPPETS))
        fresh = Document(document.text)
        assert dump(document.module.body) == dump(fresh.module.body)
        assert document.broken == fresh.broken
        assert document.comments == fresh.comments


@pytest.mark.parametrize("seed", range(6))
def test_the_skeleton_follows_edits(seed: int) -> None:
    chance = random.Random(seed)
    skeleton = Skeleton(read(FILES[seed])[:4000])
    for _ in range(60):
        start = chance.randrange(len(skeleton.text) + 1)
        end = min(len(skeleton.text), start + chance.choice([0, 1, 10]))
        skeleton.edit(start, end, chance.choice([*SNIPPETS, "\r\n", "\r"]))
        assert [repr_line(ll) for ll in skeleton.lines] == [repr_line(ll) for ll in scan(skeleton.text)[0]]


def repr_line(line: object) -> tuple[object, ...]:
    return tuple(getattr(line, name) for name in ("line", "end", "indent", "keyword", "start", "stop"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.sampled_from(list("abxif:()[]{}'\"#\\\n\r\t =@.,01\0\ufeff\f")), max_size=120))
def test_any_text_gives_a_document(text: str) -> None:
    document = Document(text)
    for stmt in statements(document.module.body):
        assert 1 <= stmt.first_line <= stmt.last_line
        span(stmt)


@pytest.mark.parametrize(
    "broken",
    [
        "    if epoch ==\n",
        "    opt = torch.optim.Adam(\n",
        '    name = "run\n',
        "    def helper(self, \n",
        "    x = [1,\n",
    ],
)
def test_a_half_typed_statement_breaks_only_itself(broken: str) -> None:
    before = "class A:\n    def one(self):\n        return 1\n\n"
    after = "    def two(self):\n        return 2\n\n    def three(self):\n        return 3\n"
    names = [s.name for s in statements(Document(before + broken + after).module.body) if isinstance(s, ir.FunctionDef)]
    assert {"one", "two", "three"} <= set(names)


def test_no_node_of_libcst_outlives_the_parse() -> None:
    import gc

    document = Document(read(OWN[0]) + read(OWN[-1]))
    span(document.module.body[0])
    gc.collect()
    seen: set[int] = set()
    stack: list[object] = [document]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        assert not isinstance(item, cst.CSTNode)
        if type(item).__module__.startswith(("trainlint", "builtins")):
            stack += gc.get_referents(item)


def test_deep_nesting_is_a_broken_statement() -> None:
    for text in ("(" * 3000, "x = " + "1+" * 20000 + "1", "x = " + "-" * 20000 + "1", "x = a" + "()" * 5000):
        document = Document(f"import torch\n{text}\ny = 1\n")
        assert document.broken
        assert any(isinstance(s, ir.Assign) and s.last_line >= 3 for s in document.module.body)


def test_comments_are_found_outside_strings() -> None:
    text = 'x = "# no"  # yes\n# alone\ny = """\n# no\n"""\n'
    assert [(c.line, c.column, c.text, c.own_line) for c in comments(text)] == [
        (1, 13, "# yes", False),
        (2, 1, "# alone", True),
    ]
