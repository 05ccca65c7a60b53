"""The keys of `[tool.trainlint]`: one table that the validation, the messages and the JSON schema are made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trainlint.memory.gpus import SIZE, parse_memory

LEVEL_NAMES = ("error", "warning", "info", "hint")

_VERSION = re.compile(r"\d+(\.\d+){0,2}")


class Wrong(Exception):
    """A value of the wrong type or form; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: `read` turns the TOML value into the stored one or raises Wrong; `schema` is its JSON schema."""

    name: str
    description: str
    read: Callable[[object], Any]
    schema: Mapping[str, Any]


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise Wrong("a list of strings")


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise Wrong("a string")


def _gpu(value: object) -> str:
    name = _text(value)
    wrong = unknown_gpu(name)
    if wrong is not None:
        raise Wrong(wrong)
    return name


def unknown_gpu(name: str) -> str | None:
    """What is wrong with the name of a GPU; None where it is known."""
    from trainlint.memory.gpus import find, nearest

    if find(name) is not None:
        return None
    alike = nearest(name)
    hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
    return f"a GPU that `trainlint gpus` lists, not '{name}'{hint}"


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Wrong("true or false")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise Wrong("a whole number of at least 1")


def _version(value: object) -> str:
    if isinstance(value, str) and _VERSION.fullmatch(value):
        return value
    raise Wrong('a version such as "2.4"')


def memory_size(value: object) -> int:
    """Bytes of "24GiB", "24 GB" (decimal) or a plain number of bytes. Raises Wrong."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return parse_memory(value)
    raise Wrong('a size such as "24GiB"')


def _words_by_pattern(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise Wrong("a table from a file pattern to a list of rules")
    try:
        return {pattern: _words(words) for pattern, words in value.items()}
    except Wrong:
        raise Wrong("a table from a file pattern to a list of rules") from None


def _levels(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Wrong("a table from a rule to a level")
    for word, level in value.items():
        if level not in LEVEL_NAMES:
            raise Wrong(f"one of {', '.join(LEVEL_NAMES)} for {word}, not {level!r}")
    return dict(value)


def _options(value: object) -> dict[str, dict[str, Any]]:
    if isinstance(value, dict) and all(isinstance(options, dict) for options in value.values()):
        return value
    raise Wrong("a table of tables, one for each rule id")


_VERSION_SCHEMA = {"type": "string", "pattern": f"^{_VERSION.pattern}$"}
_WORDS = {"type": "array", "items": {"type": "string"}}
_STRING = {"type": "string", "minLength": 1}
_SIZE_SCHEMA = {"anyOf": [{"type": "string", "pattern": f"^{SIZE.pattern}$"}, {"type": "integer", "minimum": 1}]}

KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("select", "Rules to use: codes, ids, families or ALL", _words, _WORDS),
        Key("ignore", "Rules to leave out", _words, _WORDS),
        Key("extend-select", "Rules to use besides the selected ones", _words, _WORDS),
        Key(
            "per-file-ignores",
            "Rules to leave out in the files that match a pattern",
            _words_by_pattern,
            {"type": "object", "additionalProperties": _WORDS},
        ),
        Key("exclude", "Files and folders to leave out, as in .gitignore", _words, _WORDS),
        Key(
            "levels",
            "The level of a rule or family",
            _levels,
            {"type": "object", "additionalProperties": {"enum": list(LEVEL_NAMES)}},
        ),
        Key("gpu", "The GPU that training runs on", _gpu, _STRING),
        Key("gpu-memory", "The memory of that GPU", memory_size, _SIZE_SCHEMA),
        Key("world-size", "Number of training processes", _count, {"type": "integer", "minimum": 1}),
        Key("diff-base", "The git revision that a change is compared with", _text, _STRING),
        Key("torch-version", "The torch version in use", _version, _VERSION_SCHEMA),
        Key("frameworks", "Training frameworks in use that the code does not show", _words, _WORDS),
        Key("preview", "Use rules that are still in preview", _flag, {"type": "boolean"}),
        Key(
            "rules",
            "Options of single rules, by id",
            _options,
            {"type": "object", "additionalProperties": {"type": "object"}},
        ),
    )
}


def json_schema() -> dict[str, Any]:
    """The JSON schema of `trainlint.toml` and of the table `[tool.trainlint]`."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "trainlint",
        "description": "Configuration of trainlint: trainlint.toml or [tool.trainlint] in pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: {"description": key.description, **key.schema} for key in KEYS.values()},
    }
