"""Hypothesis strategies for Python-like text and edits of it: valid lines and every kind of half-typed ones."""

from __future__ import annotations

from hypothesis import strategies as st

LINES = [
    "x = 1",
    "y = f(a, b=2)",
    "import torch",
    "from torch import nn",
    "if x > 1:",
    "elif y:",
    "else:",
    "for i in range(3):",
    "while True:",
    "try:",
    "except ValueError as e:",
    "finally:",
    "with open(p) as f:",
    "def g(a, *b, c=1, **d):",
    "class A(nn.Module):",
    "@decorated",
    "@a.b(c)",
    "return x",
    "async def h():",
    "match x:",
    "case 1:",
    "case [a, *b]:",
    "pass",
    "x = [1,",
    "2]",
    "y = (",
    ")",
    "z = {",
    "}",
    's = "abc',
    't = """doc',
    '"""',
    "u = '''",
    "v = f\"{x['a']}\"",
    "w = f'{a!r:>{n}} {b=}'",
    "# comment",
    "x = 1  # note",
    "x; y = 2",
    "if x: y = 1",
    "else: z = 2",
    "a = 1 + \\",
    "lambda: 0",
    "loss.backward()",
    "model(x)[0].item()",
    "del a, b",
    "global q",
    "raise E from e",
    "assert x, y",
    "if epoch ==",
    "def k(self, ",
    "x = f(1, g(2)",
    "type X[T] = list[T]",
    "print 'old'",
    "é = 'ü'",
    "except* A:",
    "\\",
    "'",
    '"',
    "x = 'it\\'s'",
    "@",
]
FRAGMENTS = [
    "\n",
    "\r\n",
    "\r",
    "    ",
    "\t",
    "  ",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "'''",
    "#",
    "\\",
    ":",
    ",",
    "=",
    "x",
    "if ",
    "def ",
    "class ",
    "\n    ",
    "\n        x = 1\n",
    "@",
    ";",
    "é",
    "😀",
    "\x0c",
    "\ufeff",
    "\0",
    'f"',
    "else:",
    "\nelse:\n",
]
INDENTS = ["", "", "    ", "    ", "        ", "            ", "  ", "\t"]

line = st.builds(lambda indent, text: indent + text, st.sampled_from(INDENTS), st.sampled_from([*LINES, ""]))
line_ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
texts = st.builds(
    lambda lines, end, last: end.join(lines) + (end if last else ""),
    st.lists(line, max_size=60),
    line_ends,
    st.booleans(),
)
garbage = st.text(st.sampled_from("".join(FRAGMENTS) + "abc1 \n\n"), max_size=200)
new_text = st.one_of(
    st.sampled_from(["", "", *FRAGMENTS]),
    st.builds(lambda each, end: each + end, line, line_ends),
    st.builds(lambda each: "\n".join(each), st.lists(line, max_size=12)),
)
# an edit: where it starts and how much it replaces, as fractions of the text
edit = st.tuples(st.floats(0, 1), st.floats(0, 1).map(lambda x: x**6), new_text)
edits = st.lists(edit, min_size=1, max_size=12)


def place(text: str, edit: tuple[float, float, str]) -> tuple[int, int, str]:
    """The offsets of an edit in a text."""
    at, size, new = edit
    start = int(at * len(text))
    return start, min(len(text), start + int(size * len(text))), new
