"""Notebooks: cells, magics, line maps, and writing back."""

from __future__ import annotations

import ast
import json

import pytest

from trainlint.project.magics import UNKNOWN_CALL, neutralise
from trainlint.project.notebooks import Cell, NotNotebook, join_cells, read_notebook
from trainlint.text.place import Span


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if x:\n    !ls -l\n    y = 1", "if x:\n    pass\n    y = 1"),
        ("files = !ls", f"files = {UNKNOWN_CALL}"),
        ("a, b = %time f()", f"a, b = {UNKNOWN_CALL}"),
        ("x = %d % 3", f"x = {UNKNOWN_CALL}"),
        ("model?", "pass"),
        ("nn.Linear??", "pass"),
        ("?nn.Linear", "pass"),
        ("!pip install \\\n    torch\nx = 1", "pass\n\nx = 1"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("\n%%capture out\nx = 1", "\npass\nx = 1"),
        ("%%bash\necho it's\nls", "pass\n\n"),
        ("%%writefile train.py\nimport torch\n", "pass\n\n"),
        ("x = 7\\\n  % 3", "x = 7\\\n  % 3"),
        ('s = ("%d"\n     % x)', 's = ("%d"\n     % x)'),
        ('s = """\n%time\n!ls\n"""', 's = """\n%time\n!ls\n"""'),
        ("s = '''it's\n!ls'''\n!ls", "s = '''it's\n!ls'''\npass"),
        ("x = 'a # [' # (\n!ls", "x = 'a # [' # (\npass"),
        ("x = 'unclosed\n!ls", "x = 'unclosed\npass"),
        ("x = y if z else w  # why?", "x = y if z else w  # why?"),
        ("a != b", "a != b"),
        ("x\r\n!ls\r\n", "x\r\npass\r\n"),
        ("", ""),
    ],
)
def test_magics(source: str, expected: str) -> None:
    assert neutralise(source) == expected


def test_neutral_code_is_python() -> None:
    source = "%load_ext x\nimport torch\nif True:\n    !nvidia-smi\nnames = !ls *.py\ntorch?\n"
    ast.parse(neutralise(source))


CELLS = [
    Cell("markdown", "# Title"),
    Cell("code", "import torch\n"),
    Cell("code", ""),
    Cell("raw", "x"),
    Cell("code", "x = 1\ny = 2"),
]


def test_joined_lines_map_back() -> None:
    joined = join_cells(CELLS)
    assert joined.text == "import torch\n\n\nx = 1\ny = 2\n"
    assert [joined.locate(line) for line in range(1, 6)] == [(1, 1), (1, 2), (2, 1), (4, 1), (4, 2)]
    assert joined.line_of(4, 2) == 5
    assert joined.line_of(1, 1) == 1
    assert joined.last_lines() == [2, 3, 5]
    with pytest.raises(ValueError, match="not in list"):
        joined.line_of(0, 1)


def test_lines_in_messages_are_those_of_the_cells() -> None:
    joined = join_cells(CELLS)
    assert joined.retold("read at line 5, since line 1", 4) == "read at line 2, since line 1 of cell 1"
    assert joined.retold("`lr`, line 4", 4) == "`lr`, line 1"
    assert (
        joined.retold("data.py, line 4; line 400 is not of this file", 4)
        == "data.py, line 4; line 400 is not of this file"
    )


def test_spans_are_cut_at_the_end_of_the_cell() -> None:
    joined = join_cells(CELLS)
    assert joined.locate_span(Span(4, 1, 5, 4)) == (4, Span(1, 1, 2, 4))
    assert joined.locate_span(Span(2, 1, 3, 1)) == (1, Span(2, 1, 2, 1))
    assert joined.locate_span(Span(5, 1, 6, 1)) == (4, Span(2, 1, 2, 6))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_of_every_cell_is_found(newline: str) -> None:
    cells = [Cell("code", newline.join(["a", "", "b"])), Cell("code", newline), Cell("code", f"c{newline}")]
    joined = join_cells(cells)
    lines = joined.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for index, cell in enumerate(cells):
        for number, line in enumerate(cell.source.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
            at = joined.line_of(index, number)
            assert lines[at - 1] == line
            assert joined.locate(at) == (index, number)


def notebook(*sources: object, **more: object) -> dict[str, object]:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def test_source_as_text_and_as_list() -> None:
    found = read_notebook(json.dumps(notebook("a\nb", ["c\n", "d"])))
    assert [cell.source for cell in found.cells] == ["a\nb", "c\nd"]


def test_nbformat_3() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# x"},
        {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python", "outputs": []},
        {"cell_type": "code", "input": "puts 1", "language": "ruby", "outputs": []},
    ]
    text = json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3, "nbformat_minor": 0}, indent=1)
    found = read_notebook(text)
    assert found.cells == [Cell("markdown", "# x"), Cell("code", "x = 1\ny = 2"), Cell("raw", "puts 1")]
    assert json.loads(found.with_sources({1: "z = 3"}))["worksheets"][0]["cells"][1]["input"] == ["z = 3"]


def test_other_languages_are_no_code() -> None:
    julia = read_notebook(json.dumps(notebook("x", metadata={"language_info": {"name": "julia"}})))
    assert [cell.kind for cell in julia.cells] == ["raw"]
    kernel = read_notebook(json.dumps(notebook("x", metadata={"kernelspec": {"language": "R", "name": "ir"}})))
    assert [cell.kind for cell in kernel.cells] == ["raw"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import torch", "not JSON (line 1"),
        ('{"cells": [\n}', "not JSON (line 2"),
        ("[]", "no object"),
        ("{}", 'no list "cells"'),
        ('{"cells": [1]}', 'no list "cells"'),
        ('{"cells": {}}', 'no list "cells"'),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_no_notebook(text: str, words: str) -> None:
    with pytest.raises(NotNotebook) as caught:
        read_notebook(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(notebook("é = 1\n", ["b\n", "c"]), indent=1, ensure_ascii=False) + "\n",
        json.dumps(notebook("é = 1\n", ["b\n", "c"]), indent=2, ensure_ascii=True),
        json.dumps(notebook("a = 1\n", ["b\n", "c"]), indent="\t") + "\n\n",
        json.dumps(notebook("a = 1\n", ["b\n", "c"])),
        json.dumps(notebook("a = 1\n", ["b\n", "c"]), separators=(",", ":")) + "\n",
        "\ufeff" + json.dumps(notebook("a = 1\n", ["b\n", "c"]), indent=1).replace("\n", "\r\n"),
    ],
    ids=["indent 1", "escapes", "tabs", "one line", "compact", "BOM and CRLF"],
)
def test_writing_back_keeps_the_form(text: str) -> None:
    found = read_notebook(text)
    assert found.with_sources({}) == text
    assert found.with_sources({1: found.cells[1].source}) == text
    changed = found.with_sources({1: "b\nd\n"})
    assert changed != text
    again = json.loads(changed.removeprefix("\ufeff"))["cells"]
    assert again[1]["source"] == ["b\n", "d\n"]
    assert again[0] == json.loads(text.removeprefix("\ufeff"))["cells"][0]
