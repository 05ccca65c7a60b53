"""`copy.copy` and `copy.deepcopy`: what a copy shares with the original, and what it has of its own."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.run import Run
from trainlint.analysis.tape import record
from trainlint.analysis.values import (
    Class,
    Const,
    Func,
    Instance,
    Mapping,
    Obj,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
)


@op("copy.deepcopy", "copy.copy")
def copy_(call: OpCall) -> Value | None:
    value, deep = call.arg(0, "x"), call.name.endswith("deepcopy")
    if isinstance(value, Mapping):
        inside = {key: twin_of(call, part) if deep else part for key, part in value.items.items()}
        made = Mapping(inside, value.open, value.origin)
        made.born = call.run.tick()
        return made
    if isinstance(value, Array) and deep:
        return twin_of(call, value)
    if isinstance(value, (Const, Array, Sym, Range, Func, Class)):
        return value
    if value is None:
        return Unknown()
    return copied(call.run, value, deep, made={})


def twin_of(call: OpCall, value: Value) -> Value:
    """A tensor of its own in the place of one that a deep copy reaches: the weights of a `state_dict`."""
    if not isinstance(value, Array) or value.lib != "torch" or call.run.program.tape is None:
        return value
    before = len(call.run.program.tape.entries)
    twin = value.but(device="given" if value.source is not None else value.device)
    return record(call.run, call.scope, "Tensor.clone", call.node, [value], twin, [], {}, before)


def copied(run: Run, value: Value, deep: bool, made: dict[int, tuple[Value, Value]]) -> Value:
    """A copy of a list or an object, with copies of what it holds (`deep`): what is held twice is copied once.

    `made` holds the originals copied so far with their copies, by the identity of the original.
    """

    def inner(part: Value) -> Value:
        return copied(run, part, deep, made) if deep else part

    if id(value) in made:
        return made[id(value)][1]
    if isinstance(value, Seq):
        sequence = Seq(value.kind, None, value.elem, value.origin, value.length)
        made[id(value)] = value, sequence
        sequence.items = [inner(v) for v in value.items] if value.items is not None else None
        sequence.born = run.tick()
        return sequence
    if isinstance(value, Obj):
        twin = Obj(value.name, value.kind, value.node, value.args, value.kwargs, value.origin, value.file)
        made[id(value)] = value, twin
        for name, part in value.attrs.items():
            twin.attrs[name] = inner(part)
            if deep and isinstance(part, Unknown):
                # a weight that was read: the copy has one of its own
                fresh = Unknown(part.name, part.origin, part.param)
                twin.attrs[name] = made.setdefault(id(part), (part, fresh))[1]
        twin.born = run.tick()
        return twin
    if isinstance(value, Instance):
        instance = Instance(value.cls, value.origin)
        made[id(value)] = value, instance
        instance.attrs = {name: inner(part) for name, part in value.attrs.items()}
        instance.args, instance.kwargs, instance.tried = value.args, value.kwargs, set(value.tried)
        instance.depth = run.tick()
        return instance
    return value
