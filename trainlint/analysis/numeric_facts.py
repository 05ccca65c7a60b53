"""Facts about numerics: formulas that overflow, or whose gradient is not finite, where a stable form exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Place
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.files import File


@dataclass(slots=True, eq=False)
class Unstable:
    """A formula with a weakness of numbers.

    form: `softmax` (exponentials divided by their sum), `logsumexp` (the logarithm of a sum of exponentials), `root`
    (the root of a sum of squares that is kept from 0 only after the root was taken). `value` is the operand, `made`
    the place of the exponential or the root.
    """

    form: Literal["softmax", "logsumexp", "root"]
    node: ir.Expr
    file: File
    value: Array
    made: Place | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)
