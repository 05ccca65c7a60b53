"""The state of one interpretation: where it is, what is in force there, and what it has reported so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from trainlint.analysis.autocast import Autocast
from trainlint.analysis.facts import Cond, Event, EventKind, ImageUse, Loop, Trace, Violation
from trainlint.analysis.values import Instance, Obj, Place, Step, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.files import File
    from trainlint.analysis.program import Program
    from trainlint.analysis.scope import Scope
    from trainlint.analysis.tape import Region

# Caps (ANALYSIS §7): beyond them values are Unknown and absence rules are silent.
MAX_DEPTH = 14
# how often one function may be in progress: recursive models are built a few levels deep
MAX_RECURSION = 3
# both where memory is counted: a library's model is a few calls deeper, and its parts are visited recursively
MAX_DEPTH_COUNTED = 40
MAX_RECURSION_COUNTED = 12
MAX_STATEMENTS = 12_000
# where memory is counted, which is asked for one file at a time: a large model takes 100 000 to be built and called
MAX_COUNTED = 200_000

Node = TypeVar("Node", bound="ir.Expr | ir.Stmt")
MISSING: Any = object()
# (identity of the object, attribute) → the object, the attribute (empty: all of it), what was there before
Journal: TypeAlias = "dict[tuple[int, str], tuple[Value, str, Any]]"


class Frame:
    """A call in progress: what it returned so far."""

    __slots__ = ("around", "function", "owner", "returns", "scope", "start", "yields")

    def __init__(
        self,
        function: str,
        owner: Value | None = None,
        start: int = 0,
        scope: Scope | None = None,
        around: tuple[int, int] = (0, 0),
    ) -> None:
        self.function = function
        self.scope = scope
        self.start = start
        self.owner = owner
        # how many loops and conditions are around the call
        self.around = around
        self.returns: list[Value] = []
        # what a generator gives; None stands for any number of elements that are not told one by one
        self.yields: list[Value | None] = []


class Run:
    """Interprets one entry of a file. Events and facts go to `trace` and `facts` unless `muted`."""

    __slots__ = (
        "active",
        "assuming",
        "attribute_floor",
        "autocast",
        "billed",
        "budget",
        "conds",
        "depth",
        "expecting",
        "facts",
        "floor",
        "frames",
        "given",
        "grad",
        "granted",
        "journal",
        "leaves",
        "loops",
        "muted",
        "outer_floor",
        "program",
        "region",
        "rounds",
        "supposing",
        "trace",
        "via",
        "way",
    )

    def __init__(self, program: Program, trace: Trace) -> None:
        self.program = program
        self.trace = trace
        self.facts: list[object] = []
        self.loops: tuple[Loop, ...] = ()
        self.conds: tuple[tuple[int, Cond], ...] = ()
        self.frames: list[Frame] = []
        # the arguments of the calls of modules in progress, where a tape is kept
        self.given: list[tuple[Value, ...]] = []
        self.via: tuple[ir.Stmt, ...] = ()
        self.active: list[ir.FunctionDef | ir.Lambda] = []
        self.grad = True
        # the context of automatic mixed precision in force
        self.autocast: Autocast | None = None
        # the file and node of the program that called the library code in progress, see `billing`
        self.billed: tuple[File, ir.Expr] | None = None
        # the call in progress that is checkpointed
        self.region: Region | None = None
        self.muted = 0
        # how many places around this one catch or expect an error
        self.expecting = 0
        self.depth = 0
        # what the branch in progress changed first, None outside of branches
        self.journal: Journal | None = None
        # an object made before `floor` (see `tick`) may not be the one of this round of a loop
        self.floor = 0
        self.attribute_floor = 0
        # defaults of options decide branches: a model is built as nobody asked for anything else
        self.assuming = False
        # how many of the silences are those of a model that is only supposed to be the one that is called
        self.supposing = 0
        # how the last block that did not reach its end was left: return, raise, break, continue
        self.way = ""
        # names where rounds of the unrolled loop in progress were left under a condition
        self.leaves: list[tuple[str, dict[str, Value]]] | None = None
        # an object made before this was made before the loop around the innermost one began, or before its own
        self.outer_floor = 0
        # how often the loops of the function in progress that are unrolled run, one in the other
        self.rounds = 1
        # what is left for this entry, within what is left for the file
        most = MAX_STATEMENTS if program.tape is None else MAX_COUNTED
        self.budget = max(0, min(most, program.left()))
        self.granted = self.budget

    @property
    def function(self) -> str:
        return self.frames[-1].function if self.frames else ""

    @property
    def by_default(self) -> bool:
        """Do defaults of options decide: in the constructor of a model, and where the memory of a step is asked for?"""
        return self.assuming or self.program.tape is not None

    def full(self, definition: ir.FunctionDef | ir.Lambda, given: Iterable[Value]) -> str:
        """The cap that one more call of a function exceeds, `depth` or `recursion`; empty where none is.

        A recursion over known objects, the parts of a model, ends by itself.
        """
        counted = self.program.tape is not None
        if self.depth >= (MAX_DEPTH_COUNTED if counted else MAX_DEPTH):
            return "depth"
        deep = counted and any(isinstance(value, (Instance, Obj)) for value in given)
        return (
            "recursion" if self.active.count(definition) >= (MAX_RECURSION_COUNTED if deep else MAX_RECURSION) else ""
        )

    def spend(self) -> bool:
        """Count one statement; False where the budget is used up. The code of libraries has a budget of its own."""
        if self.billed is not None and self.program.library_budget > 0:
            self.program.library_budget -= 1
            return True
        self.budget -= 1
        if self.program.heed is not None:
            self.program.heed()
        if self.budget < 0:
            self.trace.incomplete = True
            self.program.caps["statements"] += 1
            return False
        return True

    def touch(self, holder: Value, name: str = "") -> None:
        """The object (or one attribute of it) is about to be changed: a branch must be able to undo that."""
        if self.journal is not None and (id(holder), name) not in self.journal:
            from trainlint.analysis.branches import current

            self.journal[id(holder), name] = (holder, name, current(holder, name))

    def billing(self, scope: Scope, node: Node) -> tuple[File, Node | ir.Expr]:
        """The file and node that something belongs to: inside of a library those of the program that called it."""
        if scope.file.library and self.billed is not None:
            return self.billed
        return scope.file, node

    def tick(self) -> int:
        """The time of birth of a new list, dict or object."""
        self.program.clock += 1
        return self.program.clock

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
        file, place = self.billing(scope, node)
        event = Event(
            kind,
            place,
            file,
            subject,
            value,
            self.loops,
            self.conds,
            tuple(frame.function for frame in self.frames),
            self.grad,
            args,
            name,
            self.via,
            self.expecting > 0,
        )
        self.trace.events.append(event)
        if self.program.tape is not None:
            from trainlint.analysis.tape import mark

            mark(self, event)

    def fact(self, fact: object) -> None:
        # what an image meets in a model that is only supposed is worth a finding, as a likely one
        if not self.muted or (self.muted == self.supposing and isinstance(fact, ImageUse)):
            self.facts.append(fact)

    def violated(self, fact: Violation) -> None:
        """Report a violated requirement, unless the code around it catches or expects the error (`pytest.raises`).

        Under an undecided condition on the object or on a parameter (`if self.shortcut:`) nothing is proved: with the
        sizes that are violated the branch may never be taken.
        """
        if not self.expecting and not any(guards(cond.test, self.active) for _, cond in self.conds):
            self.fact(fact)

    @contextmanager
    def expected(self, errors: bool) -> Iterator[None]:
        """Inside, a violated requirement is not reported where `errors` are caught or expected."""
        self.expecting += errors
        try:
            yield
        finally:
            self.expecting -= errors

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
    def supposed(self) -> Iterator[None]:
        """Inside, nothing is reported but the uses of images, whose values the caller marks as likely."""
        self.muted += 1
        self.supposing += 1
        try:
            yield
        finally:
            self.muted -= 1
            self.supposing -= 1

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Inside, nothing is reported."""
        self.muted += 1
        try:
            yield
        finally:
            self.muted -= 1


def method(function: ir.FunctionDef) -> bool:
    return bool(function.params) and function.params[0].name == "self"


def guards(test: ir.Expr, active: list[ir.FunctionDef | ir.Lambda]) -> bool:
    """Does the test ask an attribute of `self`, or a parameter of a function whose caller is known?

    Such a condition may hang together with the sizes: the branch is then not taken where they do not fit.
    """
    called = [f for n, f in enumerate(active) if isinstance(f, ir.FunctionDef) and (n or method(f))]
    parameters = {param.name for function in called for param in function.params}
    stack: list[object] = [test]
    while stack:
        node = stack.pop()
        if isinstance(node, ir.Attr) and isinstance(node.value, ir.Name) and node.value.id == "self":
            return True
        if isinstance(node, ir.Name) and node.id in parameters:
            return True
        for part in ("left", "right", "operand", "func", "value"):
            child = getattr(node, part, None)
            if isinstance(child, ir.Expr):
                stack.append(child)
        stack += getattr(node, "comparators", None) or ()
        stack += getattr(node, "args", None) or ()
    return False


def step(file: File, node: ir.Expr | ir.Stmt, text: str, before: Value | None = None) -> Step:
    """An origin step at `node`."""
    return Step(Place(file.path, node), text, before.origin if before is not None else None)
