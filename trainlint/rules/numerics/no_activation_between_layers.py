"""Two linear layers, or two convolutions, follow each other with nothing between them.

## What it does
Follows the output of a `Linear` or of a convolution to the layer that takes it, in a `Sequential` and in `forward`;
reports it where that is a layer of the same kind, at once or behind a dropout.

## Why it matters
Two linear maps in a row are one linear map: the second layer adds parameters and no power.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(
    nn.Linear(784, 256),
    nn.Linear(256, 128),  # warning: [no-activation-between-layers]
    nn.ReLU(),
    nn.Linear(128, 10),
)
net(torch.rand(4, 784))
```
Use instead: an activation between them.

## When it stays silent
A bottleneck smaller than what it takes and what the next layer gives (a factorised layer, LoRA, an autoencoder);
layers without bias; convolutions with groups, strides, oblong windows or windows of one pixel; one layer applied twice;
an output that may be used elsewhere too; widths that are not known, or are those of a toy (up to 8).
"""

from itertools import pairwise

from trainlint.rules.api import Array, Because, Const, Event, Obj, Place, WholeProgram, finding, ir, number, rule

LINEAR = ("torch.nn.Linear",)
CONVOLUTIONS = ("torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d")
# models of tests have widths like these
TOY = 8
TRANSPARENT = (
    "torch.nn.Dropout",
    "torch.nn.Dropout1d",
    "torch.nn.Dropout2d",
    "torch.nn.Dropout3d",
    "torch.nn.Identity",
)


@rule("no-activation-between-layers", code="NU005", family="numerics", level="warning", since="0.1")
def check(program: WholeProgram):
    for trace in program.traces:
        calls = [e for e in trace.of("forward") if isinstance(e.subject, Obj) and e.subject.name not in TRANSPARENT]
        holders = [e for e in calls if isinstance(e.subject, Obj) and e.subject.name == "torch.nn.Sequential"]
        for first, second in pairwise(calls):
            one, two = first.subject, second.subject
            if not isinstance(one, Obj) or not isinstance(two, Obj) or one is two or not feeds(one, second):
                continue
            widths = stacked(one, two)
            if widths is None:
                continue
            inside = any(h.node is second.node and holds_both(h.subject, one, two) for h in holders)
            if (inside and first.node is second.node) or direct(first, second):
                yield report(second, one, two, widths, inside)


def report(second: Event, one: Obj, two: Obj, widths: tuple[object, ...], inside: bool):
    """At the second layer of a `Sequential`, else at the call in `forward`."""
    kind = two.name.rpartition(".")[2]
    where = Place(two.file, two.node) if inside and two.node is not None else second.place
    because = Because(Place(one.file, one.node), "the layer before") if one.node is not None else ()
    text = "two `{kind}` layers in a row ({widths}) with no activation between them are one linear map"
    return finding(where, text, kind=kind, widths=" → ".join(map(str, widths)), because=because)


def feeds(one: Obj, second: Event) -> bool:
    """Does the second layer get the output of the first, untouched?"""
    value = second.args[0] if second.args else None
    if not isinstance(value, Array) or value.range != "logits" or value.via is None:
        return False
    return one.node is not None and value.via.node is one.node


def stacked(one: Obj, two: Obj) -> tuple[object, ...] | None:
    """The three widths where the pair is no deliberate factorisation, else None."""
    if one.name != two.name or one.spilled or two.spilled:
        return None
    if one.name in LINEAR:
        if bias(one, 2) is not True or bias(two, 2) is None:
            return None
    elif one.name not in CONVOLUTIONS or not plain(one) or not plain(two) or bias(one, 7) is not True:
        return None
    names = ("in_features", "out_features") if one.name in LINEAR else ("in_channels", "out_channels")
    taken, middle, given = number(one.arg(0, names[0])), number(one.arg(1, names[1])), number(two.arg(1, names[1]))
    if taken is None or middle is None or given is None or (middle < taken and middle < given):
        return None
    if max(taken, middle, given) <= TOY:
        return None
    return taken, middle, given


def bias(layer: Obj, index: int) -> bool | None:
    value = layer.arg(index, "bias")
    return True if value is None else bool(value.value) if isinstance(value, Const) else None


def plain(layer: Obj) -> bool:
    """A convolution over a window of more than one pixel, of every pixel and all channels."""
    size = number(layer.arg(2, "kernel_size"))
    step, groups = (layer.arg(3, "stride"), layer.arg(6, "groups"))
    return size is not None and size > 1 and all(v is None or number(v) == 1 for v in (step, groups))


def holds_both(holder: object, one: Obj, two: Obj) -> bool:
    """Are both layers children of the same `Sequential`?"""
    if not isinstance(holder, Obj):
        return False
    children = [id(v) for v in (*holder.args, *holder.attrs.values())]
    return id(one) in children and id(two) in children


def direct(first: Event, second: Event) -> bool:
    """`b(a(x))`, or `x = a(x)` and at once `x = b(x)`: the output of the first goes nowhere else."""
    outer, inner = second.node, first.node
    if first.frames != second.frames or not isinstance(outer, ir.Call) or not isinstance(inner, ir.Call):
        return False
    if len(outer.args) != 1 or outer.args[0] is inner:
        return len(outer.args) == 1
    before, after, given = inner.stmt, outer.stmt, outer.args[0]
    if not isinstance(before, ir.Assign) or before.value is not inner or not isinstance(given, ir.Name):
        return False
    rebound = isinstance(after, ir.Return) or (isinstance(after, ir.Assign) and names(after) == [given.id])
    value = after.value if isinstance(after, (ir.Assign, ir.Return)) else None
    near = 0 < after.first_line - before.last_line <= 2
    return rebound and value is outer and near and names(before) == [given.id]


def names(stmt: ir.Assign) -> list[str]:
    return [t.id if isinstance(t, ir.Name) else "" for t in stmt.targets]
