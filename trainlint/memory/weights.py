"""What the memory of an optimizer is computed from: the weights it trains and the options it was made with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


class Unclear(Exception):
    """An option decides about memory and its value is not known."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One trained parameter; its gradient has the same shape and dtype. `itemsize` is the bytes of an element."""

    shape: tuple[int, ...]
    itemsize: int = 4

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * self.itemsize


class Options:
    """The keyword arguments of an optimizer, by the names of its constructor.

    A value that is not a plain number, string, None or tuple of those counts as unknown: asking for it raises
    `Unclear`. Options nobody asks for may be unknown.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def value(self, name: str, default: object = None) -> object:
        """The option as it is, or `default` where it was not given."""
        found = self._values.get(name, default)
        if not plain(found):
            raise Unclear(name)
        return found

    def number(self, name: str, default: float) -> float:
        found = self.value(name, default)
        if not isinstance(found, (bool, int, float)):
            raise Unclear(name)
        return found

    def on(self, name: str, default: bool = False) -> bool:
        """Whether the option is true (a number other than zero counts, as in Python)."""
        return bool(self.value(name, default))


def plain(value: object) -> bool:
    """Whether the value is a Python constant that can be reasoned about."""
    if isinstance(value, (tuple, list)):
        return all(plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
