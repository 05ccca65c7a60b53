"""Editors for the tests: each is a real server process, ended after the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from editor import EDITORS, Editor
from training_scripts import COMMITTED

StartEditor = Callable[..., Editor]


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers keep findings in the user's cache folder: not in that of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartEditor]:
    """`start(name, **initialize parameters)` opens an editor on the test's folder."""
    editors: list[Editor] = []

    def begin(name: str, **options: object) -> Editor:
        editors.append(Editor(name, options.pop("root", tmp_path), **options))
        return editors[-1]

    yield begin
    for editor in editors:
        editor.end()


@pytest.fixture(params=EDITORS, scope="module")
def editor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """The same test in every editor whose capabilities we captured; one process serves a module's tests."""
    opened = Editor(request.param, tmp_path_factory.mktemp("workspace"))
    yield opened
    opened.end()


@pytest.fixture
def committed(repository: Callable[[str, str], Path]) -> Path:
    """A repository whose last commit trains with batch 32 and learning rate 0.1; ask for it before an editor."""
    return repository("train.py", COMMITTED)


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file, commit it, and return its path."""

    def commit(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        about = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        for arguments in (["init", "-q"], ["add", "-A"], [*about, "commit", "-qm", "first"]):
            subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)
        return path

    return commit
