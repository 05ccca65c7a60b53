"""Output formats: one module each, with `render(result) -> str`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from trainlint.cli.result import Result


def render(name: str, result: Result) -> str:
    """The whole output of a run in a format, with its last line end."""
    return cast(str, import_module(f"trainlint.cli.formats.{name}").render(result))
