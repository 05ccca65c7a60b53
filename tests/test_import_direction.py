"""The arrows between the packages, read from the `import` statements, and what each package must not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "trainlint"

# what each package may import from; `text <- syntax <- analysis <- {ops, memory} <- rules <- project <- {cli, server}`
ALLOWED = {
    "text": set(),
    "syntax": {"text"},
    "analysis": {"text", "syntax"},
    "ops": {"text", "syntax", "analysis"},
    "memory": {"text", "syntax", "analysis"},
    "rules": {"text", "syntax", "analysis", "ops", "memory"},
    "project": {"text", "syntax", "analysis", "ops", "memory", "rules"},
    "cli": {"text", "syntax", "analysis", "ops", "memory", "rules", "project"},
    "server": {"text", "syntax", "analysis", "ops", "memory", "rules", "project"},
    # reached over a subprocess protocol only
    "runtime_check": set(),
}
# the command line starts the server; nothing else of the server is reachable from it
EXCEPTIONS = {("cli", "server")}

ONLY_IN = {"libcst": "syntax", "pygls": "server", "lsprotocol": "server", "torch": "runtime_check"}
NEVER = {"torchvision", "numpy", "cv2", "PIL", "tensorflow"}

PURE = ("text", "syntax", "analysis", "ops", "memory", "rules")
IO_MODULES = {
    *("io", "os", "pathlib", "shutil", "subprocess", "tempfile", "glob", "fileinput", "socket", "urllib", "http"),
    *("time", "datetime", "random", "secrets", "uuid", "threading", "multiprocessing", "asyncio", "signal"),
}
IO_NAMES = {"open", "input", "print", "exec", "eval", "compile", "breakpoint"}

VISITORS = {
    *(
        "CSTVisitor",
        "CSTTransformer",
        "BatchableCSTVisitor",
        "MetadataWrapper",
        "MetadataDependent",
        "ContextAwareVisitor",
    ),
    *("matchers", "metadata", "codemod"),
}


def python_files(*packages: str) -> list[Path]:
    return sorted(path for name in packages for path in (PACKAGE / name).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted module of every import of the file, those inside functions and `if TYPE_CHECKING` included."""
    inside = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(inside[: len(inside) - node.level]) + "." if node.level else ""
            module = (start + (node.module or "")).rstrip(".")
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def shown(path: Path, line: int) -> str:
    return f"{path.relative_to(PACKAGE.parent).as_posix()}:{line}"


def test_every_package_is_on_the_map() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(ALLOWED)


@pytest.mark.parametrize("package", list(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    wrong = []
    for path in python_files(package):
        for line, module in imports(path):
            root, _, rest = module.partition(".")
            target = rest.partition(".")[0]
            if root != "trainlint" or target not in ALLOWED or target == package:
                continue
            if target not in ALLOWED[package] and (package, target) not in EXCEPTIONS:
                wrong.append(f"{shown(path, line)} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("library", list(ONLY_IN))
def test_a_library_has_one_importer(library: str) -> None:
    home = PACKAGE / ONLY_IN[library]
    wrong = [
        shown(path, line)
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(home)
        for line, module in imports(path)
        if module.partition(".")[0] == library
    ]
    assert wrong == []


def test_nothing_imports_the_libraries_that_it_judges() -> None:
    wrong = [
        f"{shown(path, line)} imports {module}"
        for path in PACKAGE.rglob("*.py")
        for line, module in imports(path)
        if module.partition(".")[0] in NEVER
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PURE)
def test_the_core_does_no_io_and_reads_no_clock(package: str) -> None:
    wrong = []
    for path in python_files(package):
        for line, module in imports(path):
            if module.partition(".")[0] in IO_MODULES:
                wrong.append(f"{shown(path, line)} imports {module}")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IO_NAMES:
                wrong.append(f"{shown(path, node.lineno)} calls {node.func.id}")
    assert wrong == []


def rule_files() -> list[Path]:
    return [path for path in python_files("rules") if path.parent != PACKAGE / "rules" and path.name != "__init__.py"]


def test_rule_files_import_the_api_only() -> None:
    wrong = []
    for path in rule_files():
        for line, module in imports(path):
            if module.startswith("trainlint.") and not module.startswith("trainlint.rules.api."):
                wrong.append(f"{shown(path, line)} imports {module}")
    assert wrong == []


def test_no_visitors_providers_or_matchers() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                continue
            if node.value.id in ("cst", "libcst") and node.attr in VISITORS:
                wrong.append(f"{shown(path, node.lineno)} uses {node.attr}")
        for line, module in imports(path):
            if module.startswith("libcst.") and VISITORS & set(module.split(".")):
                wrong.append(f"{shown(path, line)} imports {module}")
    assert wrong == []


def test_the_server_answers_its_first_request_without_the_parser() -> None:
    script = "import sys, trainlint.server.app; sys.exit('libcst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
