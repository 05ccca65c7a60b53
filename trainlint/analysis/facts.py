"""The facts that rules subscribe to. They are produced once per program by the interpreter and `analysis.loops`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Const, Obj, Place, Sym, Value
from trainlint.syntax import ir

if TYPE_CHECKING:
    from trainlint.analysis.files import File

EventKind = Literal[
    "zero_grad",
    "forward",
    "loss",
    "backward",
    "clip",
    "unscale",
    "step",
    "scheduler_step",
    "scaler_step",
    "scaler_update",
    "train_mode",
    "eval_mode",
    "item",
    "accumulate",
    "append",
    "save",
    "set_epoch",
    "move",
    "optimizer",
    "unknown_call",
]


@dataclass(frozen=True, slots=True)
class Cond:
    """A condition that guards a place: its test, whether it must hold, and its kind.

    kind: `modulo` (`i % k == 0` and its kin: every k-th iteration), `last` (the last batch), `other`.
    """

    test: ir.Expr
    holds: bool
    kind: str
    period: Value | None = None


class Loop:
    """One loop as the interpreter went through it: once per call path. `over` is the value it iterates.

    `owner` is the class whose method it stands in; `via` are the statements of the callers, outermost first; `rounds`
    says how often it certainly runs, as far as it was gone through, None where that is not known.
    """

    __slots__ = ("file", "function", "node", "over", "owner", "rounds", "via")

    def __init__(
        self,
        node: ir.For | ir.While,
        file: File,
        over: Value | None,
        function: str,
        owner: Value | None = None,
        via: tuple[ir.Stmt, ...] = (),
    ) -> None:
        self.node = node
        self.file = file
        self.over = over
        self.function = function
        self.owner = owner
        self.via = via
        self.rounds: Value | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Event:
    """Something that happened in the course of training, in program order.

    `subject` is what it happened to (the optimizer of a step, the value of a backward, the module of a forward);
    `value` what else took part (the argument of an append); `loops` are the loops around it, outermost first, across
    calls; `conds` the conditions around it (all of them; `conds_in(loop)` gives those inside a loop);
    `grad` is False where a no_grad or inference_mode context is in force.
    """

    kind: EventKind
    node: ir.Expr | ir.Stmt
    file: File
    subject: Value
    value: Value | None
    loops: tuple[Loop, ...]
    conds: tuple[tuple[int, Cond], ...]
    frames: tuple[str, ...]
    grad: bool
    args: tuple[Value, ...] = ()
    name: str = ""
    # the statement of the caller, innermost last, where the event happened inside an inlined call
    via: tuple[ir.Stmt, ...] = ()
    # does the code around it catch or expect an error?
    expected: bool = False
    # what the arguments hold, found once when a rule asks (`loops.touches`)
    reach: frozenset[int] | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)

    def conds_in(self, loop: Loop) -> tuple[Cond, ...]:
        """The conditions between the head of `loop` and the event."""
        depth = self.loops.index(loop) + 1
        return tuple(cond for level, cond in self.conds if level >= depth)

    def inside(self, loop: Loop) -> bool:
        return loop in self.loops


@dataclass(slots=True, eq=False)
class Call:
    """A call of an external function or class by its qualified name, with its arguments as values."""

    name: str
    node: ir.Call
    file: File
    args: list[Value]
    kwargs: dict[str, Value]
    result: Value
    loops: tuple[Loop, ...]
    grad: bool
    function: str
    in_class: object | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)

    def arg(self, index: int, name: str) -> Value | None:
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[index] if 0 <= index < len(self.args) else None

    @property
    def spilled(self) -> bool:
        return "**" in self.kwargs or "*" in self.kwargs


@dataclass(slots=True, eq=False)
class Optimizer:
    """An optimizer that is built. `family` is `adam`, `sgd` or `other`; `lr` is None where it was not given."""

    name: str
    family: str
    node: ir.Call
    file: File
    value: Obj
    lr: Value | None
    lr_node: ir.Expr | None
    function: str
    params: Value | None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Scheduler:
    """A learning-rate scheduler that is built; `optimizer` is the value it was given."""

    name: str
    node: ir.Call
    file: File
    value: Obj
    optimizer: Value | None
    function: str
    trace: Trace | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class DataLoader:
    """A `torch.utils.data.DataLoader` that is built.

    `batch_size` is the value given or the constant 1 that torch uses; `length` the number of samples where known;
    `role` is `train` or `eval` where loops or names prove it, else None.
    """

    node: ir.Call
    file: File
    value: Obj
    dataset: Value | None
    batch_size: Value
    shuffle: Value | None
    drop_last: Value | None
    sampler: Value | None
    length: Value | None
    function: str
    role: str | None = None
    loops: list[TrainLoop] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Loss:
    """A loss that is computed: `name` the loss class or function, `input` and `target` its arguments."""

    name: str
    node: ir.Call
    file: File
    input: Value | None
    target: Value | None
    result: Value
    loss: Obj | None
    keywords: dict[str, Value] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class ImageUse:
    """An image value reaches something that means images of a certain kind.

    `wants` holds what the sink needs: `layout` (`CHW` or `HWC`), `colour` (`RGB`), `range` (`unit`), `channels` (an int
    as text); `sink` names it for the message ("`Normalize` with ImageNet statistics").
    """

    node: ir.Expr
    file: File
    value: Value
    sink: str
    wants: dict[str, str]
    # the statements of the callers, innermost last, where the use is inside an inlined call
    via: tuple[ir.Stmt, ...] = ()
    # where the layer, model or transform that takes the image was built
    maker: Place | None = None
    # the use is a step of a pipeline: the arguments of `node` went through other steps before
    inside: bool = False

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


ViolationKind = Literal[
    "broadcast",  # operands whose sizes neither match nor are 1
    "channels",  # channels of the input ≠ those the layer takes
    "features",  # last axis of the input ≠ in_features of a Linear
    "rank",  # a layer or function that takes another number of axes
    "matmul",  # inner sizes of a matrix product
    "concat",  # parts of cat or stack that differ where they must not
    "reshape",  # a number of elements that the new shape cannot hold
    "kernel",  # a window larger than the (padded) input
    "index",  # an index or axis out of range
    "embedding",  # an index beyond the table of an Embedding
    "einops",  # a pattern that does not fit
    "loss",  # input and target of a loss that cannot be compared
    "dtype",  # a dtype that the operation refuses
    "device",  # operands on different devices
    "single",  # one value to normalise over, in train mode
    "argument",  # a constructor's own numbers do not fit together (groups, heads)
]


@dataclass(slots=True, eq=False)
class Violation:
    """A requirement of an operation that is proved to be violated: PyTorch raises here.

    `op` is the name of the operation as the message shows it, `values` the tensors and sizes the proof rests on,
    `names` what a message needs (`got`, `wanted`, …), `maker` the place where the layer was built.
    """

    kind: ViolationKind
    op: str
    node: ir.Expr
    file: File
    values: tuple[Value, ...]
    names: dict[str, Value | str]
    maker: Place | None = None
    loops: tuple[Loop, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)

    @property
    def default(self) -> str | None:
        """The overridable source that one of the sizes came through, if any."""
        return next((v.default for v in self.names.values() if isinstance(v, (Const, Sym)) and v.default), None)

    @property
    def likely(self) -> bool:
        """Does one of the tensors rest on an assumption?"""
        return any(isinstance(v, Array) and v.likely for v in self.values)


@dataclass(slots=True, eq=False)
class Dropped:
    """A method that gives a new tensor was called on its own line: its result is lost.

    `value` is the receiver: a tensor, or an Unknown (`promised == "tensor"` where its use proves that it is one).
    """

    op: str
    node: ir.Expr
    file: File
    value: Value

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Mixed:
    """One operation takes a tensor that was created without naming a device, and one that lives elsewhere.

    `other` is a tensor with a device or a graph of its own, an unknown parameter, or the layer that takes `created`.
    `forward` is the class of the module in whose `forward` this happens, None outside of one; `inside` says whether
    `created` was made there too.
    """

    op: str
    node: ir.Expr | ir.Stmt
    file: File
    created: Array
    other: Value
    forward: Value | None
    inside: bool

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class AxisChange:
    """`permute`, `transpose`, `reshape` … of an image: the layouts before and after (after: None where scrambled)."""

    op: str
    node: ir.Call
    file: File
    before: str
    after: str | None
    target: str | None
    value: Value

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class BatchMixed:
    """A reshape to (-1, k) of a tensor (`value`) whose first axis is the batch gives rows that are no whole samples.

    `k` is the number of elements of a row, `rest` that of a sample; neither divides the other. Where the reshape names
    the batch itself, `view(64, -1)`, `fixed` is that number and `last` the size of the last batch, which differs.
    """

    node: ir.Expr
    file: File
    value: Array
    k: Value
    rest: Value
    fixed: Value | None = None
    last: int | None = None

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class Trace:
    """Everything that happened on one entry of the program, in order."""

    entry: str
    file: File
    events: list[Event] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    incomplete: bool = False
    framework: str | None = None
    # the class whose method is the entry, where it is one
    owner: Value | None = None

    def of(self, *kinds: EventKind) -> Iterator[Event]:
        return (event for event in self.events if event.kind in kinds)


@dataclass(slots=True, eq=False)
class TrainLoop:
    """The innermost loop around a backward. `events` are those inside it, in order."""

    loop: Loop
    trace: Trace
    events: list[Event]
    outer: tuple[Loop, ...]
    framework: str | None

    @property
    def place(self) -> Place:
        return self.loop.place

    @property
    def file(self) -> File:
        return self.loop.file

    def of(self, *kinds: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]


@dataclass(slots=True, eq=False)
class EvalLoop:
    """A loop that runs a module forward and never backward."""

    loop: Loop
    trace: Trace
    events: list[Event]
    framework: str | None

    @property
    def place(self) -> Place:
        return self.loop.place

    @property
    def file(self) -> File:
        return self.loop.file

    def of(self, *kinds: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]


@dataclass(slots=True, eq=False)
class BaseChange:
    """The batch size of a training loader differs from the git base and the learning rate beside it does not."""

    loader: DataLoader
    optimizer: Optimizer
    old_batch: float
    new_batch: float
    batch_value: Value
    lr: Value
    label: str


@dataclass(slots=True, eq=False)
class MemoryDemand:
    """What a training loop asks of the target GPU. Made only where the estimate is complete.

    Where no target is `stated` it is the largest single GPU, and the fact is made only of what does not fit that.

    Bytes: `peak` is what PyTorch has allocated at the peak, `shares` its parts by name, the largest first, `room` what
    PyTorch can get of the device. `largest` is the largest batch size that fits, 0 where none does, None where the
    batch does not decide. `loader` gives the batch, where one is known to.
    """

    loop: TrainLoop
    loader: DataLoader | None
    optimizers: tuple[Optimizer, ...]
    batch: int
    peak: int
    shares: tuple[tuple[str, int], ...]
    device: str
    stated: bool
    room: int
    largest: int | None

    @property
    def place(self) -> Place:
        return self.loader.place if self.loader is not None else self.loop.place

    @property
    def file(self) -> File:
        return self.loop.file


@dataclass(slots=True, eq=False)
class StatedReference:
    """A learning rate with a reference batch stated beside it ("0.1 for batch 256"), and the batch that is used."""

    optimizer: Optimizer
    loader: DataLoader
    lr: Value
    batch: Value
    stated_lr: float | None
    stated_batch: float
    place: Place
    words: str


@dataclass(slots=True, eq=False)
class ModuleClass:
    """A class of the workspace that extends `torch.nn.Module` (or a framework's module).

    `init` is its own `__init__`; `starts_base` says whether something in there may run the `__init__` of the base.
    """

    cls: Value
    file: File
    node: ir.ClassDef
    init: ir.FunctionDef | None = None
    starts_base: bool = True

    @property
    def place(self) -> Place:
        return Place(self.file.path, self.node)


@dataclass(slots=True, eq=False)
class WholeProgram:
    """All facts of one file at once, for the few rules that need to see all of it."""

    file: File
    facts: list[object]
    traces: list[Trace]

    @property
    def called(self) -> set[str]:
        """The qualified names of all external calls."""
        return {fact.name for fact in self.facts if isinstance(fact, Call)}
