"""The reader of the Markdown pages and the comparison with the markers, without any rule."""

from __future__ import annotations

import pytest
from literate import Marker, PageError, read_example, read_markers, read_page

PAGE = """# some-rule

Prose.

## Prelude
```py
import torch
x = 1
```

## Fires
A plain one.
```py
step()  # error: [some-rule] name=opt text="two words"
```
`helper.py`
```py
a = 1
```

`conf.yaml`
```yaml
lr: 0.1
```
```py
b = 2  # warning: [some-rule] # info: [other-rule]
```
Words.
```py plain
c = 3  # finding: [some-rule]
```

## Near misses
```py base
d = 4
```
```py
d = 5
```
```text
not code
```

## Known misses
```py
e = 6  # todo: [some-rule] needs the callee
```

## Fix
```py before
f = 7
```
becomes
```py after
f = 8
```
"""


def test_sections_and_programs() -> None:
    page = read_page(PAGE)
    assert [case.section for case in page.cases] == ["Fires"] * 3 + ["Near misses", "Known misses", "Fix"]
    first, program, plain = page.section("Fires")
    assert first.files == {"train.py": "import torch\nx = 1\nstep()\n"}
    assert first.markers == (Marker("train.py", 3, "error", "some-rule", ("opt", "two words")),)
    assert list(program.files) == ["helper.py", "conf.yaml", "train.py"]
    assert program.files["helper.py"] == "a = 1\n"
    assert program.entry == "train.py"
    assert [(m.level, m.id) for m in program.markers] == [("warning", "some-rule"), ("info", "other-rule")]
    assert plain.files == {"train.py": "c = 3\n"}
    assert plain.markers[0].line == 1


def test_base_known_miss_and_fix() -> None:
    page = read_page(PAGE)
    (near,) = page.section("Near misses")
    assert near.base == {"train.py": "import torch\nx = 1\nd = 4\n"}
    assert near.files == {"train.py": "import torch\nx = 1\nd = 5\n"}
    (miss,) = page.section("Known misses")
    assert miss.markers[0].is_todo
    assert miss.markers[0].reason == "needs the callee"
    (fix,) = page.section("Fix")
    assert fix.files["train.py"].endswith("f = 7\n")
    assert fix.after == {"train.py": "import torch\nx = 1\nf = 8\n"}


def test_markers_are_cut_out_and_ordinary_comments_stay() -> None:
    text, markers = read_markers("lr = 0.1  # for batch 256  # error: [a-b]\ny = 2  # error: no brackets\n", "t.py")
    assert text == "lr = 0.1  # for batch 256\ny = 2  # error: no brackets\n"
    assert [m.id for m in markers] == ["a-b"]


def test_example_of_a_docstring_is_read_under_the_prelude() -> None:
    doc = "Sum.\n\n## What it does\nText.\n\n## Example\n```py\nstep()  # error: [some-rule]\n```\n"
    doc += "\n## Other\n```py\nno()\n```\n"
    (case,) = read_example(doc, "x = 1\n")
    assert case.files == {"train.py": "x = 1\nstep()\n"}
    assert case.markers[0].line == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("## Fires\n```py\nx = 1\n", "never closed"),
        ("## Fire\n", "unknown section"),
        ("## Fires\n```py befor\n```\n", "unknown word 'befor'"),
        ("## Fires\n```yaml\nx: 1\n```\n", "needs its name"),
        ("## Fires\n`a.yaml`\n```yaml\nx: 1\n```\n", "without a Python file"),
        ("## Fires\n```py\nx = 1  # todo: [some-rule]\n```\n", "states the reason"),
        ("## Fires\n```py\nx = 1  # error: [some-rule] word\n```\n", "expected name=value"),
        ("```py\nx = 1\n```\n", "above the first section"),
        ("## Fix\n```py\nx = 1\n```\n", "come in pairs"),
    ],
)
def test_a_page_out_of_form_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PageError, match=problem):
        read_page(text)
