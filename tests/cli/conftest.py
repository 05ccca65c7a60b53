"""Runs of the real command, in a folder of the test and with a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


class Ran:
    """What a run of the command gave."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode("utf-8")
        self.err = done.stderr.decode("utf-8")
        assert "Traceback" not in self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        return sorted(finding["code"] for finding in self.json["findings"])


class Shell:
    """Writes files below a fresh folder and runs trainlint there."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        root = str(Path(__file__).parent.parent.parent)
        self.environment = {**clean, "XDG_CACHE_HOME": str(cache), "HOME": str(cache), "PYTHONPATH": root}

    def write(self, files: Mapping[str, str | bytes]) -> Shell:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def read(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()

    def run(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ran:
        command = [sys.executable, "-m", "trainlint", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(done)

    def check(self, *arguments: str, **options: Any) -> Ran:
        """`trainlint check --output-format json …`"""
        return self.run("check", "--output-format", "json", *arguments, **options)


@pytest.fixture
def shell(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path, tmp_path_factory.mktemp("cache"))
