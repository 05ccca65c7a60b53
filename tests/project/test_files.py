"""Discovery, prefilter and decoding."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from trainlint.project.files import discover, root_of
from trainlint.project.prefilter import may_concern
from trainlint.project.source import UnreadableSource, decode

from .conftest import Write, git


def names(folder: Path, *paths: str, force: bool = False, excluded: tuple[str, ...] = ()) -> list[str]:
    given = [str(folder / path) for path in paths or (".",)]
    found = discover(given, lambda path: os.path.basename(path) in excluded, force_exclude=force)
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in found.files]


def test_python_and_notebooks_sorted(write: Write) -> None:
    folder = write({"b.py": "", "a.ipynb": "", "c.txt": "", "d.pyi": "", "sub/e.py": ""})
    assert names(folder) == ["a.ipynb", "b.py", "sub/e.py"]


def test_usual_folders_are_left_out(write: Write) -> None:
    folder = write({f"{name}/a.py": "" for name in (".venv", "venv", "node_modules", "build", "dist", ".git", "src")})
    assert names(folder) == ["src/a.py"]
    assert names(folder, "build") == ["build/a.py"], "a named folder is looked at"
    assert names(folder, "build", force=True) == []


def test_what_the_configuration_excludes(write: Write) -> None:
    folder = write({"gen/a.py": "", "b.py": ""})
    assert names(folder, excluded=("gen",)) == ["b.py"]
    assert names(folder, "b.py", excluded=("b.py",)) == ["b.py"], "a named file is always checked"
    assert names(folder, "b.py", excluded=("b.py",), force=True) == []


def test_any_name_when_named(write: Write) -> None:
    folder = write({"train": "import torch\n"})
    assert names(folder, "train") == ["train"]


IGNORES = {
    ".gitignore": "*_gen.py\n/only_top.py\nout/\n!keep_gen.py\n# a comment\nname with space.py\n",
    "a.py": "", "a_gen.py": "", "keep_gen.py": "", "only_top.py": "", "out/x.py": "", "name with space.py": "",
    "sub/only_top.py": "", "sub/b_gen.py": "", "sub/.gitignore": "!b_gen.py\nprivate\n", "sub/private/y.py": "",
    "sub/deep/.gitignore": "*\n!z.py\n", "sub/deep/z.py": "", "sub/deep/w.py": "", "sub/c.py": "",
    "excluded_here.py": "", "docs/**/a.py": "",
}  # fmt: skip


def test_gitignore_as_git_does(write: Write, tmp_path: Path) -> None:
    folder = write(IGNORES)
    git(folder, "init", "-q")
    (folder / ".git" / "info" / "exclude").write_text("excluded_here.py\n")
    expected = git(folder, "ls-files", "--others", "--exclude-standard", "-z", "*.py").split("\0")
    assert names(folder) == sorted(name for name in expected if name)
    assert "sub/b_gen.py" in names(folder, "sub"), "rules above the named folder hold too"
    assert "sub/private/y.py" not in names(folder, "sub")


def test_a_named_ignored_folder_is_looked_at(write: Write) -> None:
    folder = write(IGNORES)
    git(folder, "init", "-q")
    assert names(folder, "out") == ["out/x.py"]


@pytest.mark.skipif(os.name == "nt", reason="symlinks need rights on Windows")
def test_symlinks(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("")
    folder = write({"a.py": "", "sub/b.py": ""})
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "away").symlink_to(outside)
    (folder / "away.py").symlink_to(outside / "secret.py")
    (folder / "inside.py").symlink_to(folder / "a.py")
    (folder / "dangling.py").symlink_to(folder / "none.py")
    assert names(folder) == ["a.py", "inside.py", "sub/b.py"]


def test_missing_and_empty(write: Write) -> None:
    folder = write({"empty/readme.txt": ""})
    found = discover([str(folder / "none.py"), str(folder / "empty")], lambda path: False)
    assert found.missing == [str(folder / "none.py")]
    assert found.empty == [str(folder / "empty")]
    assert found.files == []


def test_root_is_the_nearest_marked_folder(write: Write) -> None:
    folder = write({"pyproject.toml": "", "sub/deep/a.py": "", "other/trainlint.toml": ""})
    assert root_of(str(folder / "sub" / "deep" / "a.py")) == str(folder)
    assert root_of(str(folder / "other")) == str(folder / "other")


@pytest.mark.parametrize(
    ("source", "concerned"),
    [
        ("import torch\n", True),
        ("\ufeffimport torch\n", True),
        ("import os, torch.nn as nn\n", True),
        ("if x:\n\tfrom torch import nn\n", True),
        ("try: import torch\nexcept ImportError: pass\n", True),
        ("x = 1; import cv2\n", True),
        ("x = 1\rimport torch\r", True),
        ("from PIL import Image\n", True),
        ("import torchlight\n", False),
        ("from .torch import x\n", False),
        ('"""We do not import torch."""\nimport json\n', False),
        ("import json  # not torch\n", False),
        ("torch = 1\n", False),
        ("", False),
    ],
)
def test_prefilter(source: str, concerned: bool) -> None:
    assert may_concern(source.encode()) is concerned


def test_prefilter_of_notebooks() -> None:
    assert may_concern(b'{"source": ["x = 1\\n", "import os, torch\\n"]}', notebook=True)
    assert may_concern(b'{"source": "x = 1\\nfrom torch import nn"}', notebook=True)
    assert not may_concern(b'{"source": ["import os"], "text": "torch"}', notebook=True)


@pytest.mark.parametrize(
    ("raw", "text", "encoding"),
    [
        (b"\xef\xbb\xbfx = '\xc3\xa9'\r\n", "x = 'é'\r\n", "utf-8"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n", "latin-1"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n\x80", None, "cp1252"),
        (b"x = 1\n# coding: latin-1\n", "x = 1\n# coding: latin-1\n", "utf-8"),
        (b"# coding: utf-8-unix\n", "# coding: utf-8-unix\n", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_decoding(raw: bytes, text: str | None, encoding: str) -> None:
    source = decode(raw)
    assert source.encoding == encoding
    assert source.text == (text if text is not None else raw.decode(encoding))
    assert source.encode(source.text) == raw


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"import torch\nx = '\xff'\n", "is not valid utf-8 (byte 18, line 2)"),
        (b"# coding: klingon\n", "unknown encoding 'klingon'"),
        (b"# coding: rot13\n", "unknown encoding 'rot13'"),
    ],
)
def test_undecodable(raw: bytes, message: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        decode(raw)
    assert message in str(caught.value)


def test_git_is_here() -> None:
    assert shutil.which("git"), "the tests of the git base need git"
    assert subprocess.run(["git", "--version"], capture_output=True, check=True).stdout.startswith(b"git version")
