"""What the memory of an optimizer is computed from: the weights it trains."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
