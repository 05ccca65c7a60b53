"""Runs the cases of a rule's page through the engine: whole, and typed in line by line."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterable, Sequence

from literate import Case, Marker
from memory_workspace import ROOT, MemoryWorkspace

from trainlint.memory.gpus import parse_memory
from trainlint.memory.target import Target, target_of
from trainlint.rules.engine import Analyser, Base
from trainlint.rules.finding import Edit, Finding
from trainlint.rules.registry import Rule, all_rules
from trainlint.syntax.document import Document
from trainlint.text.place import Span

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def absolute(name: str) -> str:
    return posixpath.join(ROOT, name)


def relative(path: str) -> str:
    return posixpath.relpath(path, ROOT)


def check_whole(case: Case, rules: Sequence[Rule] | None = None) -> list[Finding]:
    """The findings of every Python file of the case, in order, each once. A rule that crashes is an AssertionError."""
    return check_files(case.files, case.base, rules)


def check_files(files: dict[str, str], base: dict[str, str], rules: Sequence[Rule] | None = None) -> list[Finding]:
    analyser = Analyser(MemoryWorkspace(files))
    found: list[Finding] = []
    for name in files:
        if name.endswith(".py"):
            found += check_one(analyser, absolute(name), _base(files, base, name), rules)
    return distinct(found)


def check_one(analyser: Analyser, path: str, base: Base | None, rules: Sequence[Rule] | None = None) -> list[Finding]:
    document = analyser.workspace.document(path)  # type: ignore[attr-defined]
    chosen = list(all_rules().values()) if rules is None else rules
    found = analyser.check(path, document, chosen, base, _target(analyser.workspace))  # type: ignore[arg-type]
    for where, rule, error in analyser.failures:
        raise AssertionError(f"{rule} crashed on {where}:\n{document.text}") from error
    return found


def check_typed(case: Case) -> list[Finding]:
    """The findings after the entry was typed in line by line into one document, checked at each line."""
    workspace = MemoryWorkspace(case.files)
    analyser = Analyser(workspace)
    path = absolute(case.entry)
    document = Document("")
    workspace.open(path, document)
    base = _base(case.files, case.base, case.entry)
    found: list[Finding] = []
    for line in case.files[case.entry].splitlines(keepends=True):
        document.edit(len(document.text), len(document.text), line)
        found = check_one(analyser, path, base)
    assert document.text == case.files[case.entry]
    for name in case.files:
        if name.endswith(".py") and name != case.entry:
            found += check_one(analyser, absolute(name), _base(case.files, case.base, name))
    return distinct(found)


def _target(workspace: MemoryWorkspace) -> Target | None:
    """The GPU that a `trainlint.toml` of the case names."""
    settings = tomllib.loads(workspace.files.get(absolute("trainlint.toml"), ""))
    return target_of(settings.get("gpu"), parse_memory(settings["gpu-memory"]) if "gpu-memory" in settings else None)


def _base(files: dict[str, str], base: dict[str, str], name: str) -> Base | None:
    if not base:
        return None
    workspace = MemoryWorkspace({**files, **base})
    return Base(workspace.document(absolute(name)), workspace, "HEAD")


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """A finding in a helper is seen from the helper and from its importers: keep one."""
    seen: dict[object, Finding] = {}
    for finding in findings:
        seen.setdefault((finding.code, finding.path, finding.span, finding.message), finding)
    return sorted(seen.values(), key=lambda f: f.sort_key)


def mismatches(findings: Sequence[Finding], markers: Sequence[Marker]) -> list[str]:
    """What differs between the findings and the markers, one sentence each."""
    problems = []
    left = list(findings)
    for marker in markers:
        here = f"{marker.path}:{marker.line}"
        match = next((f for f in left if _is_at(f, marker)), None)
        if marker.is_todo:
            if match is not None:
                left.remove(match)
                problems.append(f"{here}: the known miss is found now: promote it to `# {match.level}: [{marker.id}]`")
            continue
        if match is None:
            problems.append(f"{here}: {marker.id} is promised and not found")
            continue
        left.remove(match)
        if marker.level not in ("finding", match.level):
            problems.append(f"{here}: {marker.id} is of level {match.level}, the marker says {marker.level}")
        for word in marker.words:
            if word not in match.message:
                problems.append(f"{here}: the message of {marker.id} lacks {word!r}: {match.message}")
    for finding in left:
        where = f"{relative(finding.path)}:{finding.span.line}"
        problems.append(f"{where}: unexpected {finding.level} [{finding.id}]: {finding.message}")
    return problems


def _is_at(finding: Finding, marker: Marker) -> bool:
    return (finding.id, relative(finding.path), finding.span.line) == (marker.id, marker.path, marker.line)


def comparable(findings: Iterable[Finding]) -> list[tuple[object, ...]]:
    return [(f.code, f.path, f.span, f.level, f.message) for f in findings]


def apply_edits(files: dict[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """The files after the edits, applied from the end so that places stay true."""
    result = dict(files)
    for edit in sorted(edits, key=lambda e: (e.path, e.span.line, e.span.column), reverse=True):
        name = relative(edit.path)
        text = result[name]
        start = offset(text, edit.span.line, edit.span.column)
        end = offset(text, edit.span.end_line, edit.span.end_column)
        result[name] = text[:start] + edit.text + text[end:]
    return result


def offset(text: str, line: int, column: int) -> int:
    """The index of a 1-based place in code points."""
    return sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1


def wording(cases: Iterable[Case], id: str) -> str:
    """Every message of the rule over the cases, with its places and fixes: the text of a snapshot."""
    out = [f"# {id}\n"]
    for number, case in enumerate(cases, start=1):
        for finding in check_whole(case):
            if finding.id != id:
                continue
            place = _place(finding.path, finding.span, case)
            out.append(f"\nFires {number}, {place}: {finding.level} {finding.code} ({finding.certainty})\n")
            out.append(f"    {finding.message}\n")
            out += [f"    related {_place(r.path, r.span, case)}: {r.message}\n" for r in finding.related]
            out += [f"    fix ({fix.safety}): {fix.title}\n" for fix in finding.fixes]
    return "".join(out)


def _place(path: str, span: Span, case: Case) -> str:
    name = relative(path)
    line, end = span.line, span.end_line
    if name == case.entry and case.prelude_lines:
        if line <= case.prelude_lines:
            return f"prelude:{line}:{span.column}"
        line, end = line - case.prelude_lines, end - case.prelude_lines
    until = f"{span.end_column}" if end == line else f"{end}:{span.end_column}"
    return f"{name}:{line}:{span.column}-{until}"
