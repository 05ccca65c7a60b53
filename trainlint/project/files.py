"""Finding the files to check: named files, folders with .gitignore and `exclude`, symlinks that stay inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathspec

SUFFIXES = (".py", ".ipynb")
_TOOL_FOLDERS = (".git", ".hg", ".svn", ".tox", ".nox", ".eggs", ".mypy_cache", ".pytest_cache", ".ruff_cache")
_OUTPUT_FOLDERS = (
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    "build",
    "dist",
    "site-packages",
    ".ipynb_checkpoints",
)
ALWAYS_EXCLUDED = frozenset(_TOOL_FOLDERS + _OUTPUT_FOLDERS)
_ROOT_MARKERS = ("pyproject.toml", "trainlint.toml", ".git")


class Found:
    """The `files` to check, absolute and sorted; `missing` paths; folders `empty` of files to check."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self.files = list(files)
        self.missing: list[str] = []
        self.empty: list[str] = []


def root_of(path: str) -> str:
    """The nearest folder at or above `path` that holds pyproject.toml, trainlint.toml or .git, else its folder."""
    start = path if os.path.isdir(path) else os.path.dirname(path)
    folder = start
    while True:
        if any(os.path.exists(os.path.join(folder, marker)) for marker in _ROOT_MARKERS):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent


def discover(paths: Iterable[str], excluded: Callable[[str], bool], *, force_exclude: bool = False) -> Found:
    """Look through the paths. `excluded` tells whether the configuration leaves an absolute path out.

    A file that is named is taken whatever it is called; with `force_exclude` the exclusions hold for it too.
    """
    found = Found()
    files: set[str] = set()
    for given in paths:
        path = os.path.abspath(given)
        if os.path.isdir(path):
            below = [] if force_exclude and _left_out(path, excluded) else list(_walk(path, excluded))
            if not below:
                found.empty.append(given)
            files.update(below)
        elif os.path.exists(path):
            if not (force_exclude and _left_out(path, excluded)):
                files.add(path)
        else:
            found.missing.append(given)
    found.files = sorted(files)
    return found


def _left_out(path: str, excluded: Callable[[str], bool]) -> bool:
    """Is a named path below an excluded folder, or ignored by git?"""
    root = root_of(path)
    parts = os.path.relpath(path, root).split(os.sep)
    if ALWAYS_EXCLUDED.intersection(parts) or excluded(path):
        return True
    ignores = _ignores_above(os.path.dirname(path))
    return ignores.ignored(path, os.path.isdir(path))


def _walk(top: str, excluded: Callable[[str], bool]) -> Iterator[str]:
    ignores = _ignores_above(top)
    if ignores.ignored(top, True):  # the person named an ignored folder: its own rules hold, those above do not
        ignores = _Ignores(None, top)
    real_top = os.path.realpath(top)
    stack = [(top, ignores.inside(top))]
    seen = {real_top}
    while stack:
        folder, ignores = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.is_symlink() and not _stays_inside(entry.path, real_top):
                continue
            if _is_dir(entry):
                if entry.name in ALWAYS_EXCLUDED or ignores.ignored(entry.path, True) or excluded(entry.path):
                    continue
                real = os.path.realpath(entry.path)
                if real not in seen:
                    seen.add(real)
                    stack.append((entry.path, ignores.inside(entry.path)))
            elif (
                entry.name.endswith(SUFFIXES)
                and _is_file(entry)
                and not (ignores.ignored(entry.path, False) or excluded(entry.path))
            ):
                yield entry.path


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _stays_inside(link: str, real_top: str) -> bool:
    target = os.path.realpath(link)
    return target == real_top or target.startswith(real_top.rstrip(os.sep) + os.sep)


class _Ignores:
    """The ignore files that hold in a folder: its own and those of the folders above, the nearest one first."""

    def __init__(self, above: _Ignores | None, folder: str, spec: pathspec.GitIgnoreSpec | None = None) -> None:
        self.above = above
        self.folder = folder
        self.spec = spec

    def inside(self, folder: str) -> _Ignores:
        """The ignore files that hold in a folder below."""
        spec = _read_spec(os.path.join(folder, ".gitignore"))
        return self if spec is None else _Ignores(self, folder, spec)

    def ignored(self, path: str, is_dir: bool) -> bool:
        level: _Ignores | None = self
        while level is not None:
            if level.spec is not None:
                relative = os.path.relpath(path, level.folder).replace(os.sep, "/") + ("/" if is_dir else "")
                verdict = level.spec.check_file(relative).include
                if verdict is not None:
                    return verdict
            level = level.above
        return False


def _ignores_above(folder: str) -> _Ignores:
    """What the repository says above `folder`: .git/info/exclude and each .gitignore down to the parent of `folder`."""
    top, chain = folder, [folder]
    while not os.path.exists(os.path.join(top, ".git")):
        parent = os.path.dirname(top)
        if parent == top:
            return _Ignores(None, folder)
        top = parent
        chain.append(top)
    ignores = _Ignores(None, top, _read_spec(os.path.join(top, ".git", "info", "exclude")))
    for above in reversed(chain[1:]):
        ignores = ignores.inside(above)
    return ignores


def _read_spec(path: str) -> pathspec.GitIgnoreSpec | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file.read().splitlines() if line.strip() and not line.startswith("#")]
    except OSError:
        return None
    return gitignore_spec(lines)


def gitignore_spec(lines: Iterable[str]) -> pathspec.GitIgnoreSpec | None:
    """Patterns as in .gitignore; None where there are none. A pattern that git would not take is left out."""
    import pathspec

    kept = []
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        kept.append(line)
    return pathspec.GitIgnoreSpec.from_lines(kept) if kept else None
