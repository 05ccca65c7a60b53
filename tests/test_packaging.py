"""The texts at the top of the repository agree with each other and with the package."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

import trainlint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
TEXTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "trainlint/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]


def commands_of_the_readme() -> list[str]:
    """The command lines that stand alone in a `sh` block of README.md."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    return [block.strip() for block in blocks if block.strip().startswith("python3 -m venv .venv && ")]


def test_the_readme_has_two_commands() -> None:
    main_job, tests = commands_of_the_readme()
    assert main_job.endswith("trainlint check --exit-zero examples/cifar")
    assert tests.endswith("-m pytest")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == commands_of_the_readme()[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
def test_ci_script_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_version_is_stated_once_more_and_equally() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == trainlint.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.M)
    assert newest is not None
    assert newest[1] == project["version"]


def test_torch_is_no_dependency_and_pinned_for_the_tests() -> None:
    """The tool itself never pulls torch; the differential tests compare with exactly one release of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [name for name in project["dependencies"] if re.match(r"(torch|numpy|opencv)", name)] == []
    (torch,) = [n for n in project["optional-dependencies"]["dev"] if re.match(r"(torch|opencv)", n)]
    assert re.fullmatch(r"torch==[\d.]+", torch)


def test_pre_commit_hook_calls_the_command_line() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] == "trainlint"
    assert hook["entry"].split()[:2] == ["trainlint", "check"]


def without_code(text: str) -> str:
    """Code blocks index and call (`layers[0](x)`): that is no link."""
    return re.sub(r"```.*?```", "", text, flags=re.S)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # the name without the suffix is a stranger's package
    assert re.search(r"pip install[^\n`&;|]* trainlint(?!-lsp|\w|/)", text) is None, "the distribution is trainlint-lsp"
    missing = [
        target
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)", without_code(text))
        if not (path.parent / target).exists()
    ]
    assert missing == [], "links that lead nowhere"


def test_architecture_is_short_and_names_tests_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 250
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8") if test else True, f"{file}::{test}"
