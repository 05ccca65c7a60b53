"""What an estimated and a measured step have in common."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.memory.stretch import Line
from trainlint.memory.timeline import Peak, Where


@dataclass(slots=True)
class Figures:
    """The steady step in the terms of an estimate. Sizes are bytes; `unknown` says what could not be counted."""

    path: str
    # the line that runs backward
    line: int
    batch_size: int | None
    # how many numbers the parameters are
    parameters: int
    terms: dict[str, int]
    peak: Peak
    reserved: int
    lines: dict[Where, Line]
    # bytes of the parameters that are built on a line
    parameter_lines: dict[Where, int]
    unknown: list[tuple[Where, str]]
