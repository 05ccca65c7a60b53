"""What the lines of a step do up to a backward: with gradient accumulation that is one micro-batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from trainlint.memory.timeline import Where


@dataclass(slots=True)
class Line:
    """What a line does before a backward, in bytes; `shape` and `what` are of its last operation."""

    saved: int = 0
    output: int = 0
    temporary: int = 0
    shape: tuple[int, ...] | None = None
    what: str = ""

    def most(self, other: Line) -> None:
        """Take the larger figures, and what the other one did last."""
        self.saved = max(self.saved, other.saved)
        self.output = max(self.output, other.output)
        self.temporary = max(self.temporary, other.temporary)
        self.shape, self.what = other.shape, other.what


@dataclass(slots=True)
class Stretch:
    """What the step does up to a backward: with accumulation, one micro-batch."""

    lines: dict[Where, Line] = field(default_factory=dict)
    # the bytes that each call moves to the device
    moved: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def most(self, other: Stretch) -> None:
        """Take the larger figures."""
        for place, line in other.lines.items():
            self.lines.setdefault(place, Line()).most(line)
        self.moved |= other.moved
