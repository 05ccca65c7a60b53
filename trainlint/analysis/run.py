"""The state of one interpretation: where it is, what is in force there, and what it has reported so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainlint.analysis.facts import Cond, Event, EventKind, Loop, Trace
from trainlint.analysis.values import Place, Step, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.program import File, Program
    from trainlint.analysis.scope import Scope

# Caps (ANALYSIS §7): beyond them values are Unknown and absence rules are silent.
MAX_DEPTH = 6
MAX_STATEMENTS = 5_000


class Frame:
    """A call in progress: what it returned so far."""

    __slots__ = ("function", "owner", "returns", "yields")

    def __init__(self, function: str, owner: Value | None = None) -> None:
        self.function = function
        self.owner = owner
        self.returns: list[Value] = []
        self.yields: list[Value] = []


class Run:
    """Interprets one entry of a file. Events and facts go to `trace` and `facts` unless `muted`."""

    __slots__ = (
        "active",
        "budget",
        "conds",
        "depth",
        "facts",
        "frames",
        "grad",
        "granted",
        "loops",
        "muted",
        "program",
        "trace",
        "via",
    )

    def __init__(self, program: Program, trace: Trace) -> None:
        self.program = program
        self.trace = trace
        self.facts: list[object] = []
        self.loops: tuple[Loop, ...] = ()
        self.conds: tuple[tuple[int, Cond], ...] = ()
        self.frames: list[Frame] = []
        self.via: tuple[ir.Stmt, ...] = ()
        self.active: list[ir.FunctionDef | ir.Lambda] = []
        self.grad = True
        self.muted = 0
        self.depth = 0
        # what is left for this entry, within what is left for the file
        self.budget = max(0, min(MAX_STATEMENTS, program.left()))
        self.granted = self.budget

    @property
    def function(self) -> str:
        return self.frames[-1].function if self.frames else ""

    def spend(self) -> bool:
        """Count one statement; False where the budget is used up."""
        self.budget -= 1
        if self.budget < 0:
            self.trace.incomplete = True
            return False
        return True

    def event(
        self,
        kind: EventKind,
        node: ir.Expr | ir.Stmt,
        scope: Scope,
        subject: Value,
        value: Value | None = None,
        args: tuple[Value, ...] = (),
        name: str = "",
    ) -> None:
        if self.muted:
            return
        self.trace.events.append(
            Event(
                kind,
                node,
                scope.file,
                subject,
                value,
                self.loops,
                self.conds,
                tuple(frame.function for frame in self.frames),
                self.grad,
                args,
                name,
                self.via,
            )
        )

    def fact(self, fact: object) -> None:
        if not self.muted:
            self.facts.append(fact)

    @contextmanager
    def under(self, cond: Cond | None) -> Iterator[None]:
        """Inside, events carry the condition."""
        if cond is None:
            yield
            return
        saved = self.conds
        self.conds = (*saved, (len(self.loops), cond))
        try:
            yield
        finally:
            self.conds = saved

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Inside, nothing is reported."""
        self.muted += 1
        try:
            yield
        finally:
            self.muted -= 1


def step(file: File, node: ir.Expr | ir.Stmt, text: str, before: Value | None = None) -> Step:
    """An origin step at `node`."""
    return Step(Place(file.path, node), text, before.origin if before is not None else None)
