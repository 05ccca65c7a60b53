"""Reading and writing items: sequences, dicts, arrays, unknowns."""

from __future__ import annotations

from functools import reduce
from typing import Any

from trainlint.analysis import dims, registry
from trainlint.analysis.arrays import Array, tensor_of
from trainlint.analysis.iteration import numbered
from trainlint.analysis.joins import MAX_ALTERNATIVES, element, join, one_of
from trainlint.analysis.modules import child_at, container, part_of, set_child
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.tape import record
from trainlint.analysis.values import (
    KEYS,
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Output,
    Seq,
    Unknown,
    Value,
    is_none,
)
from trainlint.syntax import ir


def get_item(run: Run, scope: Scope, value: Value, index: ir.Expr, expr: ir.Subscript) -> Value:
    """`value[index]`."""
    from trainlint.analysis.expressions import evaluate

    value = tensor_of(value)
    if isinstance(value, Array):
        handler = registry.ARRAY_METHODS.get("__getitem__")
        call = registry.OpCall(run, scope, expr, "__getitem__", [], {}, value)
        tape = run.program.tape
        result = (handler(call) if handler else None) or Array(lib=value.lib, grad=value.grad)
        if tape is not None and value.lib == "torch":
            # what the index is computed with stands before it
            before = len(tape.entries)
            named: dict[str, Value] = {"copies": Const(True)} if call.args else {}
            operands: list[Value] = [value, *(index for index in call.args if isinstance(index, Array))]
            result = record(run, scope, "Tensor.__getitem__", expr, operands, result, [], named, before)
        return result
    if isinstance(value, Ext):
        # a generic alias such as `list[int]` or an environment lookup
        key = evaluate(run, scope, index)
        if value.name == "os.environ" and isinstance(key, Const):
            return Unknown(f"the environment variable {key.value}")
        return value if value.name[:1].islower() and "." not in value.name else Unknown()
    if isinstance(index, ir.Slice):
        return slice_of(run, scope, value, index, expr)
    key = evaluate(run, scope, index)
    if isinstance(value, OneOf):
        parts = [v for v in value.values if not is_none(v)]
        return one_of(tuple(item_of(run, scope, v, key, expr) for v in parts))
    return item_of(run, scope, value, key, expr)


def item_of(run: Run, scope: Scope, value: Value, key: Value, expr: ir.Expr) -> Value:
    if isinstance(value, Seq):
        if value.items is not None and isinstance(key, Const) and isinstance(key.value, int):
            return value.items[key.value] if -len(value.items) <= key.value < len(value.items) else Unknown()
        return element(value)
    if isinstance(value, Output) and isinstance(key, Const) and isinstance(key.value, int):
        present = value.present()
        return present[key.value] if -len(present) <= key.value < len(present) else Unknown()
    if isinstance(value, Mapping):
        if isinstance(key, Const):
            try:
                found = value.items.get(key.value)
            except TypeError:
                found = None
            if found is not None:
                return found
            return Unknown(f"[{key.value!r}]")
        if isinstance(key, OneOf) and all(isinstance(k, Const) and k.value in value.items for k in key.values):
            return one_of(tuple(value.items[k.value] for k in key.values if isinstance(k, Const)))
        # one of them, or the program stops
        if not value.items or value.open:
            return Unknown()
        each = tuple(value.items.values())
        return one_of(each) if len(each) <= MAX_ALTERNATIVES else reduce(join, each)
    if isinstance(value, Unknown):
        if isinstance(key, Const) and isinstance(key.value, (str, int)):
            return keyed(value, key.value)
        return Unknown(f"{value.name}[…]" if value.name else "")
    if isinstance(value, (Obj, Instance)) and container(value) is not None:
        return child_at(value, key)
    if isinstance(value, Obj):
        for owner in (value.name, value.kind):
            handler = registry.METHODS.get((owner, "__getitem__"))
            if handler is not None:
                call = registry.OpCall(run, scope, expr, "__getitem__", [key], {}, value)
                return handler(call) or Unknown()
        return Unknown()
    if isinstance(value, Instance):
        member = value.cls.find("__getitem__")
        if isinstance(member, Func):
            from trainlint.analysis.attributes import bind
            from trainlint.analysis.calls import call_function

            return call_function(run, scope, bind(member, value), [key], {}, expr)
    if isinstance(value, Class) and isinstance(key, Const) and isinstance(key.value, str):
        return value.find(key.value) or Unknown(key.value)
    if isinstance(value, Const) and isinstance(value.value, str) and isinstance(key, Const):
        try:
            return Const(value.value[key.value], None, value.default)
        except (IndexError, TypeError):
            return Unknown()
    return Unknown()


def keyed(value: Unknown, key: str | int) -> Value:
    """`unknown["key"]`: the same Unknown each time."""
    if isinstance(key, int):
        return numbered(value, key)
    if value.attrs is None:
        value.attrs = {}
    name = f"[{key!r}]"
    found = value.attrs.get(name)
    if found is None:
        found = value.attrs[name] = Unknown(f"{value.name}{name}" if value.name else name, param=value.param)
    return found


def slice_of(run: Run, scope: Scope, value: Value, index: ir.Slice, expr: ir.Expr) -> Value:
    from trainlint.analysis.expressions import evaluate

    bounds = [evaluate(run, scope, part) if part is not None else Const(None) for part in (index.lower, index.upper)]
    stride = evaluate(run, scope, index.step) if index.step is not None else Const(None)
    if isinstance(value, Seq):
        numbers: list[Any] = [b.value if isinstance(b, Const) else "?" for b in (*bounds, stride)]
        if value.items is not None and all(n is None or isinstance(n, int) for n in numbers):
            try:
                part = Seq(value.kind, value.items[slice(*numbers)], None, value.origin)
            except ValueError:
                return Unknown()
        else:
            length = part_length(value.count, bounds[0], bounds[1], stride)
            part = Seq(value.kind, None, element(value), value.origin, length)
        part.born = run.tick()
        return part
    if isinstance(value, Const) and isinstance(value.value, str):
        numbers = [b.value if isinstance(b, Const) else "?" for b in (*bounds, stride)]
        if all(n is None or isinstance(n, int) for n in numbers):
            return Const(value.value[slice(*numbers)], None, value.default)
        return Unknown()
    if isinstance(value, (Obj, Instance)) and container(value) is not None:
        return part_of(run, value, [*bounds, stride])
    return Unknown(f"{value.name}[…]") if isinstance(value, Unknown) and value.name else Unknown()


def part_length(whole: Value | None, low: Value, high: Value, stride: Value) -> Value | None:
    """How many elements `x[low:high]` of a list has, None where it is not known."""
    if not is_none(stride) or whole is None:
        return None
    ends: list[Value] = []
    for bound, otherwise in ((low, Const(0)), (high, whole)):
        at = otherwise if is_none(bound) else bound
        if dims.at_least(Const(-1), at) is True:
            at = dims.add(whole, at)
        ends.append(dims.smaller(at, whole))
    length = dims.sub(ends[1], ends[0])
    return None if isinstance(length, Unknown) or dims.at_least(length, Const(0)) is False else length


def written(run: Run, scope: Scope, target: ir.Subscript, holder: Array, value: Value, before: int) -> None:
    """Record that a value was written into a tensor: it is that tensor still, with the graph of the value."""
    from trainlint.analysis.iteration import bind_target

    graph = holder.grad or (run.grad and isinstance(value, Array) and value.grad)
    after = holder.but(grad=graph, source=holder.source)
    result = record(run, scope, "operator.[]=", target, [holder, value], after, [holder, value], {}, before)
    if isinstance(target.value, ir.Name):
        bind_target(run, scope, target.value, result)


def certain(run: Run, born: int) -> bool:
    """Does a write to something that old surely replace what was there? Where memory is counted, loops do run."""
    return born >= run.floor or (run.program.tape is not None and not run.conds)


def set_item(run: Run, scope: Scope, target: ir.Subscript, value: Value) -> None:
    """`holder[key] = value`."""
    from trainlint.analysis.expressions import evaluate

    holder = evaluate(run, scope, target.value)
    if isinstance(holder, Array):
        holder.bounds = None
        if holder.range == "label":
            # classes may be merged or renamed
            holder.range = None
        store = registry.ARRAY_METHODS.get("__setitem__")
        if store is not None:
            tape = run.program.tape
            before = len(tape.entries) if tape is not None else 0
            store(registry.OpCall(run, scope, target, "__setitem__", [value], {}, holder))
            if tape is not None and holder.lib == "torch":
                written(run, scope, target, holder, value, before)
        return
    key = evaluate(run, scope, target.index) if not isinstance(target.index, ir.Slice) else Unknown()
    if isinstance(holder, Mapping):
        run.touch(holder)
        if isinstance(key, Const) and isinstance(key.value, KEYS):
            old = holder.items.get(key.value)
            holder.items[key.value] = value if old is None or certain(run, holder.born) else join(old, value)
        else:
            holder.open = True
            holder.rest = value if holder.rest is None else join(holder.rest, value)
            holder.items = {k: join(v, value) for k, v in holder.items.items()}
    elif isinstance(holder, Seq):
        run.touch(holder)
        if holder.items is not None and isinstance(key, Const) and isinstance(key.value, int):
            if -len(holder.items) <= key.value < len(holder.items):
                old = holder.items[key.value]
                holder.items[key.value] = value if certain(run, holder.born) else join(old, value)
        else:
            holder.covered(join(element(holder), value), holder.count)
    elif isinstance(holder, Unknown) and isinstance(key, Const) and isinstance(key.value, str):
        if holder.attrs is None:
            holder.attrs = {}
        holder.attrs[f"[{key.value!r}]"] = value
    elif isinstance(holder, (Obj, Instance)) and container(holder) is not None:
        set_child(run, holder, key, value)
    elif isinstance(holder, Obj):
        handler = registry.METHODS.get((holder.kind, "__setitem__"))
        if handler is not None:
            handler(registry.OpCall(run, scope, target, "__setitem__", [key, value], {}, holder))
