"""Checking executes nothing of the workspace, imports nothing from it and opens only files inside it.

An audit hook in a fresh interpreter sees every file that is opened, every program that is started and all code that is
compiled or executed while the command line checks a hostile workspace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDITED = """
import json, os, sys

events = []
busy = False
WATCHED = {"open", "compile", "exec", "import", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
           "socket.connect", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "pickle.find_class"}

def hook(event, args):
    global busy
    if busy or event not in WATCHED:
        return
    busy = True
    if event == "exec":
        events.append([event, getattr(args[0], "co_filename", "")])
    elif event == "open" and isinstance(args[0], int):
        pass
    elif event == "open":
        writes = bool(args[2] & (os.O_WRONLY | os.O_RDWR)) if isinstance(args[2], int) else "r" not in str(args[1])
        events.append([event, os.path.realpath(os.fsdecode(args[0])), writes])
    elif event == "compile":
        events.append([event, os.fsdecode(args[1]) if isinstance(args[1], (str, bytes)) else ""])
    elif event == "import":
        events.append([event, args[0], os.fsdecode(args[1]) if args[1] else ""])
    elif event == "pickle.find_class":
        events.append([event, args[0], args[1]])
    else:
        events.append([event, repr(args)])
    busy = False

sys.addaudithook(hook)
from trainlint.cli.main import main
code = main(sys.argv[2:])
busy = True
loaded = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
with open(sys.argv[1], "w") as out:
    json.dump({"code": code, "events": events, "loaded": loaded, "modules": sorted(sys.modules)}, out)
"""

HOSTILE = "from pathlib import Path\nPath('{mark}').write_text('executed')\n"


class Audit:
    def __init__(self, report: dict[str, object], workspace: Path, outside: Path, cache: Path) -> None:
        self.code = report["code"]
        self.events: list[list[str]] = report["events"]  # type: ignore[assignment]
        self.loaded: list[str] = report["loaded"]  # type: ignore[assignment]
        self.modules: list[str] = report["modules"]  # type: ignore[assignment]
        self.workspace = workspace
        self.outside = outside
        self.cache = cache

    def of(self, *kinds: str) -> list[list[str]]:
        return [event for event in self.events if event[0] in kinds]


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    home = tmp_path_factory.mktemp("audit").resolve()
    workspace, outside, cache = home / "workspace", home / "outside", home / "cache"
    for folder in (workspace, outside, cache):
        folder.mkdir()
    mark = outside / "mark"
    hostile = HOSTILE.format(mark=mark.as_posix())
    # names that Python, pytest or trainlint's own dependencies would import if the workspace were on the path
    for name in ("helper", "yaml", "libcst", "pathspec", "torch", "conftest", "sitecustomize", "setup", "json"):
        (workspace / f"{name}.py").write_text(hostile + "lr = 0.1\n", encoding="utf-8")
    (outside / "secret.py").write_text("lr = 0.5\n", encoding="utf-8")
    (outside / "secret.yaml").write_text("lr: 0.5\n", encoding="utf-8")
    if os.name != "nt":
        (workspace / "linked.py").symlink_to(outside / "secret.py")
        (workspace / "linked.yaml").symlink_to(outside / "secret.yaml")
    (workspace / "config.yaml").write_text("lr: !!python/object/apply:os.system ['true']\n", encoding="utf-8")
    (workspace / "train.py").write_text(
        "import torch, yaml, helper\n"
        "from linked import lr as linked_lr\n"
        "from ..outside.secret import lr as other_lr\n"
        "config = yaml.safe_load(open('config.yaml'))\n"
        "more = yaml.safe_load(open('linked.yaml'))\n"
        "other = yaml.safe_load(open('../outside/secret.yaml'))\n"
        f"absolute = yaml.safe_load(open({(outside / 'secret.yaml').as_posix()!r}))\n"
        "optimizer = torch.optim.SGD([torch.zeros(1)], lr=helper.lr)\n",
        encoding="utf-8",
    )
    (workspace / "book.ipynb").write_text(
        json.dumps(
            {
                "cells": [{"cell_type": "code", "source": ["!touch executed\n", "import helper\n"], "metadata": {}}],
                "metadata": {},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        ),
        encoding="utf-8",
    )
    script, report = home / "audited.py", home / "report.json"
    script.write_text(AUDITED, encoding="utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(script), str(report), "check", "--jobs", "1", "--exit-zero", "."]
    result = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True, check=False)
    assert report.exists(), result.stderr
    return Audit(json.loads(report.read_text(encoding="utf-8")), workspace, outside, cache)


def test_the_workspace_was_really_read(audit: Audit) -> None:
    opened = {Path(event[1]).name for event in audit.of("open") if Path(event[1]).is_relative_to(audit.workspace)}
    assert {"train.py", "helper.py", "book.ipynb"} <= opened
    assert audit.code == 0


def test_nothing_of_the_workspace_is_executed_or_imported(audit: Audit) -> None:
    assert not (audit.outside / "mark").exists()
    assert [e for e in audit.of("compile", "exec") if Path(e[1]).is_relative_to(audit.workspace)] == []
    assert [path for path in audit.loaded if path and Path(path).resolve().is_relative_to(audit.workspace)] == []
    assert "torch" not in audit.modules


def test_no_other_program_is_started_and_no_connection_is_made(audit: Audit) -> None:
    started = audit.of("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
    assert [event for event in started if "git" not in event[1]] == []


def test_only_files_of_the_workspace_python_and_the_cache_are_opened(audit: Audit) -> None:
    import trainlint

    own = [sys.prefix, sys.base_prefix, Path(trainlint.__file__).parent, audit.workspace, audit.cache, "/dev", "/proc"]
    # where Python keeps its library and the time zone and locale data of the system
    own += [Path(os.__file__).parent, "/usr/share", "/usr/lib", "/etc"]
    roots = [Path(folder).resolve() for folder in own]
    strangers = [e[1] for e in audit.of("open") if not any(Path(e[1]).is_relative_to(root) for root in roots)]
    assert [path for path in strangers if Path(path).name != "audited.py"] == []


def test_nothing_is_written_outside_the_cache(audit: Audit) -> None:
    written = [e[1] for e in audit.of("open") if e[2] and not Path(e[1]).is_relative_to(audit.cache)]
    assert [path for path in written if not path.startswith("/dev/")] == []
