"""Datasets, loaders and batches."""

from __future__ import annotations

import functools
import math

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import bind
from trainlint.analysis.calls import call_function
from trainlint.analysis.facts import DataLoader
from trainlint.analysis.iteration import iterate
from trainlint.analysis.joins import join
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import (
    Const,
    Func,
    Instance,
    Number,
    Obj,
    Range,
    Round,
    Seq,
    Sym,
    Unknown,
    Value,
    is_none,
    known,
    number,
)
from trainlint.ops.collate import batch_axis, by_program, collated
from trainlint.ops.datasets import dataset_item, dataset_length
from trainlint.ops.hf_datasets import sample_of, tensors
from trainlint.syntax import ir

kind("loader", "torch.utils.data.DataLoader", "torch_geometric.loader.DataLoader", "torch_geometric.data.DataLoader")
kind("loader", "monai.data.DataLoader", "torchdata.stateful_dataloader.StatefulDataLoader")
kind("dataset", "torch.utils.data.TensorDataset", "torch.utils.data.Subset", "torch.utils.data.ConcatDataset")
kind("sampler", "torch.utils.data.*Sampler", "torch.utils.data.RandomSampler", "torch.utils.data.SequentialSampler")
kind("sampler", "torch.utils.data.WeightedRandomSampler", "torch.utils.data.SubsetRandomSampler")
kind("sampler", "torch.utils.data.distributed.DistributedSampler", "torch.utils.data.BatchSampler")


@method("loader", "__init__")
def built(call: OpCall) -> Value | None:
    """Report the loader; a batch size that is not given is 1."""
    obj = call.receiver
    if not isinstance(obj, Obj) or not isinstance(call.node, ir.Call):
        return None
    batch = obj.arg(1, "batch_size")
    if batch is None:
        hidden = obj.spilled or "batch_sampler" in obj.kwargs
        batch = Unknown("batch_size") if hidden else Const(1, call.step("torch's own default"))
    dataset = obj.arg(0, "dataset")
    call.run.fact(
        DataLoader(
            call.node,
            call.scope.file,
            obj,
            dataset,
            batch,
            obj.arg(2, "shuffle"),
            obj.arg(8, "drop_last"),
            obj.arg(3, "sampler"),
            length_of(call, dataset) if dataset is not None else None,
            call.run.function,
        )
    )
    return None


def length_of(call: OpCall, dataset: Value) -> Value | None:
    """The number of samples of a dataset, None where it is not known."""
    if isinstance(dataset, Obj):
        if dataset.kind == "loader":
            return loader_length(call, dataset)
        if dataset.kind == "names":
            return dataset.attrs.get("[length]")
        if dataset.kind == "subset":
            return dataset.arg(0, "length")
        if dataset.kind == "dataset":
            return length_of_dataset(call, dataset)
    if isinstance(dataset, Instance):
        member = dataset.cls.find("__len__")
        if isinstance(member, Func):
            with call.run.silent():
                value = call_function(call.run, call.scope, bind(member, dataset), [], {}, call.node)
            return value if isinstance(value, Sym) or isinstance(known(value), int) else None
    if isinstance(dataset, Seq):
        return dataset.count
    return None


def length_of_dataset(call: OpCall, dataset: Obj) -> Value | None:
    """Lengths of the data sets of torch and torchvision."""
    if dataset.name.startswith("torchvision."):
        return dataset_length(dataset)
    first = dataset.args[0] if dataset.args else None
    if dataset.name == "torch.utils.data.TensorDataset":
        return first.shape[0] if isinstance(first, Array) and first.shape else None
    if dataset.name == "torch.utils.data.Subset":
        indices = dataset.arg(1, "indices")
        return length_of(call, indices) if indices is not None else None
    if dataset.name == "torch.utils.data.ConcatDataset" and isinstance(first, Seq) and first.items:
        total: Value = Const(0)
        for part in first.items:
            total = dims.add(total, length_of(call, part))
        return None if isinstance(total, Unknown) else total
    return None


def loader_length(call: OpCall, loader: Obj) -> Value:
    """The number of batches: length / batch, rounded up, or down where the last one is dropped."""
    dataset, batch = loader.arg(0, "dataset"), loader.arg(1, "batch_size")
    length = length_of(call, dataset) if dataset is not None else None
    size = Const(1) if batch is None else batch
    plain = not loader.spilled and "batch_sampler" not in loader.kwargs and absent(loader.arg(3, "sampler"))
    count, whole = number(length), number(size)
    if plain and isinstance(count, int) and isinstance(whole, int) and whole > 0:
        dropped = known(loader.arg(8, "drop_last"))
        default = size.default if isinstance(size, Const) else None
        if dropped is True:
            return Const(count // whole, default=default)
        if absent(loader.arg(8, "drop_last")) or dropped is False:
            return Const(-(-count // whole), default=default)
    return dims.symbol("len(loader)", key=("length", id(loader)), low=0)


def absent(value: Value | None) -> bool:
    return value is None or is_none(value)


@op("torch.utils.data.random_split")
def random_split(call: OpCall) -> Value | None:
    """Parts with the lengths given; every part gives the items of the whole."""
    dataset, lengths = call.arg(0, "dataset"), call.arg(1, "lengths")
    if not isinstance(lengths, Seq) or lengths.items is None or dataset is None:
        return None
    numbers = [number(length) for length in lengths.items]
    sizes: list[Value] = list(lengths.items)
    if any(isinstance(n, float) for n in numbers):
        sizes = fractions(length_of(call, dataset), numbers)
    parts: list[Value] = []
    for length in sizes:
        whole = isinstance(length, Sym) or isinstance(number(length), int)
        part = Obj("torch.utils.data.Subset", "subset", call.node, [length if whole else Unknown("length")])
        part.attrs["dataset"] = dataset
        parts.append(part)
    return Seq("list", parts)


def fractions(total: Value | None, shares: list[float | int | None]) -> list[Value]:
    """Shares of a known length: each rounded down, what is left over goes one by one to the first parts."""
    length = number(total)
    if not isinstance(length, int) or None in shares:
        return [Unknown("length") for _ in shares]
    counts = [math.floor(length * share) for share in shares if share is not None]
    for index in range(length - sum(counts)):
        counts[index % len(counts)] += 1
    return [Const(count) for count in counts]


@method("loader", "__iter__")
def batches(call: OpCall) -> Value | None:
    """A batch: what the dataset gives, collated."""
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    known = obj.attrs.get("batch")
    if known is not None:
        return known
    dataset = obj.arg(0, "dataset")
    collate = obj.arg(7, "collate_fn")
    if dataset is None or obj.spilled:
        return Unknown("a batch")
    sample = item_of(call, dataset)
    if collate is not None and not is_none(collate):
        batch = by_program(call, collate, sample, batch_axis(obj, length_of(call, dataset)))
    elif is_none(obj.arg(1, "batch_size")):
        # no batching: the samples themselves
        batch = sample
    else:
        batch = collated(call, sample, batch_axis(obj, length_of(call, dataset)))
    # made once a loader: the same batch object in every loop over it
    obj.attrs["batch"] = batch
    return batch


@method("loader", ".dataset")
def loader_dataset(call: OpCall) -> Value | None:
    return call.receiver.arg(0, "dataset") if isinstance(call.receiver, Obj) else None


@method("loader", ".batch_size")
def loader_batch(call: OpCall) -> Value | None:
    return call.receiver.arg(1, "batch_size") if isinstance(call.receiver, Obj) else None


@method("loader", ".sampler")
def loader_sampler(call: OpCall) -> Value | None:
    return call.receiver.arg(3, "sampler") if isinstance(call.receiver, Obj) else None


@method("sampler", "set_epoch")
def set_epoch(call: OpCall) -> Value | None:
    if call.receiver is not None:
        call.run.event("set_epoch", call.node, call.scope, call.receiver)
    return Const(None)


def some_index(call: OpCall) -> Value:
    """The number of a sample; where memory is counted, one that takes a row of a tensor."""
    counted = call.run.program.tape is not None
    return dims.symbol("index", key=Round(), value=Const(0), low=0) if counted else Number("index", dtype="int64")


def item_of(call: OpCall, dataset: Value) -> Value:
    """One sample of a dataset."""
    if isinstance(dataset, Instance):
        member = dataset.cls.find("__getitem__")
        if isinstance(member, Func):
            return call_function(call.run, call.scope, bind(member, dataset), [some_index(call)], {}, call.node)
        stream = dataset.cls.find("__iter__")
        if isinstance(stream, Func):
            return iterate(call.run, call.scope, dataset, call.node)
        return Unknown("a sample")
    if isinstance(dataset, Obj):
        if dataset.kind == "subset":
            return item_of(call, dataset.attrs["dataset"])
        if dataset.name == "torch.utils.data.Subset":
            inner = dataset.arg(0, "dataset")
            return chosen(item_of(call, inner)) if inner is not None else Unknown("a sample")
        if dataset.name == "torch.utils.data.TensorDataset":
            return Seq("tuple", [iterate(call.run, call.scope, a, call.node) for a in dataset.args])
        if dataset.name == "torch.utils.data.ConcatDataset":
            first = dataset.arg(0, "datasets")
            parts = first.items if isinstance(first, Seq) and first.items else []
            samples = [item_of(call, part) for part in parts]
            return functools.reduce(join, samples) if samples else Unknown("a sample")
        if dataset.name.startswith("torchvision."):
            return dataset_item(call, dataset)
        if dataset.kind == "hf_dataset":
            return tensors(sample_of(dataset))
    if isinstance(dataset, Seq):
        return iterate(call.run, call.scope, dataset, call.node)
    return Unknown("a sample")


def chosen(sample: Value) -> Value:
    """A sample of a chosen part: its label need not run over all classes."""
    if not isinstance(sample, Seq) or sample.items is None:
        return sample
    items = [dims.symbol("label", low=0) if isinstance(item, Range) else item for item in sample.items]
    return Seq(sample.kind, items, None, sample.origin)


@method("dataset", "__getitem__", "__iter__")
def sample(call: OpCall) -> Value | None:
    return item_of(call, call.receiver) if call.receiver is not None else None


@method("subset", "__getitem__", "__iter__")
def subset_sample(call: OpCall) -> Value | None:
    return item_of(call, call.receiver) if call.receiver is not None else None
