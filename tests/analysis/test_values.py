"""What the interpreter says of single expressions."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.analysis.program import Program
from trainlint.analysis.values import Range, Sym
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

PARSER = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--epochs', type=int, default=3)\n"


def said(source: str, name: str) -> str:
    """The words about the name `name` on the last line of a script."""
    document = Document(source)
    last = source.rstrip("\n").count("\n") + 1
    lines = Analyser(MemoryWorkspace({})).facts_at("/project/train.py", document, last)
    return next((line.partition(" → ")[2] for line in lines if line.startswith(f"{name} → ")), "")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 2 * 3 + 1\nprint(x)\n", "`7`"),
        ("x, y = 1, 2\nprint(x)\n", "`1`"),
        ("import cv2\nx = cv2.imread('a.png')\nprint(x)\n", '`UInt8[ndarray, "H W 3"]` · HWC · BGR · 0–255'),
        ("import cv2\nx = cv2.imread('a.png')[..., ::-1]\nprint(x)\n", '`UInt8[ndarray, "H W 3"]` · HWC · RGB · 0–255'),
        (
            "import cv2\nx = cv2.imread('a.png').transpose(2, 0, 1)\nprint(x)\n",
            '`UInt8[ndarray, "3 H W"]` · CHW · BGR · 0–255',
        ),
        ("import unknown\nx = unknown.f()\nprint(x)\n", "`?f(…)`"),
    ],
)
def test_words(source: str, expected: str) -> None:
    assert said(source, "x") == expected


def test_a_range_up_to_a_default_has_no_known_end() -> None:
    loop = "args = parser.parse_args()\nfor i in range(args.epochs):\n    print(i)\n"
    fixed = Program("/project/train.py", Document("for i in range(100):\n    print(i)\n"), MemoryWorkspace({}))
    fixed.interpret()
    assert repr(fixed.file.scope.names["i"]) == repr(Range(0, 99))
    overridable = Program("/project/train.py", Document(PARSER + loop), MemoryWorkspace({}))
    overridable.interpret()
    assert isinstance(overridable.file.scope.names["i"], Sym)
    # where memory is estimated, and in hovers, the defaults are taken
    assert said(PARSER + loop, "i") == "`0` or `1` or `2`"


@pytest.mark.parametrize(
    ("condition", "decided"),
    [
        # the first round, the first rank and an empty list happen
        ("import sys\nn = int(sys.argv[1])\nfor i in range(n):\n    x = i == 0\n    print(x)\n", None),
        ("import sys\nn = int(sys.argv[1])\nfor i in range(n):\n    x = i >= 0\n    print(x)\n", "`True`"),
        ("import sys\nn = int(sys.argv[1])\nfor i in range(-n, n):\n    x = i >= 0\n    print(x)\n", None),
        ("import sys\nn = int(sys.argv[1])\nfor i in range(n):\n    x = i + 1 > i\n    print(x)\n", "`True`"),
        ("import torch.distributed as dist\nx = dist.get_rank() == 0\nprint(x)\n", None),
        ("import sys\nx = len(sys.argv[1:]) == 0\nprint(x)\n", None),
    ],
)
def test_comparisons_with_a_symbol(condition: str, decided: str | None) -> None:
    answer = said(condition, "x")
    assert answer not in ("`True`", "`False`") if decided is None else answer == decided
