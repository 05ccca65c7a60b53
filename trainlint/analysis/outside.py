"""What a program gets from outside and does not state: an option without a default, an environment variable, a key of a
file that is not here, a parameter that no call fills.

Such a value is one `Unknown`, whichever expressions read it. The program can be interpreted again with a value given
for it: the same expressions then have that value wherever they would not be known.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainlint.analysis.values import Ext, Value
from trainlint.syntax import ir

# what reads a value; anything else computes with it
READS = (ir.Name, ir.Attr, ir.Subscript, ir.Call)
# how people name the batch size, beside all that has `batch` in it
SHORT = frozenset({"bs", "bsz", "mbs"})


class Outside:
    """Collects the expressions that read each unknown value, by the identity of the value.

    `given` are values for expressions; they are what these give where they are not known.
    """

    def __init__(self, given: Mapping[ir.Expr, Value] | None = None) -> None:
        self.given = given or {}
        self.reads: dict[int, tuple[Value, dict[ir.Expr, None]]] = {}

    def see(self, expr: ir.Expr, value: Value) -> Value:
        """An expression reads a value that is not known; the value that is given for it, else this one."""
        found = self.given.get(expr)
        if found is not None:
            return found
        # of the names of libraries, only what may be a number of a module that is not here
        if isinstance(expr, READS) and (not isinstance(value, Ext) or of_batch(expr)):
            self.reads.setdefault(id(value), (value, {}))[1][expr] = None
        return value

    def expressions(self, value: Value) -> list[ir.Expr]:
        """What reads a value that is not known."""
        return list(self.reads.get(id(value), (value, {}))[1])


def of_batch(expr: ir.Expr) -> bool:
    """Is an expression named as a batch size is?"""
    word = word_of(expr).strip("-").lower()
    return "batch" in word or word in SHORT


def word_of(expr: ir.Expr) -> str:
    """The last name of an expression: `batch_size` of `args.batch_size`, `cfg["batch_size"]` and `batch_size`."""
    if isinstance(expr, ir.Name):
        return expr.id
    if isinstance(expr, ir.Attr):
        return expr.name
    if isinstance(expr, ir.Subscript) and isinstance(expr.index, ir.Const):
        return str(expr.index.value)
    if isinstance(expr, ir.Call):
        # `os.environ.get("BATCH")`, `int(os.environ["BATCH"])`
        words = [str(arg.value) if isinstance(arg, ir.Const) else word_of(arg) for arg in expr.args[:1]]
        return words[0] if words else ""
    return ""
