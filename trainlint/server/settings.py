"""The `trainlint.*` settings of an editor. Values that make no sense are logged and left out, never fatal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast, get_args

from trainlint.rules.finding import Finding, Level

logger = logging.getLogger(__name__)

LEAST_HINT = 1 << 20
# the names of `trainlint measure --device`
Device: TypeAlias = Literal["auto", "cuda", "mps", "xpu", "cpu", "fake"]

_LEVELS: dict[str, Level] = {level: level for level in get_args(Level)} | {"information": "info"}


@dataclass(frozen=True, slots=True)
class Settings:
    """`severity` maps a code, id, family or level to the level that is shown instead."""

    enable: bool = True
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    severity: Mapping[str, Level] = field(default_factory=dict)
    gpu: str | None = None
    gpu_memory: int | None = None
    memory_hover: bool = True
    memory_lens: bool = True
    memory_hints: bool = True
    # is an action offered that ignores a finding on its line?
    ignore_comment: bool = True
    # bytes below which a line gets no hint
    least_hint: int = LEAST_HINT
    # how `trainlint.measure` runs the program: the interpreter's command, empty for the one that is found
    measure_interpreter: tuple[str, ...] = ()
    measure_device: Device = "auto"
    measure_arguments: tuple[str, ...] = ()
    measure_timeout: float = 300.0
    measure_memory: int | None = None
    # what the person should hear of, in sentences
    problems: tuple[str, ...] = ()

    def shown_level(self, finding: Finding) -> Level:
        for word in (finding.code, finding.id, finding.family, finding.level):
            if word in self.severity:
                return self.severity[word]
        return finding.level


def read_settings(raw: object) -> Settings:
    """Settings from `initializationOptions` or a configuration answer, with or without the outer `trainlint` key."""
    if isinstance(raw, Mapping) and isinstance(raw.get("trainlint"), Mapping):
        raw = raw["trainlint"]
    elif isinstance(raw, Mapping) and isinstance(raw.get("settings"), Mapping):
        raw = raw["settings"]
    if raw is None:
        return Settings()
    if not isinstance(raw, Mapping):
        logger.warning("settings: expected an object, got %r; it is ignored", raw)
        return Settings()
    lint = raw.get("lint") if isinstance(raw.get("lint"), Mapping) else {}
    flat = {key.removeprefix("lint."): value for key, value in raw.items() if isinstance(key, str)}
    values: dict[str, Any] = {**flat, **{key: value for key, value in (lint or {}).items() if isinstance(key, str)}}
    problems: list[str] = []
    return Settings(
        gpu=_gpu(values.get("gpu"), problems),
        gpu_memory=_bytes(values.get("gpuMemory", values.get("gpu-memory")), problems),
        enable=_flag(values.get("enable"), "enable"),
        select=_words(values.get("select"), "lint.select"),
        ignore=_words(values.get("ignore"), "lint.ignore") or (),
        extend_select=_words(values.get("extendSelect", values.get("extend-select")), "lint.extendSelect") or (),
        severity=_severity(values.get("severity")),
        ignore_comment=_flag(nested(raw, "codeAction", "ignoreComment"), "codeAction.ignoreComment"),
        memory_hover=_flag(nested(raw, "hover", "memory"), "hover.memory"),
        memory_lens=_flag(nested(raw, "lens", "memory"), "lens.memory"),
        memory_hints=_flag(nested(raw, "hints", "memory"), "hints.memory"),
        least_hint=_size(nested(raw, "hints", "minimum"), "hints.minimum"),
        measure_interpreter=_command(nested(raw, "measure", "interpreter"), "measure.interpreter"),
        measure_device=_device(nested(raw, "measure", "device"), problems),
        measure_arguments=_command(nested(raw, "measure", "arguments"), "measure.arguments"),
        measure_timeout=_timeout(nested(raw, "measure", "timeout")),
        measure_memory=_bytes(nested(raw, "measure", "memoryLimit"), problems, "measure.memoryLimit"),
        problems=tuple(problems),
    )


def _gpu(value: object, problems: list[str]) -> str | None:
    """The GPU that the settings name; a name that is not known is a problem to tell of."""
    from trainlint.project.schema import unknown_gpu

    if value is None or value == "":
        return None
    wrong = unknown_gpu(value) if isinstance(value, str) else f"a name, not {value!r}"
    if wrong is not None:
        problems.append(f"the setting trainlint.gpu must be {wrong}")
        return None
    return value if isinstance(value, str) else None


def _bytes(value: object, problems: list[str], name: str = "gpuMemory") -> int | None:
    from trainlint.project.schema import Wrong, memory_size

    if value is None or value == "":
        return None
    try:
        return memory_size(value)
    except Wrong as wrong:
        problems.append(f"the setting trainlint.{name} must be {wrong}, not {value!r}")
        return None


def _device(value: object, problems: list[str]) -> Device:
    for device in get_args(Device):
        if value == device:
            return cast(Device, device)
    if value not in (None, ""):
        problems.append(f"the setting trainlint.measure.device must be {', '.join(get_args(Device))}, not {value!r}")
    return "auto"


def _timeout(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e7:
        return float(value)
    if value is not None:
        logger.warning("settings: trainlint.measure.timeout must be seconds above 0, not %r; it is ignored", value)
    return 300.0


def trusted(options: object) -> bool:
    """What `initializationOptions` say of the workspace. Editors that know no trust say nothing: they are believed."""
    return not (isinstance(options, Mapping) and options.get("trusted") is False)


def _command(value: object, name: str) -> tuple[str, ...]:
    """Words of a command; one string is one word."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    if value is not None:
        logger.warning("settings: trainlint.%s must be a list of strings, not %r; it is ignored", name, value)
    return ()


def nested(raw: Mapping[Any, Any], group: str, name: str) -> object:
    """The setting `group.name`, which clients send as one key or as an object in an object."""
    if f"{group}.{name}" in raw:
        return raw[f"{group}.{name}"]
    inside = raw.get(group)
    return inside.get(name) if isinstance(inside, Mapping) else None


def _size(value: object, name: str) -> int:
    from trainlint.project.schema import Wrong, memory_size

    if value is None:
        return LEAST_HINT
    try:
        return 0 if value == 0 else memory_size(value)
    except Wrong as wrong:
        logger.warning("settings: trainlint.%s must be %s, not %r; it is ignored", name, wrong, value)
        return LEAST_HINT


def _flag(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if value is not None:
        logger.warning("settings: trainlint.%s must be true or false, not %r; it is ignored", name, value)
    return True


def _words(value: object, name: str) -> tuple[str, ...] | None:
    """The known codes, ids and families of a list of strings; None where it is absent or all of it is wrong."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        logger.warning(
            "settings: trainlint.%s must be a list of codes, ids or families, not %r; it is ignored", name, value
        )
        return None
    from trainlint.rules.registry import selectors

    known = selectors()
    for word in value:
        if word not in known:
            logger.warning("settings: trainlint.%s: there is no rule or family %r; it is ignored", name, word)
    words = tuple(word for word in value if word in known)
    return words if words or not value else None


def _severity(value: object) -> dict[str, Level]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        logger.warning("settings: trainlint.severity must be an object, not %r; it is ignored", value)
        return {}
    chosen: dict[str, Level] = {}
    for word, level in value.items():
        if isinstance(level, str) and level.lower() in _LEVELS:
            chosen[_LEVELS.get(str(word).lower(), str(word))] = _LEVELS[level.lower()]
        else:
            logger.warning("settings: trainlint.severity: %r is no level (error, warning, info, hint)", level)
    return chosen
