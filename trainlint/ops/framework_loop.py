"""Training loops that a framework runs: the caller hands in models and data, the steps happen inside the library.

They are followed only where the memory of a step is asked for (`Program.tape`); everything that happens in them stands
at the call that starts them (`trainer.fit(…)`).
"""

from __future__ import annotations

from collections.abc import Callable

from trainlint.analysis.arrays import Array
from trainlint.analysis.arrival import to_device
from trainlint.analysis.branches import fork
from trainlint.analysis.calls import call, call_method
from trainlint.analysis.facts import Cond, Event, Loop
from trainlint.analysis.iteration import iterate
from trainlint.analysis.registry import OpCall
from trainlint.analysis.run import Frame
from trainlint.analysis.scalars import binary
from trainlint.analysis.scope import Scope
from trainlint.analysis.statements import enter
from trainlint.analysis.tape import Mark, alive
from trainlint.analysis.values import Const, Ext, Mapping, Obj, Seq, Unknown, Value
from trainlint.syntax import ir


class FrameworkLoop:
    """One loop over the batches of a loader. `names` are what the framework's own function holds in its variables."""

    def __init__(self, at: OpCall, function: str, every: int = 1) -> None:
        self.at = at
        self.run = at.run
        self.function = function
        # gradients are accumulated over so many batches
        self.every = every
        self.scope = Scope("function", at.scope.file, None, function)
        # options that change the step in a way that is not followed
        self.unseen: list[str] = []
        # are the batches of a whole cycle of accumulation fetched before the first of them is used?
        self.ahead = False

    @property
    def names(self) -> dict[str, Value]:
        return self.scope.names

    def over(self, loader: Value, body: Callable[[Value], None]) -> None:
        """Run the body on a batch of the loader, on the device, as one round of a loop."""
        run, node = self.run, self.at.node
        loop = Loop(header(node), self.at.scope.file, loader, self.function, None, run.via)
        if not run.muted:
            run.trace.loops.append(loop)
        batch = self.batch(loader)
        saved_loops, saved_floor, saved_leaves = run.loops, run.floor, run.leaves
        run.loops = (*saved_loops, loop)
        run.floor, run.leaves = run.tick(), []
        run.frames.append(Frame(self.function, None, run.tick(), self.scope))

        def one() -> bool:
            self.names["batch"] = to_device(run, self.at.scope, batch, node)
            for what in self.unseen:
                run.event("unknown_call", node, self.at.scope, Unknown(what), None, (self.names["batch"],), what)
            body(self.names["batch"])
            self.done(self.fetched(batch))
            return False

        fork(run, one, lambda: False)
        run.frames.pop()
        run.loops, run.floor, run.leaves = saved_loops, saved_floor, saved_leaves

    def fetched(self, batch: Value) -> Value | None:
        """At the end of a cycle the batches of the next one, while those of this one are still there.

        Gives those that wait while one is used.
        """
        if not self.ahead or self.every == 1:
            return None
        with self.run.under(self.sometimes()):
            found = [to_device(self.run, self.at.scope, batch, self.at.node) for _ in range(self.every)]
            self.names["fetched"] = Seq("list", found)
            self.note()
        return Seq("list", found[1:])

    def batch(self, loader: Value) -> Value:
        """What a loader gives, or each of several in a list or dict."""
        if isinstance(loader, Mapping):
            return Mapping({key: self.batch(part) for key, part in loader.items.items()}, loader.open)
        if isinstance(loader, Seq) and loader.items is not None:
            return Seq("list", [self.batch(part) for part in loader.items])
        return iterate(self.run, self.at.scope, loader, self.at.node)

    def call(self, callee: Value, args: list[Value], kwargs: dict[str, Value] | None = None) -> Value:
        return call(self.run, self.scope, callee, args, kwargs or {}, self.at.node)

    def method(self, receiver: Value, name: str, *args: Value) -> Value:
        return call_method(self.run, self.scope, receiver, name, list(args), {}, self.at.node)

    def backward(self, loss: Value) -> None:
        self.run.event("backward", self.at.node, self.at.scope, loss)

    def zero_grad(self, subject: Value) -> None:
        """Clear the gradients of an optimizer or a model, in one batch of a cycle."""
        with self.run.under(self.sometimes()):
            self.run.event("zero_grad", self.at.node, self.at.scope, subject)

    def step(self, optimizer: Value) -> None:
        with self.run.under(self.sometimes()):
            self.run.event("step", self.at.node, self.at.scope, optimizer)

    def sometimes(self) -> Cond | None:
        """The condition of what happens once a cycle of accumulation."""
        return Cond(self.at.node, True, "modulo", Const(self.every)) if self.every > 1 else None

    def autocast(self, dtype: str | None) -> None:
        """From here on mixed precision is in force, until `plain` is called; None changes nothing."""
        if dtype is not None:
            kwargs: dict[str, Value] = {"dtype": Ext(f"torch.{dtype}")}
            context = Obj("torch.autocast", "autocast", self.at.node, [Const("cuda")], kwargs)
            enter(self.run, self.scope, context, self.at.node, [])

    def done(self, waiting: Value | None) -> None:
        """The function of the framework that ran the step is left: what its variables held is let go.

        `waiting` are the batches that the next rounds use.
        """
        self.names.clear()
        if waiting is not None:
            self.names["waiting"] = waiting
        self.note()

    def note(self) -> None:
        """Let the tape see what the variables hold now."""
        run, at = self.run, self.at
        if run.program.tape is not None and not run.muted:
            event = Event("move", at.node, at.scope.file, Unknown(), None, run.loops, run.conds, (), run.grad)
            run.program.tape.add(Mark(event, alive(run)))


def header(node: ir.Expr) -> ir.For:
    """A loop that stands where the call stands; its body is not the program's."""
    found = ir.For(node, node, [], [], False)
    stmt = node.stmt
    found.unit, found.index, found.line, found.end = stmt.unit, stmt.index, stmt.line, stmt.end
    return found


def whole(value: Value | None, default: int) -> int | None:
    """The integer of an option, the default where it was not given, None where it is not known."""
    if value is None:
        return default
    return value.value if isinstance(value, Const) and isinstance(value.value, int) else None


def division_by(call: OpCall, loss: Array, number: int) -> Value:
    """`loss / number`, as frameworks do it for the mean over accumulated batches, also where nothing is accumulated."""
    node = call.node
    found = ir.BinOp("/", node, node)
    found.stmt, found.ord = node.stmt, node.ord
    return binary(call.run, call.scope, "/", loss, Const(number), found)
