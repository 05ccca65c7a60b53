"""One operation, as the tables of what it keeps see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from trainlint.memory.options import Options

Output: TypeAlias = Literal["new", "view", "inplace", "none"]

# the names of operands in `Effect.keeps`, in order
OPERANDS = ("input", "other", "third")
# indices of pooling, sorting and selecting are int64, statistics of normalisation float32 whatever the input
INDEX = 8
STATISTIC = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that goes into an operation or comes out of it.

    `grad`: a graph hangs on it (it requires grad, or was computed from what does). `strides` in elements; None means
    that it lies contiguously, as far as is known.
    """

    shape: tuple[int, ...]
    itemsize: int = 4
    grad: bool = False
    floating: bool = True
    strides: tuple[int, ...] | None = None

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.itemsize


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation does to memory; sizes are bytes, with the semantics of CUDA.

    `output`: whether the result has a storage of its own. `keeps`: whose storages stay alive until backward: "input",
    "other", "third", "fourth" (the operands), "weight" (of a layer), "output" (the first result), "indices" (the second
    one).
    `extra`: further tensors kept until backward. `temporary`: alive only inside the forward, at its fullest moment,
    beyond the results and `extra`. `backward`: the same inside the backward, beyond the gradients of the operands.
    `passes`: positions of operands whose gradient is the gradient of the result or a view of it: no new storage.
    `fills`: by result, the bytes of the zeros that backward makes where nothing used it.
    `workspace`: what cuDNN may take for the forward, and again for each gradient.
    `storage`: the bytes of the result's storage where they are more than its elements (a mean taken over a buffer).
    """

    output: Output = "new"
    keeps: tuple[str, ...] = ()
    extra: tuple[int, ...] = ()
    temporary: tuple[int, ...] = ()
    backward: tuple[int, ...] = ()
    passes: tuple[int, ...] = ()
    storage: int | None = None
    fills: tuple[int, ...] = ()
    workspace: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """An operation with its operands. `name` has neither module nor class: "conv2d" for a layer and for a function."""

    name: str
    operands: Sequence[Tensor]
    results: Sequence[Tensor]
    options: Options
    layer: bool = False
    inplace: bool = False
    method: bool = False
    # positions of operands that backward is wanted for, empty without a graph
    wanted: frozenset[int] = field(default_factory=frozenset)

    @property
    def x(self) -> Tensor:
        """The first operand."""
        return self.operands[0]

    @property
    def n(self) -> int:
        """The bytes of the first operand."""
        return self.x.size

    @property
    def out(self) -> int:
        """The bytes of the first result; where none is given, of the operands broadcast together."""
        return self.result.size

    @property
    def result(self) -> Tensor:
        if self.results:
            return self.results[0]
        return Tensor(broadcast([o.shape for o in self.operands]), self.x.itemsize)

    @property
    def output(self) -> Output:
        """Where the result goes: over the first operand, or to a storage of its own."""
        return "inplace" if self.inplace else "new"

    @property
    def training(self) -> bool:
        return self.options.on("training", True)

    def whole(self, name: str, default: int = 1) -> int:
        return int(self.options.number(name, default))

    def wants(self, position: int) -> bool:
        """Is a gradient of this operand asked for?"""
        return position in self.wanted

    def weight(self, position: int = 1) -> str:
        """The name of the operand that is a weight: of a layer it is a parameter, of a function any tensor."""
        return "weight" if self.layer else OPERANDS[position]


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that shapes give together."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))


Rule: TypeAlias = Callable[[Site], "Effect | None"]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers what operations keep, by their short names."""

    def register(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, name
            RULES[name] = function
        return function

    return register
