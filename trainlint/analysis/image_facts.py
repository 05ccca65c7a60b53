"""Facts about images beyond their use: colours converted, steps of pipelines, sizes in the wrong order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Obj, Place, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.files import File


@dataclass(slots=True, eq=False)
class ColourChange:
    """A conversion of colours: from which order it takes the image (`BGR`), which it gives (`RGB`), and the image."""

    op: str
    node: ir.Expr
    file: File
    source: str
    target: str
    value: Array

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Normalisation:
    """A mean is subtracted and divided by a standard deviation, one number a channel (None: not known).

    `value` is the image before; `maker` the place where the transform was built.
    """

    op: str
    node: ir.Expr
    file: File
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    value: Array
    maker: Place | None = None

    @property
    def place(self) -> Place:
        return self.maker if self.maker is not None else Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Refusal:
    """A step of a transform pipeline gets something that it does not take, and raises.

    `takes` says what it takes in words; `value` is what it gets; `pipeline` the Compose it stands in.
    """

    op: str
    step: Obj
    file: File
    takes: str
    value: Array
    pipeline: Obj | None = None

    @property
    def place(self) -> Place:
        return Place(self.step.file, self.step.node)


@dataclass(slots=True, eq=False)
class SizeOrder:
    """A size is given as `(height, width)` where `takes` says `(width, height)`, or the reverse."""

    op: str
    node: ir.Expr
    file: File
    takes: str
    sizes: tuple[Value, Value]
    argument: ir.Expr | None
    value: Value

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)
