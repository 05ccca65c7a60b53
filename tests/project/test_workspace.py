"""What imports and file names mean in a workspace, on disk, under overlays and at a commit; data files with places."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainlint.analysis.workspace import ConfigNode
from trainlint.project.data_files import parse_data
from trainlint.project.git import Blobs, resolve_rev
from trainlint.project.workspace import BaseWorkspace, FileWorkspace, TreeWorkspace
from trainlint.text.place import Span

from .conftest import Write

FILES: dict[str, str | bytes] = {
    "pyproject.toml": "",
    "train.py": "",
    "top.py": "",
    "scripts/run.py": "",
    "scripts/helper.py": "",
    "src/pkg/__init__.py": "",
    "src/pkg/models/__init__.py": "",
    "src/pkg/models/net.py": "",
    "src/pkg/data.py": "",
    "space/inner.py": "",
    ".venv/lib/site-packages/lib.py": "",
}


def where(workspace: TreeWorkspace, folder: Path, importer: str, level: int, dotted: str) -> str | None:
    found = workspace.module(str(folder / importer), level, dotted)
    return None if found is None else os.path.relpath(found[0], folder).replace(os.sep, "/")


CASES = [
    ("train.py", 0, "top", "top.py"),
    ("scripts/run.py", 0, "helper", "scripts/helper.py"),
    ("scripts/run.py", 0, "top", "top.py"),
    ("train.py", 0, "pkg.models.net", "src/pkg/models/net.py"),
    ("train.py", 0, "pkg.models", "src/pkg/models/__init__.py"),
    ("src/pkg/models/net.py", 2, "data", "src/pkg/data.py"),
    ("src/pkg/models/net.py", 1, "", "src/pkg/models/__init__.py"),
    ("src/pkg/models/net.py", 0, "pkg.data", "src/pkg/data.py"),
    ("train.py", 0, "space.inner", "space/inner.py"),
    ("train.py", 0, "torch.nn", None),
    ("train.py", 0, "train", None),
    ("train.py", 0, "", None),
    ("train.py", 2, "x", None),
    ("train.py", 9, "etc.passwd", None),
]


@pytest.mark.parametrize(("importer", "level", "dotted", "expected"), CASES)
def test_modules(write: Write, importer: str, level: int, dotted: str, expected: str | None) -> None:
    folder = write(FILES)
    assert where(FileWorkspace([folder.as_posix()]), folder, importer, level, dotted) == expected


def test_modules_at_a_commit(write: Write, commit: Callable[[], str]) -> None:
    folder = write(FILES)
    commit()
    (folder / "top.py").unlink()
    with Blobs(resolve_rev(str(folder), "HEAD")) as blobs:
        workspace = BaseWorkspace(blobs, [str(folder)])
        for importer, level, dotted, expected in CASES:
            assert where(workspace, folder, importer, level, dotted) == expected


def test_nothing_outside_the_roots(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("key = 1\n")
    (outside / "secret.yaml").write_text("key: 1\n")
    folder = write({"pyproject.toml": "", "a.py": ""})
    (folder / "secret.py").symlink_to(outside / "secret.py")
    (folder / "linked").symlink_to(outside)
    workspace = FileWorkspace([str(folder)])
    importer = str(folder / "a.py")
    assert workspace.module(importer, 0, "secret") is None
    assert workspace.module(importer, 0, "linked.secret") is None
    for name in (str(outside / "secret.yaml"), f"../{outside.name}/secret.yaml", "linked/secret.yaml", "a\0b", ""):
        assert workspace.data_file(importer, name) is None


def test_documents_are_kept_until_the_file_changes(write: Write) -> None:
    folder = write({"a.py": "x = 1\n"})
    workspace = FileWorkspace([str(folder)])
    path = str(folder / "a.py")
    first = workspace.document(path)
    assert first is not None
    assert workspace.document(path) is first
    write({"a.py": "x = 22\n"})
    second = workspace.document(path)
    assert second is not None
    assert second.text == "x = 22\n"
    write({"a.py": b"\xff"})
    assert workspace.document(path) is None


def test_open_documents_win(write: Write) -> None:
    folder = write({"a.py": "", "b.py": "x = 1\n", "c.yaml": "lr: 1\n"})
    workspace = FileWorkspace([str(folder)])
    workspace.open(str(folder / "b.py"), "x = 2\n")
    assert workspace.unparsed(str(folder / "b.py")) == workspace.text(str(folder / "b.py")) == "x = 2\n"
    found = workspace.module(str(folder / "a.py"), 0, "b")
    assert found is not None
    assert found[1].text == "x = 2\n"
    assert found[1] is workspace.opened(str(folder / "b.py"))
    workspace.close(str(folder / "b.py"))
    found = workspace.module(str(folder / "a.py"), 0, "b")
    assert found is not None
    assert found[1].text == "x = 1\n"
    workspace.overlay.put(str(folder / "c.yaml"), "lr: 2\n")
    node = workspace.data_file(str(folder / "a.py"), "c.yaml")
    assert node is not None
    assert plain(node) == {"lr": 2}


def plain(node: ConfigNode) -> object:
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def span_text(text: str, span: Span) -> str:
    lines = text.splitlines()
    assert span.line == span.end_line
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]


YAML = """\
optim:
  lr: 0.1  # for batch 256
  betas: [0.9, 0.999]
base: &b {size: 32}
name: 'é x'
copy:
  <<: *b
  n: ~
"""
JSON = '{\n\t"optim": {"lr": 1e-3, "on": true},\n\t"sizes": [1, -2.5, null], "name": "a\\u00e9"\n}\n'
TOML = 'lr = 0.1 # x\n[optim.adam]\n"betas" = [0.9, 0.99]\nname = "a # b"\nsub.n = 3\n'


def test_yaml() -> None:
    node = parse_data("/c.yaml", YAML)
    assert node is not None
    assert plain(node) == {
        "optim": {"lr": 0.1, "betas": [0.9, 0.999]},
        "base": {"size": 32},
        "name": "é x",
        "copy": {"size": 32, "n": None},
    }
    value = node.value["optim"].value["lr"]  # type: ignore[index]
    assert (value.path, value.span) == ("/c.yaml", Span(2, 7, 2, 10))
    assert span_text(YAML, value.span) == "0.1"


def test_yaml_numbers_are_those_of_safe_load() -> None:
    node = parse_data("/c.yml", "a: 1e-3\nb: 1.0e-3\nc: yes\nd: 010\n")
    assert node is not None
    assert plain(node) == {"a": "1e-3", "b": 0.001, "c": True, "d": 8}


def test_json() -> None:
    node = parse_data("/c.json", JSON)
    assert node is not None
    assert plain(node) == {"optim": {"lr": 0.001, "on": True}, "sizes": [1, -2.5, None], "name": "aé"}
    assert span_text(JSON, node.value["optim"].value["lr"].span) == "1e-3"  # type: ignore[index]


def test_toml() -> None:
    node = parse_data("/c.toml", TOML)
    assert node is not None
    assert plain(node) == {
        "lr": 0.1,
        "optim": {"adam": {"betas": [0.9, 0.99], "name": "a # b", "sub": {"n": 3}}},
    }
    adam = node.value["optim"].value["adam"].value  # type: ignore[index]
    assert span_text(TOML, node.value["lr"].span) == "0.1"  # type: ignore[index]
    assert span_text(TOML, adam["betas"].span) == "[0.9, 0.99]"
    assert span_text(TOML, adam["name"].span) == '"a # b"'
    assert span_text(TOML, adam["sub"].value["n"].span) == "3"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "a: [\n"),
        ("c.yaml", ""),
        ("c.yaml", BOMB),
        ("c.yaml", "a: &a [*a]\n"),
        ("c.yaml", "[" * 5000),
        ("c.json", '{"a": }'),
        ("c.json", "{'a': abc}"),
        ("c.toml", "a = [\n"),
        ("c.txt", "a: 1\n"),
    ],
)
def test_broken_or_boundless_data_is_unknown(name: str, text: str) -> None:
    assert parse_data(f"/{name}", text) is None


def test_tags_construct_nothing(tmp_path: Path) -> None:
    node = parse_data("/c.yaml", f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']\nb: !env HOME\nc: 1\n")
    assert node is not None
    assert plain(node)["c"] == 1  # type: ignore[index]
    assert plain(node)["b"] is None  # type: ignore[index]
    assert not (tmp_path / "made").exists()


def test_what_a_file_led_to(write: Write) -> None:
    folder = write({"a.py": "", "b.py": "", "c.yaml": "x: 1"})
    workspace = FileWorkspace([str(folder)])
    a, b = str(folder / "a.py"), str(folder / "b.py")
    workspace.module(a, 0, "b")
    workspace.data_file(b, "c.yaml")
    workspace.module(b, 0, "a")
    workspace.module(a, 0, "none")
    assert workspace.asked_by(a) == [
        (a, 0, "b", b),
        (a, 0, "none", None),
        (b, -1, "c.yaml", str(folder / "c.yaml")),
        (b, 0, "a", a),
    ]
