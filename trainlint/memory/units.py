"""Which modules of a model are sharded over processes as one: the units of `fully_shard` and of FSDP.

A unit gathers its parameters for its forward and for its backward; between them each process has a part. Parameters
belong to the innermost unit around them (torch/distributed/fsdp: `_fully_shard/_fully_shard.py`, `wrap.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.facts import Call
from trainlint.analysis.modules import OWN, children, container, walk
from trainlint.analysis.parameters import parameters_of
from trainlint.analysis.program import Program
from trainlint.analysis.values import Class, Const, Ext, Instance, Obj, Place, Seq, Value, is_none
from trainlint.memory.timeline import Where

FULLY_SHARD = frozenset({"torch.distributed.fsdp.fully_shard", "torch.distributed._composable.fsdp.fully_shard"})
WRAPPER = "FullyShardedDataParallel"
# the default of `size_based_auto_wrap_policy`
MIN_SIZE = 100_000_000
APART = ("torch.nn.ModuleList", "torch.nn.ModuleDict")


@dataclass(slots=True, eq=False)
class Unit:
    """Modules that are gathered together. `flat`: their parameters are one tensor (FSDP), else each is its own.

    `reshard`: what was gathered is given back after the forward. `keys` are those of its parameters.
    """

    modules: tuple[Value, ...]
    flat: bool
    reshard: bool
    line: Where
    root: bool = False
    keys: list[Hashable] = field(default_factory=list)
    parts: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Sharding:
    """The units of a model, inner ones before those around them, and what is not known of them."""

    units: list[Unit] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def sharding_of(program: Program, models: Sequence[Value]) -> Sharding:
    """The units of the models of a loop."""
    found = Sharding()
    known = {id(part) for model in models for _, part in walk(model, depth=40)}
    for model in models:
        wrappers = [part for _, part in walk(model, depth=40) if isinstance(part, Obj) and part.name.endswith(WRAPPER)]
        for wrapper in reversed(wrappers):
            wrapped(wrapper, found)
    calls = [fact for fact in program.facts if isinstance(fact, Call) and fact.name in FULLY_SHARD]
    for call in calls:
        sharded(call, known, found)
    for unit in found.units:
        for module in unit.modules:
            for _, part in walk(module, depth=40):
                unit.parts.add(id(part))
                if isinstance(part, Instance) and OWN in part.attrs:
                    unit.parts.add(id(part.attrs[OWN]))
    for unit in found.units:
        inside = {id(module) for module in unit.modules}
        unit.root = not any(inside <= other.parts for other in found.units if other is not unit)
        # of a call that says nothing the root stays gathered until its backward
        unit.reshard = unit.reshard and not (unit.root and (unit.flat or id(unit.modules[0]) in _silent(calls)))
    return found


def _silent(calls: Sequence[Call]) -> set[int]:
    """The modules whose call leaves it to the library when they are sharded again, by identity."""
    given = [(call.arg(0, "module"), call.kwargs.get("reshard_after_forward")) for call in calls]
    return {id(module) for module, asked in given if asked is None or is_none(asked)}


def sharded(call: Call, known: set[int], found: Sharding) -> None:
    """One call of `fully_shard`, for a module or a list of modules."""
    given = call.arg(0, "module")
    modules = tuple(given.items) if isinstance(given, Seq) and given.items else (given,) if given is not None else ()
    if not modules or any(not isinstance(module, (Instance, Obj)) or container(module) in APART for module in modules):
        found.unknown.append("which modules `fully_shard` is called for is not known")
        return
    if any(id(module) not in known for module in modules):
        # another model
        return
    reshard = call.kwargs.get("reshard_after_forward")
    if reshard is not None and not is_none(reshard) and not _flag(reshard):
        found.unknown.append("`reshard_after_forward` of `fully_shard` is not followed")
    for option, what in (("mp_policy", "mixed precision"), ("offload_policy", "offloading"), ("mesh", "a mesh")):
        value = call.kwargs.get(option)
        plain = option == "mesh" and _one_axis(value)
        if value is not None and not is_none(value) and not plain and not _empty(value):
            found.unknown.append(f"{what} of `fully_shard` (`{option}`) is not counted")
    keep = isinstance(reshard, Const) and reshard.value is False
    found.units.append(Unit(modules, False, not keep, (call.place.path, call.place.line)))


def wrapped(wrapper: Obj, found: Sharding) -> None:
    """One FSDP around a module, with the modules inside that its policy wraps."""
    inner = wrapper.attrs.get("module")
    if inner is None:
        return
    line = (wrapper.file, Place(wrapper.file, wrapper.node).line) if wrapper.node is not None and wrapper.file else None
    strategy = wrapper.kwargs.get("sharding_strategy", wrapper.args[2] if len(wrapper.args) > 2 else None)
    name = strategy.name.rpartition(".")[2] if isinstance(strategy, Ext) else "FULL_SHARD" if strategy is None else ""
    if name not in ("FULL_SHARD", "SHARD_GRAD_OP"):
        found.unknown.append(f"`sharding_strategy={name or '…'}` of `{WRAPPER}` is not counted")
    for option in ("mixed_precision", "cpu_offload", "backward_prefetch", "process_group", "ignored_modules"):
        value = wrapper.kwargs.get(option)
        if value is not None and not is_none(value) and not _empty(value) and not _usual(value):
            found.unknown.append(f"`{option}` of `{WRAPPER}` is not counted")
    policy = wrapper.kwargs.get("auto_wrap_policy")
    inside = chosen(policy, inner) if policy is not None and not is_none(policy) else []
    if inside is None:
        found.unknown.append(f"what `auto_wrap_policy` of `{WRAPPER}` wraps is not known")
        inside = []
    taken = {id(module) for unit in found.units for module in unit.modules}
    units = [module for module in inside if module is not inner and id(module) not in taken]
    found.units += [Unit((module,), True, name != "SHARD_GRAD_OP", line) for module in (*units, inner)]


def chosen(policy: Value, inner: Value) -> list[Value] | None:
    """The modules that a policy wraps, inner ones first; None where the policy is not known."""
    if not isinstance(policy, Obj):
        return None
    of = policy.args[0] if policy.args else None
    name = of.name.rpartition(".")[2] if isinstance(of, Ext) else ""
    if policy.name.endswith(".ModuleWrapPolicy"):
        classes = of if of is not None else policy.kwargs.get("module_classes")
    elif policy.name == "functools.partial" and name == "transformer_auto_wrap_policy":
        classes = policy.kwargs.get("transformer_layer_cls")
    elif policy.name == "functools.partial" and name == "size_based_auto_wrap_policy":
        least = policy.kwargs.get("min_num_params", Const(MIN_SIZE))
        number = dims.usual(least)
        return list(large(inner, number)) if number is not None else None
    else:
        return None
    if not isinstance(classes, Seq) or not classes.items:
        return None
    tests = [is_of(cls) for cls in classes.items]
    return [part for _, part in reversed(list(walk(inner, depth=40))) if any(test(part) for test in tests)]


def is_of(cls: Value) -> Callable[[Value], bool]:
    """Is a module an instance of a class of the program or of the library?"""
    if isinstance(cls, Class):
        return lambda part: isinstance(part, Instance) and cls in part.cls.ancestry()
    name = cls.name.rpartition(".")[2] if isinstance(cls, Ext) else ""
    return lambda part: isinstance(part, Obj) and part.name.rpartition(".")[2] == name


def large(module: Value, least: int) -> Iterator[Value]:
    """The modules with so many parameters that are not in a wrapped one below (`_recursive_wrap` in wrap.py)."""
    yield from _large(module, least)[1]


def _large(module: Value, least: int) -> tuple[int, list[Value]]:
    """How many parameters below a module are wrapped, and the modules."""
    whole = dims.usual(parameters_of(module).least) or 0
    kind = module.name if isinstance(module, Obj) else ""
    if whole < least or kind.endswith("MultiheadAttention"):
        return 0, []
    taken, found = 0, list[Value]()
    for child in (children(module) or {}).values():
        count, inside = _large(child, least)
        taken, found = taken + count, found + inside
    if whole - taken >= least and kind not in APART:
        return whole, [*found, module]
    return taken, found


def _flag(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(value.value, bool)


def _empty(value: Value) -> bool:
    """`CPUOffload(offload_params=False)`, `MixedPrecisionPolicy()`: an object of options that asks for nothing."""
    if not isinstance(value, Obj) or value.name.endswith("CPUOffloadPolicy"):
        return False
    return not any(
        not is_none(each) and not (isinstance(each, Const) and each.value is False)
        for each in (*value.args, *value.kwargs.values())
    )


def _usual(value: Value) -> bool:
    return isinstance(value, Ext) and value.name.endswith(".BACKWARD_PRE")


def _one_axis(value: Value | None) -> bool:
    """A mesh of one axis: all processes share."""
    sizes = value.arg(1, "mesh_shape") if isinstance(value, Obj) else None
    return isinstance(sizes, Seq) and sizes.items is not None and len(sizes.items) == 1
