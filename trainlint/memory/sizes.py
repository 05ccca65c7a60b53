"""Numbers for the symbolic sizes of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainlint.analysis import dims
from trainlint.analysis.parameters import SIZES
from trainlint.analysis.values import Array, Const, Sym, Unknown, Value


class Sizes:
    """The sizes at the batch that a loader was given, or at the one asked for."""

    def __init__(self, batch: int | None = None) -> None:
        self.batch = batch

    def number(self, size: Value) -> int | None:
        """The integer that a size usually is."""
        if self.batch is not None and isinstance(size, Sym):
            size = self._asked(size, self.batch)
        return dims.usual(size)

    @staticmethod
    def _asked(size: Sym, batch: int) -> Value:
        result: Value = Const(0)
        for atoms, factor in size.poly:
            term: Value = Const(factor)
            for atom in atoms:
                term = dims.mul(term, Const(batch) if atom.name == "B" else atom.value or Unknown(atom.name))
            result = dims.add(result, term)
        return result

    def shape(self, sizes: Sequence[Value] | None) -> tuple[int, ...] | None:
        """The sizes of all axes, None where one is not known."""
        numbers = [self.number(size) for size in sizes] if sizes is not None else [None]
        return tuple(n for n in numbers if n is not None) if None not in numbers else None

    def bytes_of(self, array: Array) -> int | None:
        """The bytes of a tensor; one of unknown dtype is taken as float32, PyTorch's default."""
        shape = self.shape(array.shape)
        return None if shape is None else math.prod(shape) * SIZES[array.dtype or "float32"]
