"""Unified diffs of fixed files; of a notebook, one for each changed cell."""

from __future__ import annotations

import difflib

from trainlint.cli.result import shown_path
from trainlint.project.report import Change


def unified(change: Change) -> str:
    """The diff of one changed file."""
    name = shown_path(change.path)
    if not change.path.endswith(".ipynb"):
        return _diff(name, change.before, change.after)
    from trainlint.project.notebooks import read_notebook

    before, after = read_notebook(change.before).cells, read_notebook(change.after).cells
    pairs = enumerate(zip(before, after, strict=True))
    return "".join(_diff(f"{name}:cell {n}", old.source, new.source) for n, (old, new) in pairs if old != new)


def _diff(name: str, before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = []
    for line in difflib.unified_diff(old, new, name, name):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)
