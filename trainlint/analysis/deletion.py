"""`del`: of names, attributes, items and slices."""

from __future__ import annotations

from trainlint.analysis.joins import element
from trainlint.analysis.methods import settled
from trainlint.analysis.modules import container, delete_child
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Seq, Unknown, Value
from trainlint.syntax import ir


def delete(run: Run, scope: Scope, target: ir.Expr) -> None:
    """`del target`. A name stays what it was: a program that reads it again stops there."""
    from trainlint.analysis.expressions import evaluate

    if isinstance(target, ir.Sequence):
        for part in target.elts:
            delete(run, scope, part)
    elif isinstance(target, ir.Attr):
        delete_attribute(run, evaluate(run, scope, target.value), target.name)
    elif isinstance(target, ir.Subscript):
        holder = evaluate(run, scope, target.value)
        key: Value | slice | None
        if isinstance(target.index, ir.Slice):
            index = target.index
            bounds = [evaluate(run, scope, b) for b in (index.lower, index.upper, index.step)]
            plain = [b.value for b in bounds if isinstance(b, Const) and (b.value is None or isinstance(b.value, int))]
            key = slice(*plain) if len(plain) == 3 else None
        else:
            key = evaluate(run, scope, target.index)
        delete_item(run, holder, key)


def delete_attribute(run: Run, holder: Value, name: str) -> None:
    """`del holder.name`."""
    if isinstance(holder, (Instance, Obj)):
        run.touch(holder, name)
        born, floor = (holder.depth if isinstance(holder, Instance) else holder.born), run.attribute_floor
        if born < floor:
            holder.attrs[name] = Unknown(name)
        else:
            holder.attrs.pop(name, None)


def delete_item(run: Run, holder: Value, key: Value | slice | None) -> None:
    """`del holder[key]`; None for a slice that is not known."""
    if isinstance(holder, Seq):
        run.touch(holder)
        at = key if isinstance(key, slice) else key.value if isinstance(key, Const) else None
        if holder.items is not None and settled(run, holder) and isinstance(at, (int, slice)):
            try:
                del holder.items[at]
            except (IndexError, ValueError):
                holder.covered(element(holder))
        else:
            holder.covered(element(holder))
    elif isinstance(holder, Mapping):
        run.touch(holder)
        known = isinstance(key, Const) and settled(run, holder)
        if isinstance(key, Const):
            holder.items.pop(key.value, None)
        else:
            holder.items = {}
        holder.open = holder.open or not known
    elif isinstance(holder, (Obj, Instance)) and container(holder) is not None:
        delete_child(run, holder, key)
