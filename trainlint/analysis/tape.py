"""A recording of the tensor operations of a program in order, with what was alive around each.

It is what the memory of a step is computed from. The interpreter records only where `Program.tape` is set. Values stand
for tensors by identity: an operation that gives a new tensor gives a new `Array`, so that storages can be told apart.
`live` holds what the names of all scopes in progress stand for just before the operation: a tensor dies when no name,
no list and no graph holds it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from trainlint.analysis.arrays import Array
from trainlint.analysis.modules import is_module_class
from trainlint.analysis.values import Instance, Mapping, Obj, Place, Seq, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.autocast import Autocast
    from trainlint.analysis.facts import Cond, Event, Loop
    from trainlint.analysis.files import File
    from trainlint.analysis.run import Run
    from trainlint.analysis.scope import Scope

MAX_SITES = 20_000
# what stands for the work of playing them: all that is alive, summed over the entries
MAX_ALIVE = 1_000_000
# statements that an operation costs which is not recorded any more
UNRECORDED = 4
CHECKPOINTS = frozenset(
    {
        "torch.utils.checkpoint.checkpoint",
        "torch.utils.checkpoint.checkpoint_sequential",
        "deepspeed.checkpointing.checkpoint",
    }
)
# the scope and the name → the tensors that it holds
Live: TypeAlias = "dict[tuple[int, str], tuple[Array, ...]]"


@dataclass(slots=True, eq=False)
class Region:
    """A call under `torch.utils.checkpoint`: what it keeps for backward is dropped and computed again there.

    `reentrant` is the older way, which computes the results again as well.
    """

    reentrant: bool


@dataclass(slots=True, eq=False)
class Site:
    """One operation on tensors. `op` is its qualified name: `torch.nn.Conv2d`, `Tensor.view`, `operator.+`."""

    op: str
    node: ir.Expr | ir.Stmt
    file: File
    operands: tuple[Array, ...]
    results: tuple[Array, ...]
    # the arguments as given, without the tensor of a method
    positional: list[Value]
    named: dict[str, Value]
    grad: bool
    autocast: Autocast | None
    layer: Obj | None
    loops: tuple[Loop, ...]
    live: Live
    # the conditions around it that are not decided
    conds: tuple[tuple[int, Cond], ...]
    # the statements of the callers, outermost first
    via: tuple[ir.Stmt, ...]
    # the objects whose methods are in progress, outermost first: the modules that the operation belongs to
    within: tuple[Instance, ...]
    # the copies of the layer's parameters that autocast works with instead
    casts: tuple[Array, ...] = ()
    # the checkpointed call that it belongs to, the outermost
    region: Region | None = None
    # the recorded operation that this one is a part of
    whole: Site | None = None


@dataclass(slots=True, eq=False)
class Mark:
    """Something that happened between the operations: backward, step, zero_grad, an evaluation mode."""

    event: Event
    live: Live
    autocast: Autocast | None = None

    @property
    def loops(self) -> tuple[Loop, ...]:
        return self.event.loops


@dataclass(slots=True, eq=False)
class Returned:
    """A function is left with these tensors: they live on although no name may hold them for a while."""

    values: tuple[Array, ...]
    loops: tuple[Loop, ...]


@dataclass(slots=True, eq=False)
class Round:
    """A round of the innermost loop is over: what functions held that were called in it is gone."""

    live: Live
    loops: tuple[Loop, ...]


@dataclass(slots=True, eq=False)
class Settled:
    """A statement is over: of these, which a function gave it together, only what something holds lives on."""

    values: tuple[Array, ...]
    live: Live
    loops: tuple[Loop, ...]


Entry: TypeAlias = Site | Mark | Returned | Round | Settled


@dataclass(slots=True, eq=False)
class Tape:
    """The sites and marks of a program, in order; `full` where some were dropped.

    `compiled` are the places of `torch.compile`: what runs there are other operations than those that are recorded.
    """

    entries: list[Entry] = field(default_factory=list)
    full: bool = False
    compiled: list[Place] = field(default_factory=list)
    # what functions and operations gave the statement in progress, several at once, by the number of calls around it
    handed: dict[int, list[Array]] = field(default_factory=dict)
    # the sum of what was alive
    alive: int = 0

    def add(self, entry: Entry) -> None:
        self.alive += len(entry.live) if not isinstance(entry, Returned) else 0
        if len(self.entries) >= MAX_SITES or self.alive > MAX_ALIVE:
            self.full = True
        else:
            self.entries.append(entry)


def record(
    run: Run,
    scope: Scope,
    op: str,
    node: ir.Expr | ir.Stmt,
    operands: list[Value],
    result: Value,
    positional: list[Value],
    named: dict[str, Value],
    before: int,
    layer: Obj | None = None,
) -> Value:
    """Record an operation whose inner ones would stand from `before` on; gives the result, as a new value if need be.

    An operation that consists of others, all of them recorded, is not recorded itself.
    """
    tape = run.program.tape
    if tape is None or run.muted:
        return result
    if op in HANDS_ON or (op in CONTAINERS and any(result is operand for operand in operands)):
        return result
    if composed(op) and any(isinstance(entry, Site) for entry in tape.entries[before:]):
        return result
    given = tuple(tensors(operands))
    fresh = renewed(result, {id(a) for a in given})
    results = tuple(tensors([fresh]))
    if results and tape.full:
        # nothing more is learnt of the step: the program is not to be followed much longer
        run.budget -= UNRECORDED
    elif results:
        around = (run.loops, alive(run), run.conds, run.via, receivers(run))
        file, place = run.billing(scope, node)
        site = Site(op, place, file, given, results, positional, named, run.grad, run.autocast, layer, *around)
        site.region = run.region
        tape.add(site)
        if len(results) > 1:
            # `x.max(1)[0]` throws the places away
            tape.handed.setdefault(len(run.frames), []).extend(results)
    return fresh


# these give what they are given, or what a function made of it
HANDS_ON = frozenset(
    (
        *(f"builtins.{name}" for name in ("list", "tuple", "set", "dict", "map", "filter", "zip", "enumerate")),
        *(f"builtins.{name}" for name in ("reversed", "sorted", "next", "iter", "getattr", "sum")),
        *("torch.autograd.Variable", "torch.autograd.variable.Variable", "torch.Variable"),
    )
)

# without layers they give what they are given
CONTAINERS = frozenset({"torch.nn.Sequential"})


def composed(op: str) -> bool:
    """Does an operation cost what the recorded operations inside of it cost?

    Not so a model of another library, whose inside is not on the tape.
    """
    if (
        op in CHECKPOINTS
        or op.endswith("FullyShardedDataParallel")
        or op.startswith(("torch.nn.", "Tensor.", "operator.", "einops."))
    ):
        return True
    return op.startswith("torch.") and op.count(".") == 1


# the events that move memory
MARKED = frozenset({"backward", "step", "zero_grad", "unknown_call"})


def mark(run: Run, event: Event) -> None:
    """Record an event between the operations."""
    tape = run.program.tape
    if tape is not None and event.kind in MARKED and not tape.full:
        tape.add(Mark(event, alive(run), run.autocast))
    elif tape is not None and event.kind == "item" and isinstance(event.subject, Array):
        # `x.argmax().item()` leaves the tensor behind
        tape.handed.setdefault(len(run.frames), []).append(event.subject)


def left(run: Run, result: Value) -> None:
    """Record that a function of the workspace is left with a result."""
    if run.program.tape is not None and not run.muted:
        values, tape, depth = tuple(held_by(result)), run.program.tape, len(run.frames)
        if values:
            tape.add(Returned(values, run.loops))
        # what `return f(x)[0]` leaves behind settles with the statement of the caller
        several = [*tape.handed.pop(depth + 1, ()), *(values if len(values) > 1 else ())]
        if several:
            tape.handed.setdefault(depth, []).extend(several)


def statement_begins(run: Run) -> None:
    """What is in flight now belongs to the loop or condition around the statement."""
    if run.program.tape is not None:
        run.program.tape.handed.pop(len(run.frames), None)


def statement_over(run: Run) -> None:
    """Record what functions gave a statement, several values at once: `critic(x)[0]` throws the others away."""
    tape = run.program.tape
    values = tape.handed.pop(len(run.frames), None) if tape is not None and not run.muted else None
    if tape is not None and values:
        tape.add(Settled(tuple(values), alive(run), run.loops))


def settled(run: Run, value: Value) -> None:
    """Record that a tensor has gone where no name holds it: it lies in the place of another one (`p.data = x`)."""
    if run.program.tape is not None and not run.muted and isinstance(value, Array):
        run.program.tape.add(Settled((value,), alive(run), run.loops))


def round_over(run: Run) -> None:
    """Record that the body of a loop has been left."""
    if run.program.tape is not None and not run.muted and not run.program.tape.full:
        run.program.tape.add(Round(alive(run), run.loops))


def renewed(result: Value, known: set[int]) -> Value:
    """The result with other identities than the operands have."""
    if isinstance(result, Array):
        return result.but() if id(result) in known else result
    if isinstance(result, Seq) and result.items is not None and any(id(item) in known for item in result.items):
        return Seq(result.kind, [renewed(item, known) for item in result.items], None, result.origin)
    return result


def tensors(values: list[Value]) -> Iterator[Array]:
    """The arrays among values and in the lists among them."""
    for value in values:
        if isinstance(value, Array) and value.lib == "torch":
            yield value
        elif isinstance(value, Seq) and value.items is not None:
            yield from tensors(value.items)


def alive(run: Run) -> Live:
    """What the names of all scopes, and the calls of modules, in progress hold."""
    found: Live = {}
    for frame in run.frames:
        if frame.scope is not None:
            for name, value in frame.scope.names.items():
                held = tuple(held_by(value))
                if held:
                    found[id(frame.scope), name] = held
    for level, values in enumerate(run.given):
        held = tuple(array for value in values for array in held_by(value))
        if held:
            found[level, "(arguments)"] = held
    return found


def receivers(run: Run) -> tuple[Instance, ...]:
    """The objects whose methods are in progress."""
    scopes = (frame.scope for frame in run.frames if frame.scope is not None)
    return tuple(value for scope in scopes if isinstance(value := scope.names.get("self"), Instance))


def held_by(value: Value, depth: int = 3) -> Iterator[Array]:
    """The arrays that a value keeps: itself, the items of lists and dicts, tensor attributes of objects."""
    if isinstance(value, Array):
        yield value
    elif depth == 0:
        return
    elif isinstance(value, Seq):
        items = value.items if value.items is not None else [value.elem] if value.elem is not None else []
        for item in items:
            yield from held_by(item, depth - 1)
    elif isinstance(value, Mapping):
        for item in value.items.values():
            yield from held_by(item, depth - 1)
    elif isinstance(value, Instance):
        for item in value.attrs.values():
            if isinstance(item, (Array, Seq, Mapping)):
                yield from held_by(item, 1)
            elif isinstance(item, Instance) and depth > 1 and not is_module_class(item.cls):
                yield from held_by(item, depth - 1)
