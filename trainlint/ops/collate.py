"""How samples become a batch: `torch.utils.data.default_collate`, or the program's own `collate_fn`."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.joins import one_of
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import (
    Const,
    Mapping,
    Number,
    Obj,
    OneOf,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
    is_none,
    known,
    number,
)
from trainlint.ops.layout import batched

# samples that the own function of a program is given one by one
MOST_SAMPLES = 1024


def batch_axis(loader: Obj, length: Value | None) -> Value:
    """The size of the batch axis: constant where no batch can be smaller, else the symbol B of the loader."""
    size = loader.arg(1, "batch_size")
    if size is None:
        hidden = loader.spilled or not given(loader.kwargs.get("batch_sampler"))
        size = Const(1) if hidden is False else Unknown("batch_size")
    whole, count = number(size), number(length)
    full = known(loader.arg(8, "drop_last")) is True
    if isinstance(size, (Const, Sym)) and full:
        return size
    if isinstance(whole, int) and whole > 0 and isinstance(count, int) and count > 0 and count % whole == 0:
        return size
    if whole == 1:
        return size
    last = None
    if isinstance(whole, int) and isinstance(count, int) and count > whole > 0 and given(loader.arg(8, "drop_last")):
        # the remainder is certain; a sampler may hand out another number
        plain = not loader.spilled and given(loader.arg(3, "sampler")) and given(loader.arg(4, "batch_sampler"))
        last = count % whole if plain and not (isinstance(size, Const) and size.default) else None
    value = size if isinstance(size, (Const, Sym)) else None
    return dims.symbol("B", key=("batch", id(loader)), value=value, last=last)


def given(value: Value | None) -> bool:
    """Is it certain that an argument was not given? (None and absent are the same.)"""
    return value is None or is_none(value)


def collated(call: OpCall, sample: Value, size: Value) -> Value:
    """`default_collate`: arrays and numbers are stacked along a new first axis, tuples and dicts item by item."""
    if isinstance(sample, Array):
        return stacked(sample, size)
    if isinstance(sample, Seq):
        if sample.items is None:
            return Seq("list", None, collated(call, sample.elem or Unknown(), size))
        return Seq("list", [collated(call, item, size) for item in sample.items])
    if isinstance(sample, Mapping):
        items = {key: collated(call, value, size) for key, value in sample.items.items()}
        return Mapping(items, sample.open)
    if isinstance(sample, Const) and isinstance(sample.value, str):
        return Seq("list", None, sample)
    if isinstance(sample, (Range, Sym)):
        return labels(sample, size)
    if isinstance(sample, Const) and isinstance(sample.value, (bool, int, float)):
        dtype = "bool" if isinstance(sample.value, bool) else "int64" if isinstance(sample.value, int) else "float64"
        return Array(shape=(size,), dtype=dtype, grad=False, origin=sample.origin)
    if isinstance(sample, Number):
        # a Python float becomes a double
        wide = {"int64": "int64", "float32": "float64"}.get(sample.dtype or "")
        return Array(shape=(size,), dtype=wide, grad=False, origin=sample.origin)
    if isinstance(sample, OneOf):
        options = tuple(collated(call, value, size) for value in sample.values)
        alike = all(isinstance(o, Array) and o.dtype == getattr(options[0], "dtype", None) for o in options)
        return options[0] if alike else one_of(options)
    return Unknown(sample.name if isinstance(sample, Unknown) else "a batch")


def stacked(sample: Array, size: Value) -> Value:
    if sample.lib == "pil":
        # default_collate raises; a rule of its own would say so
        return Unknown("a batch")
    layout = batched(sample.layout)
    shape = (size, *sample.shape) if sample.shape is not None else None
    return sample.but(lib="torch", grad=False, layout=layout, shape=shape, tail=sample.tail)


def labels(sample: Value, size: Value) -> Array:
    """Class numbers become a tensor of int64."""
    classes: Value | None = None
    if isinstance(sample, Range) and sample.low == 0 and float(sample.high).is_integer():
        classes = Const(int(sample.high) + 1)
    if isinstance(sample, Range) and not (float(sample.low).is_integer() and float(sample.high).is_integer()):
        return Array(shape=(size,), grad=False)
    return Array(shape=(size,), dtype="int64", range="label", classes=classes, grad=False)


@op("torch.utils.data.default_collate", "torch.utils.data.dataloader.default_collate")
def default_collate(call: OpCall) -> Value | None:
    """Called with a list of samples."""
    batch = call.arg(0, "batch")
    if not isinstance(batch, Seq):
        return Unknown("a batch")
    if batch.items is not None and batch.items:
        return collated(call, batch.items[0], Const(len(batch.items)))
    return collated(call, batch.elem or Unknown(), Unknown("batch size"))


def by_program(call: OpCall, collate: Value, sample: Value, batch: Value) -> Value:
    """The program's own function gets a list of samples.

    Its length is not known, for the last batch may be smaller; where memory is counted it is that of the others.
    """
    count = dims.usual(batch) if call.run.program.tape is not None else None
    samples = [sample] * count if count is not None and 0 < count <= MOST_SAMPLES else None
    return invoke(call.run, call.scope, collate, [Seq("list", samples, sample)], {}, call.node)
