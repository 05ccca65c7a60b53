"""`trainlint config`: the configuration in force in the current folder, as TOML, or the JSON schema."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from trainlint.cli.result import shown_path
from trainlint.project.config import Config, find_config, read_config

if TYPE_CHECKING:
    import argparse


def show_config(options: argparse.Namespace) -> int:
    """Print the configuration or its schema. Raises ConfigError."""
    if options.schema:
        from trainlint.project.schema import json_schema

        print(json.dumps(json_schema(), indent=1))
        return 0
    named = None if options.config is None else read_config(os.path.abspath(options.config), named=True)
    config = named or find_config(os.getcwd())
    print("\n".join(_lines(config)))
    return 0


def _lines(config: Config) -> list[str]:
    where = "no configuration file: the defaults hold" if config.path is None else f"from {shown_path(config.path)}"
    lines = [f"# {where}"]
    tables: list[str] = []
    for key, value in config.values().items():
        if isinstance(value, dict):
            tables += _table(key, value)
        else:
            lines.append(f"{key} = {_toml(value)}")
    return lines + tables


def _table(name: str, table: dict[str, object]) -> list[str]:
    lines = ["", f"[{name}]"]
    lines += [f"{json.dumps(key)} = {_toml(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _table(f"{name}.{key}", value)
    return lines


def _toml(value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's; tuples become arrays
    return json.dumps(value, ensure_ascii=False)
