"""Numbers for the symbolic sizes of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.parameters import SIZES
from trainlint.analysis.values import Atom, Const, Sym, Value

FLOATS = frozenset({"float16", "bfloat16", "float32"})


class Sizes:
    """The sizes at the batch that a loader was given, or at the one asked for."""

    def __init__(
        self, batch: int | None = None, dtypes: dict[int, str] | None = None, detached: set[int] | None = None
    ) -> None:
        """`dtypes` are those of tensors that have another one than was recorded, by their identity; `detached` are
        those that no graph hangs on although one did when they were recorded."""
        self.batch = batch
        self.dtypes = dtypes if dtypes is not None else {}
        self.detached = detached if detached is not None else set()
        # in elements, of tensors whose axes were repeated without a copy, by their identity
        self.strides: dict[int, tuple[int, ...]] = {}

    def number(self, size: Value) -> int | None:
        """The integer that a size usually is."""
        if type(size) is Const:
            return size.value if type(size.value) is int else None
        if self.batch is None or not isinstance(size, Sym):
            return dims.usual(size)
        total = 0
        for atoms, factor in size.poly:
            for atom in atoms:
                number = self._asked(atom, self.batch)
                if number is None:
                    return None
                factor *= number
            total += factor
        return total

    def _asked(self, atom: Atom, batch: int) -> int | None:
        if atom.name == "B":
            return batch
        if atom.value is not None:
            return self.number(atom.value)
        if isinstance(atom.key, tuple) and len(atom.key) == 3 and atom.key[0] in ("//", "%"):
            op, p, q = atom.key
            left, right = self.number(Sym.of(p)), self.number(Sym.of(q))
            if left is None or not right:
                return None
            return left // right if op == "//" else left % right
        return None

    def shape(self, sizes: Sequence[Value] | None) -> tuple[int, ...] | None:
        """The sizes of all axes, None where one is not known."""
        numbers = [self.number(size) for size in sizes] if sizes is not None else [None]
        return tuple(n for n in numbers if n is not None) if None not in numbers else None

    def dtype(self, array: Array) -> str:
        """The dtype of a tensor; an unknown one is taken as float32, PyTorch's default."""
        return self.dtypes.get(id(array)) or array.dtype or "float32"

    def bytes_of(self, array: Array) -> int | None:
        """The bytes of a tensor."""
        shape = self.shape(array.shape)
        return None if shape is None else math.prod(shape) * SIZES[self.dtype(array)]
