"""Reads the Markdown page of a rule into cases: programs made of code blocks, with the findings they promise.

The form, by example (`~~~` stands for the fence):

    ## Fires
    ~~~py
    optimizer.step()  # error: [grad-not-cleared] name=optimizer
    ~~~

* Markers: `# error: [id]`, `# warning: [id]`, `# info: [id]`, `# hint: [id]` on the line where the finding starts;
  `# finding: [id]` for any level.  The `name=value` words behind a marker give values that the message must contain
  (quoted as in a shell where they hold spaces).  `# todo: [id] reason` is a known miss: it must *not* be found yet.
  Markers are cut out before the code is analysed.  A block without markers promises no finding of any rule.
* A line `` `helper.py` `` above a block names its file.  Blocks that follow each other with no prose between them form
  one program as long as they have names; a block without a name is `train.py` and ends the program.
  Blocks of `yaml`, `json` and `toml` are data files and need a name.
* `py prelude`, or a block below `## Prelude`, is put in front of every block without a name, except `py plain`.
* `py base` is the version of the next block's file at the git base.
* Below `## Fix`, `py before` is followed by `py after`: what the first fix of the rule makes of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

SECTIONS = ("Fires", "Near misses", "Known misses", "Fix", "Prelude")
DEFAULT_FILE = "train.py"
LANGUAGES = {"py": ".py", "python": ".py", "yaml": ".yaml", "yml": ".yml", "toml": ".toml", "json": ".json"}
ROLES = frozenset({"prelude", "base", "before", "after", "plain"})

_FENCE = re.compile(r"^(`{3,}|~{3,})\s*(.*?)\s*$")
_NAME = re.compile(r"^`([\w./-]+\.\w+)`:?$")
_MARKER = re.compile(r"#\s*(error|warning|info|hint|finding|todo):\s*\[([a-z0-9-]+)\]([^#]*)")


class PageError(Exception):
    """A page that does not keep to the form. The message names the 1-based line of the page."""


@dataclass(frozen=True)
class Marker:
    """A promised finding. `line` is 1-based in the file as it is analysed (the prelude counted)."""

    path: str
    line: int
    level: str
    id: str
    words: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_todo(self) -> bool:
        return self.level == "todo"


@dataclass(frozen=True)
class Block:
    """A fenced block as written. `line` is the 1-based line of the page where its content starts."""

    section: str
    language: str
    roles: frozenset[str]
    name: str | None
    text: str
    line: int
    after_prose: bool


@dataclass(frozen=True)
class Case:
    """One program of a page. `after` holds the files that the fix must give, for a case of the section Fix."""

    section: str
    line: int
    files: dict[str, str]
    entry: str
    markers: tuple[Marker, ...] = ()
    base: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    prelude_lines: int = 0

    @property
    def name(self) -> str:
        return f"{self.section.lower().replace(' ', '_')}-L{self.line}"


@dataclass(frozen=True)
class Page:
    cases: tuple[Case, ...]
    prelude: str = ""

    def section(self, name: str) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.section == name)


def read_page(text: str) -> Page:
    """The cases of a page. Raises PageError."""
    blocks = list(_blocks(text))
    prelude = "".join(b.text for b in blocks if _is_prelude(b))
    groups = _programs(b for b in blocks if not _is_prelude(b))
    return Page(tuple(_case(group, prelude) for group in groups), prelude)


def read_example(docstring: str, prelude: str) -> tuple[Case, ...]:
    """The code blocks of a rule's docstring as cases, under the prelude of its page."""
    blocks = (replace(b, section="docstring") for b in _blocks(docstring, sections=None) if b.section == "Example")
    return tuple(_case(group, prelude) for group in _programs(blocks))


def read_markers(text: str, path: str) -> tuple[str, tuple[Marker, ...]]:
    """The text without its markers, and the markers."""
    lines, markers = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        first = _MARKER.search(line)
        if first is None:
            lines.append(line)
            continue
        for match in _MARKER.finditer(line):
            markers.append(_marker(path, number, *match.groups()))
        lines.append(line[: first.start()].rstrip())
    return "\n".join(lines), tuple(markers)


def _marker(path: str, line: int, level: str, id: str, rest: str) -> Marker:
    if level == "todo":
        if not rest.strip():
            raise PageError(f"{path}:{line}: a todo marker states the reason of the miss")
        return Marker(path, line, level, id, reason=rest.strip())
    words = []
    for word in shlex.split(rest):
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise PageError(f"{path}:{line}: expected name=value behind the marker, not {word!r}")
        words.append(value)
    return Marker(path, line, level, id, tuple(words))


def _is_prelude(block: Block) -> bool:
    return "prelude" in block.roles or block.section == "Prelude"


def _blocks(text: str, sections: tuple[str, ...] | None = SECTIONS) -> Iterator[Block]:
    section, name, prose = "", None, True
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        fence = _FENCE.match(line)
        if fence is None:
            if line.startswith("## "):
                section = line[3:].strip()
                if sections is not None and section not in sections:
                    raise PageError(
                        f"line {position}: unknown section {section!r}, expected one of {', '.join(SECTIONS)}"
                    )
                name, prose = None, True
            elif line.strip():
                named = _NAME.match(line.strip())
                name = named[1] if named else None
                prose = prose or named is None
            continue
        start = position
        while position < len(lines) and lines[position].strip() != fence[1]:
            position += 1
        if position == len(lines):
            raise PageError(f"line {start}: the block is never closed")
        language, roles = _info(fence[2], start)
        if language is not None:
            content = "".join(f"{inner}\n" for inner in lines[start:position])
            yield Block(section, language, roles, name, content, start + 1, prose)
        name, prose = None, False
        position += 1


def _info(info: str, line: int) -> tuple[str | None, frozenset[str]]:
    language, *words = info.split() or [""]
    if language not in LANGUAGES:
        return None, frozenset()
    unknown = set(words) - ROLES
    if unknown:
        raise PageError(
            f"line {line}: unknown word {min(unknown)!r} behind the fence, expected {', '.join(sorted(ROLES))}"
        )
    return ("py" if language == "python" else language), frozenset(words)


def _programs(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Groups blocks: a group ends at prose, after a block without a name, or where a file name comes again."""
    group: list[Block] = []
    seen: set[tuple[str | None, frozenset[str]]] = set()
    closed = False
    for block in blocks:
        key = (block.name, block.roles & {"base", "before", "after"})
        if group:
            pending = bool(group[-1].roles & {"base", "before"})
            together = not block.after_prose and not closed and block.section == group[-1].section
            if not (pending or together) or key in seen:
                yield group
                group, seen = [], set()
        group.append(block)
        seen.add(key)
        closed = block.name is None and not block.roles & {"base", "before"}
    if group:
        yield group


def _case(group: list[Block], prelude: str) -> Case:
    first = group[0]
    if not first.section:
        raise PageError(f"line {first.line}: the block stands above the first section")
    files: dict[str, str] = {}
    base: dict[str, str] = {}
    after: dict[str, str] = {}
    markers: list[Marker] = []
    entry = ""
    prelude_lines = 0
    for block in group:
        if block.language != "py" and block.name is None:
            raise PageError(f"line {block.line}: a data file needs its name in a line above the block")
        path = block.name or DEFAULT_FILE
        with_prelude = block.name is None and "plain" not in block.roles
        text, found = read_markers((prelude if with_prelude else "") + block.text, path)
        if "base" in block.roles:
            base[path] = text
        elif "after" in block.roles:
            after[path] = text
        else:
            files[path] = text
            markers.extend(found)
            if path.endswith(".py"):
                entry = path
                prelude_lines = prelude.count("\n") if with_prelude else 0
    if not entry:
        raise PageError(f"line {first.line}: a program without a Python file")
    if (first.section == "Fix") != bool(after):
        raise PageError(f"line {first.line}: `before` and `after` blocks come in pairs, below Fix and nowhere else")
    return Case(first.section, first.line, files, entry, tuple(markers), base, after, prelude_lines)
