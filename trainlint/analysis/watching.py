"""What an interpretation saw, for hovers: the values of expressions by call path, the outputs of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trainlint.analysis.arrays import Array
from trainlint.analysis.joins import join
from trainlint.analysis.outside import Outside
from trainlint.analysis.parameters import Holdings, holdings
from trainlint.analysis.values import Obj, Seq, Unknown, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.facts import Trace
    from trainlint.analysis.run import Run

# call paths that are told apart at one expression, outputs that are kept of one module
MAX_PATHS = 8
MAX_OUTPUTS = 4
# the blocks of a compound statement, in the order of their lines
BLOCKS = ("body", "handlers", "cases", "orelse", "final")


class Sighting(NamedTuple):
    """A value of an expression, and how much had happened in its trace before."""

    value: Value
    trace: Trace
    events: int


class Freeze(NamedTuple):
    """`requires_grad` of all parameters of a module was set: `listing` is its `parameters()` in the loop that did so,
    `value` what `requires_grad_()` was called with. `at` is the time, as in `Obj.born`."""

    module: Value
    at: int
    node: ir.Expr
    listing: Obj | None = None
    value: Value | None = None


class Watch:
    """Records the values of the expressions of some statements while a program is interpreted."""

    def __init__(self, statements: frozenset[ir.Stmt], outside: Outside | None = None) -> None:
        self.statements = statements
        self.outside = outside if outside is not None else Outside()
        self.values: dict[tuple[ir.Stmt, int], dict[tuple[ir.Stmt, ...], Sighting]] = {}
        # identity of a module → the module, what calling it gave
        self.outputs: dict[int, tuple[Value, list[Value]]] = {}
        self.freezes: list[Freeze] = []
        # path, first and last line of branches that were decided not to run
        self.skipped: set[tuple[str, int, int]] = set()
        # the places that set `requires_grad` of parameters that are told apart
        self.frozen: set[int] = set()
        self._holdings: dict[int, tuple[Value, Holdings]] = {}

    def holdings(self, module: Value) -> Holdings:
        """Parameters and buffers of a module when all has run."""
        found = self._holdings.get(id(module))
        if found is None:
            found = self._holdings[id(module)] = (module, holdings(module))
        return found[1]

    def see(self, run: Run, expr: ir.Expr, value: Value) -> None:
        """An expression of one of the statements has this value; the last one of a call path counts."""
        paths = self.values.setdefault((expr.stmt, expr.ord), {})
        if run.via in paths or len(paths) < MAX_PATHS:
            paths[run.via] = Sighting(value, run.trace, len(run.trace.events))

    def gave(self, module: Value, result: Value) -> None:
        """A module was called with this result."""
        known = self.outputs.setdefault(id(module), (module, []))[1]
        if len(known) < MAX_OUTPUTS:
            known.append(result)

    def skip(self, path: str, block: list[ir.Stmt]) -> None:
        """A branch is not taken."""
        if block:
            self.skipped.add((path, block[0].first_line, end_of(block[-1])))

    def seen(self, stmt: ir.Stmt, ordinal: int) -> Sighting | None:
        """What is known of an expression over all call paths; those where nothing is known say nothing."""
        paths = list(self.values.get((stmt, ordinal), {}).values())
        if not paths:
            return None
        telling = [s for s in paths if not isinstance(s.value, Unknown)] or paths[:1]
        value = telling[0].value
        for other in telling[1:]:
            value = join(value, other.value)
        return telling[-1]._replace(value=telling[-1].value if isinstance(value, Unknown) else value)

    def output(self, module: Value) -> Value | None:
        """What calling a module gives: the first result whose shape is known."""
        results = self.outputs.get(id(module), (module, []))[1]
        return max(results, key=knowledge, default=None)


def end_of(stmt: ir.Stmt) -> int:
    """The last line of a statement with all that is in it."""
    while inner := [part for name in BLOCKS for part in getattr(stmt, name, None) or ()]:
        stmt = inner[-1]
    return stmt.last_line


def knowledge(value: Value) -> int:
    """How much is known of a result."""
    if isinstance(value, Array):
        return 2 if value.shape is not None else 1 if value.tail is not None else 0
    if isinstance(value, Seq):
        return max((knowledge(item) for item in value.items or ()), default=0)
    return -1
