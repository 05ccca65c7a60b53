"""Training and evaluation loops, recognised in the events of a trace; roles of loaders; batch against git base."""

from __future__ import annotations

import re

from trainlint.analysis.facts import DataLoader, EvalLoop, Event, Loop, ModuleClass, Trace, TrainLoop, WholeProgram
from trainlint.analysis.frameworks import HOOK_BASES
from trainlint.analysis.incremental import blocks, flat
from trainlint.analysis.modules import is_module, is_module_class
from trainlint.analysis.program import Program
from trainlint.analysis.unrolling import parts_in
from trainlint.analysis.values import Class, Func, Instance, Obj, OneOf, Seq, Unknown, Value, alternatives
from trainlint.syntax import ir

_EVAL_NAME = re.compile(
    r"(^|_)(val|valid|validate|validation|test|testing|eval|evaluate|evaluation|infer|predict)", re.I
)
_TRAIN_NAME = re.compile(r"(^|_)(train|trn|training)", re.I)


def derive(program: Program) -> None:
    """Add the facts that need a whole trace: loops, roles of loaders, module classes."""
    for trace in program.traces:
        trace.framework = framework_of(trace)
        promote_models(trace)
        for loop in trace.loops:
            events = [event for event in trace.events if loop in event.loops]
            if not events:
                continue
            if any(event.kind == "backward" and event.loops[-1] is loop for event in events):
                outer = next(e.loops for e in events)
                above = outer[: outer.index(loop)]
                program.facts.append(TrainLoop(loop, trace, events, above, trace.framework))
            elif not any(event.kind == "backward" for event in events) and runs_forward(events, loop):
                program.facts.append(EvalLoop(loop, trace, events, trace.framework))
    give_roles(program)
    for cls in program.classes:
        if cls.file is program.file and is_module_class(cls):
            program.ensure_instance(cls)
            init = cls.members.get("__init__")
            own = init.node if isinstance(init, Func) and isinstance(init.node, ir.FunctionDef) else None
            starts = own is None or starts_base(own)
            program.facts.append(ModuleClass(cls, cls.file, cls.node, own, starts))
    program.facts.append(WholeProgram(program.file, program.facts, program.traces))


def starts_base(init: ir.FunctionDef) -> bool:
    """May the `__init__` run the one of a base: `super()`, `Base.__init__(self)`, or a function that gets `self`?"""
    receiver = init.params[0].name if init.params else ""
    for stmt in flat(init.body):
        if isinstance(stmt, (ir.UnknownStmt, ir.Broken, ir.FunctionDef, ir.ClassDef)):
            return True
        if not blocks(stmt) and mentions_base(stmt):
            return True
        if isinstance(stmt, ir.ExprStmt) and isinstance(stmt.value, ir.Call):
            call = stmt.value
            owner = call.func.value if isinstance(call.func, ir.Attr) else None
            parts = [owner, *call.args]
            if any(isinstance(part, ir.Name) and part.id == receiver for part in parts):
                return True
    return False


def mentions_base(stmt: ir.Stmt) -> bool:
    """Does a simple statement name `super`, `__init__` or `__setattr__`?"""
    named = ("super", "__init__", "__setattr__")
    return any(
        (isinstance(part, ir.Name) and part.id in named) or (isinstance(part, ir.Attr) and part.name in named)
        for part in parts_in(stmt)
    )


def framework_of(trace: Trace) -> str | None:
    """The framework that runs the entry: its class is made of hooks, or the file drives an engine."""
    owner = trace.owner
    if isinstance(owner, Class):
        for base in owner.external_bases():
            if isinstance(base, Unknown):
                return "unknown"
            name = getattr(base, "name", "")
            if name in HOOK_BASES or name.rpartition(".")[2] in ("LightningModule", "LightningDataModule", "Trainer"):
                return "lightning"
    for event in trace.events:
        if event.kind == "backward" and event.args and event.subject is not None:
            if any(e.kind == "step" and e.subject is event.subject for e in trace.events):
                return "engine"
    return None


def promote_models(trace: Trace) -> None:
    """An unknown that is called and elsewhere used as a module (`.train()`, `.parameters()`) is called as one."""
    for event in trace.events:
        if event.kind == "unknown_call" and is_module(event.subject) and event.name not in ("with", "broken"):
            if not (event.args and event.args[0] is event.subject):
                event.kind = "forward"


def runs_forward(events: list[Event], loop: Loop) -> bool:
    return any(event.kind == "forward" and event.loops[-1] is loop for event in events)


def unwrapped(value: Value | None) -> Value | None:
    """The model inside DataParallel and its kin."""
    while isinstance(value, Obj) and value.kind == "module" and "module" in value.attrs:
        value = value.attrs["module"]
    return value


def same_thing(a: Value | None, b: Value | None) -> bool:
    """May the two values be one object? True where any of their alternatives are the same object."""
    if a is b:
        return a is not None
    if not isinstance(a, OneOf) and not isinstance(b, OneOf):
        return a is not None and b is not None and unwrapped(a) is unwrapped(b)
    mine = {id(unwrapped(v)) for v in alternatives(a)} if a is not None else set()
    return b is not None and any(id(unwrapped(v)) in mine for v in alternatives(b))


def loaders_of(value: Value | None) -> list[Obj]:
    """The loaders that a loop iterates, through `enumerate`, `tqdm`, `zip`."""
    if isinstance(value, Obj):
        if value.kind == "loader":
            return [value]
        if value.kind == "wrapper":
            return [loader for arg in value.args for loader in loaders_of(arg)]
    if isinstance(value, OneOf):
        return [loader for option in value.values for loader in loaders_of(option)]
    return []


def give_roles(program: Program) -> None:
    """A loader trains where a loop over it runs backward; else its name may tell."""
    loops = [f for f in program.facts if isinstance(f, TrainLoop)]
    evals = [f for f in program.facts if isinstance(f, EvalLoop)]
    for fact in program.facts:
        if not isinstance(fact, DataLoader):
            continue
        fact.loops = [loop for loop in loops if any(o is fact.value for o in loaders_of(loop.loop.over))]
        if fact.loops:
            fact.role = "train"
        elif any(o is fact.value for loop in evals for o in loaders_of(loop.loop.over)):
            fact.role = "eval"
        else:
            fact.role = role_by_name(fact)


def role_by_name(fact: DataLoader) -> str | None:
    """`train_loader = DataLoader(…)`: the name of the target or of the data set."""
    stmt = fact.node.stmt
    words: list[str] = []
    if isinstance(stmt, ir.Assign):
        for target in stmt.targets:
            if isinstance(target, ir.Name):
                words.append(target.id)
            elif isinstance(target, ir.Attr):
                words.append(target.name)
    if fact.node.args and isinstance(fact.node.args[0], ir.Name):
        words.append(fact.node.args[0].id)
    for word in words:
        if _EVAL_NAME.search(word):
            return "eval"
        if _TRAIN_NAME.search(word):
            return "train"
    return None


def touches(event: Event, *values: Value | None) -> bool:
    """Does an unknown call get one of the values, or something that holds it?"""
    if event.reach is None:
        event.reach = frozenset(key for arg in event.args for key in within(arg))
    return any(not event.reach.isdisjoint(keys_of(value)) for value in values if value is not None)


def holds(container: Value, wanted: Value) -> bool:
    """Is the wanted value the container, or inside of it?"""
    return not within(container).isdisjoint(keys_of(wanted))


def keys_of(value: Value) -> list[int]:
    """The identities of the objects that a value may be."""
    return [id(unwrapped(option)) for option in alternatives(value)]


def within(container: Value, depth: int = 3) -> set[int]:
    """The identities of a value and of what it holds, three levels deep."""
    found: set[int] = set()
    level: list[Value] = [container]
    for _ in range(depth + 1):
        inside: list[Value] = []
        for value in level:
            found.update(keys_of(value))
            inside += parts_of(value)
        level = inside
    return found


def parts_of(container: Value) -> list[Value]:
    """What lists, objects and layers hold; an optimizer only refers to its parameters."""
    if isinstance(container, Seq):
        return container.items if container.items is not None else [container.elem] if container.elem else []
    if isinstance(container, Instance):
        return list(container.attrs.values())
    if isinstance(container, Obj) and container.kind not in ("parameters", "optimizer", "scheduler"):
        return list(container.args)
    return []
