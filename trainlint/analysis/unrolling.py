"""Which loops are run round by round: those that build something, never those that train."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.analysis.builtin_names import BUILTINS
from trainlint.analysis.modules import ir_slots, is_module_class
from trainlint.analysis.run import Run
from trainlint.analysis.values import Class, Const, Seq, Value
from trainlint.syntax import ir

MAX_UNROLLED = 64
MAX_COUNTED = 256
FEW = 8
# rounds of loops in each other: tables of all pairs of places are not worth it
MAX_NESTED = 4096
# methods and functions that mean training, evaluation or input and output
_TRAINING = frozenset(
    [
        "backward",
        "zero_grad",
        "step",
        "item",
        "train",
        "eval",
        "fit",
        "evaluate",
        "validate",
        "test",
        "train_one_epoch",
        "save",
        "load",
        "set_postfix",
        "write",
        "imread",
        "imshow",
        "show",
        "savefig",
        "print",
        "log",
        "add_scalar",
        "next",
        "read",
        "sleep",
        "DataLoader",
        "manual_backward",
    ]
)
# methods that build lists, dicts and models
_BUILDING = frozenset(
    [
        "append",
        "extend",
        "insert",
        "add",
        "add_module",
        "register_module",
        "register_buffer",
        "register_parameter",
        "setdefault",
        "update",
        "pop",
        "get",
        "items",
        "keys",
        "values",
        "format",
        "join",
        "split",
        "replace",
        "startswith",
        "endswith",
        "copy",
        "deepcopy",
        "cast",
        "Sequential",
        "ModuleList",
        "modules",
        "fully_shard",
        "compile",
        "partial",
        "lower",
        "upper",
        "strip",
        "size",
        "index",
        "count",
    ]
)
_PREFIXES = ("make", "_make", "build", "_build", "conv", "create", "get_", "block", "layer", "_conv", "add_", "_add")


def unrollable(run: Run, stmt: ir.For | ir.While) -> bool:
    """Should a loop over known elements run once for each of them?

    Inside models, and where memory is counted: everything but what trains. Elsewhere only what builds: calls of
    classes, builtins and methods of containers.
    """
    if run.program.tape is not None and run.loops:
        return inside_a_step(run, stmt)
    called = run.program.calls_in(stmt)
    if called & _TRAINING:
        return "print" in called and called & _TRAINING == {"print"} and in_model(run)
    if in_model(run):
        return True
    if run.program.tape is not None:
        # `for epoch in range(n): train_fn(…)` is a loop over steps
        return not run.program.reached_from(stmt) & _STEPS
    return all(
        name in BUILTINS or name in _BUILDING or name[:1].isupper() or name.startswith(_PREFIXES) for name in called
    )


# what a loop over steps does in each round, and one inside a step does not
_STEPS = frozenset({"step", "zero_grad", "zero_"})


def most_rounds(run: Run) -> int:
    """The most rounds that a loop is unrolled to: a step whose memory is counted may go over a long sequence."""
    return MAX_UNROLLED if run.program.tape is None else MAX_COUNTED


def inside_a_step(run: Run, stmt: ir.For | ir.While) -> bool:
    """Is a loop inside another one part of a step: of a model, over micro-batches, over the parameters?"""
    if any(isinstance(part, ir.Yield) for part in parts_of(stmt)):
        # what a generator gives is taken one by one
        return False
    # an evaluation goes over its batches one by one, however many there are
    return (run.grad or in_model(run)) and not run.program.reached_from(stmt) & _STEPS


def over_parameters(run: Run, stmt: ir.For | ir.While) -> bool:
    """Is a loop over parameters one of those that do not train: of an average of weights, also without a graph?"""
    yields = any(isinstance(part, ir.Yield) for part in parts_of(stmt))
    return not yields and not run.program.reached_from(stmt) & _STEPS


def over_numbers(run: Run, stmt: ir.For | ir.While, items: list[Value]) -> bool:
    """Is a loop of a step whose memory is counted one over a few numbers, `for k in (1, 5)`, without a graph too?"""
    if run.program.tape is None or not run.loops or len(items) > FEW or not all(isinstance(v, Const) for v in items):
        return False
    return not run.program.reached_from(stmt) & _STEPS


def over_phases(run: Run, items: list[Value]) -> bool:
    """Is a loop, where memory is counted, one over names: `for phase in ("train", "val")`?

    Which of the two a round is decides whether it trains, so each is run for itself, whatever it holds.
    """
    return run.program.tape is not None and 0 < len(items) <= FEW and all(map(is_named, items))


def is_named(item: Value) -> bool:
    """Is it a string, or a tuple that begins with one: `("train", loader)`?"""
    if isinstance(item, Seq) and item.items:
        item = item.items[0]
    return isinstance(item, Const) and isinstance(item.value, str)


def in_model(run: Run) -> bool:
    """Is a method of an `nn.Module` class in progress, or something that its constructor has called?"""
    if run.assuming:
        return True
    owner = run.frames[-1].owner if run.frames else None
    return isinstance(owner, Class) and is_module_class(owner)


def functions_of(block: list[ir.Stmt]) -> Iterator[ir.FunctionDef]:
    """The functions and methods that a block defines, those inside of others too."""
    for stmt in block:
        if isinstance(stmt, ir.FunctionDef):
            yield stmt
        for name in ("body", "orelse", "final"):
            inner = getattr(stmt, name, None)
            if isinstance(inner, list):
                yield from functions_of(inner)


def calls_of(stmt: ir.For | ir.While | ir.FunctionDef) -> frozenset[str]:
    """The names that calls in the body of a loop or function are made by: `f` of `f(…)` and of `x.f(…)`."""
    names: set[str] = set()
    for part in parts_of(stmt):
        if isinstance(part, ir.Call):
            if isinstance(part.func, ir.Name):
                names.add(part.func.id)
            elif isinstance(part.func, ir.Attr):
                names.add(part.func.name)
            else:
                names.add("?")
    return frozenset(names)


def parts_of(stmt: ir.For | ir.While | ir.FunctionDef) -> Iterator[object]:
    """All statements and expressions in the body of a loop or function."""
    return parts_in(stmt.body)


def parts_in(block: object) -> Iterator[object]:
    """All statements and expressions in one, or in a list of them."""
    stack: list[object] = [block]
    while stack:
        part = stack.pop()
        if isinstance(part, (list, tuple)):
            stack += part
            continue
        yield part
        for slot in ir_slots(type(part)):
            child = getattr(part, slot, None)
            if child is not None and not isinstance(child, (str, int, float)):
                stack.append(child)
