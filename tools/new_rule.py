"""Starts a rule: `python tools/new_rule.py grad-not-cleared loop` writes the rule file and its page."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from catalogue import FAMILIES, codes, folder, next_code

ROOT = Path(__file__).resolve().parent.parent

RULE = '''"""TODO: what is found, as a sentence.

## What it does
Reports TODO.

## Why it matters
TODO.

## Example
```py
optimizer = torch.optim.SGD(model.parameters(), lr=-1.0)  # {level}: [{id}]
```
Use instead: TODO.

## When it stays silent
On anything that it does not know.
"""

from collections.abc import Iterator

from trainlint.rules.api import Draft, Optimizer, finding, rule


@rule("{id}", code="{code}", family="{family}", level="{level}", since="{since}")
def check(optimizer: Optimizer) -> Iterator[Draft]:
    if False:  # TODO: the proof that it is wrong
        yield finding(optimizer, "TODO: what is, with the values")
'''

PAGE = """# {id}

## Prelude
```py
import torch
from torch import nn

model = nn.Linear(10, 2)
```

## Fires
```py
optimizer = torch.optim.SGD(model.parameters(), lr=-1.0)  # {level}: [{id}]
```

## Near misses
TODO: why this one is right.
```py
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
```
"""


class Refused(Exception):
    """The rule cannot be started; the message says why."""


def start(root: Path, id: str, family: str, level: str = "warning", code: str | None = None) -> list[Path]:
    """Write the two files of a new rule below `root` and give their paths. Raises Refused."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", id):
        raise Refused(f"{id!r} is not an id: words in small letters with hyphens between, such as grad-not-cleared")
    if re.match(r"(no|avoid|check)-", id):
        raise Refused(f"{id!r}: an id names the pattern that is found and reads after `allow`")
    if family not in FAMILIES:
        raise Refused(f"{family!r} is not a family; the families are {', '.join(FAMILIES)}")
    code = code or next_code(root, family)
    if not re.fullmatch(FAMILIES[family] + r"\d{3}", code):
        raise Refused(f"{code!r} is not a code of {family}: {FAMILIES[family]} and three digits")
    if code in codes(root):
        raise Refused(f"{code} is the code of {codes(root)[code].stem}")
    home = folder(root, family)
    stem = id.replace("-", "_")
    existing = next((root / "trainlint" / "rules").glob(f"*/{stem}.py"), None)
    if existing is not None:
        raise Refused(f"{existing.relative_to(root).as_posix()} exists")
    home.mkdir(exist_ok=True)
    (home / "__init__.py").touch()
    values = {"id": id, "family": family, "level": level, "code": code, "since": _since(root)}
    written = []
    for suffix, template in ((".py", RULE), (".md", PAGE)):
        path = home / f"{stem}{suffix}"
        text = template
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _since(root: Path) -> str:
    """The version in work, without its patch number."""
    text = (root / "trainlint" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "(\d+\.\d+)', text)
    if found is None:
        raise Refused("trainlint/__init__.py states no version")
    return found[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id", help="kebab-case, names the pattern that is found")
    parser.add_argument("family", help=", ".join(FAMILIES))
    parser.add_argument("--level", choices=("error", "warning", "info", "hint"), default="warning")
    parser.add_argument("--code", help="instead of the next free code of the family")
    args = parser.parse_args()
    try:
        written = start(ROOT, args.id, args.family, args.level, args.code)
    except Refused as problem:
        print(problem, file=sys.stderr)
        return 2
    for path in written:
        print(f"wrote {path.relative_to(ROOT).as_posix()}")
    print(f"next: write the page, then `just t {args.id}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
