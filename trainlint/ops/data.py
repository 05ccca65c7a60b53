"""Datasets, loaders and batches."""

from __future__ import annotations

from trainlint.analysis.attributes import bind
from trainlint.analysis.calls import call_function
from trainlint.analysis.facts import DataLoader
from trainlint.analysis.iteration import iterate
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import (
    Array,
    Const,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Seq,
    Sym,
    Unknown,
    Value,
    is_none,
)
from trainlint.ops.layout import added
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
        if dataset.name == "torch.utils.data.TensorDataset":
            first = dataset.args[0] if dataset.args else None
            if isinstance(first, Array) and first.shape:
                return first.shape[0]
            return None
        if dataset.kind == "loader":
            return Sym("len(loader)")
        if dataset.kind == "dataset" and dataset.name.startswith("torchvision."):
            from trainlint.ops.torchvision import dataset_length

            return dataset_length(dataset)
        if dataset.kind == "subset":
            return dataset.arg(0, "length")
    if isinstance(dataset, Instance):
        member = dataset.cls.find("__len__")
        if isinstance(member, Func):
            with call.run.silent():
                value = call_function(call.run, call.scope, bind(member, dataset), [], {}, call.node)
            return value if isinstance(value, Const) and isinstance(value.value, int) else None
    if isinstance(dataset, Seq) and dataset.items is not None:
        return Const(len(dataset.items))
    return None


@op("torch.utils.data.random_split")
def random_split(call: OpCall) -> Value | None:
    """Parts with the lengths given; every part gives the items of the whole."""
    dataset, lengths = call.arg(0, "dataset"), call.arg(1, "lengths")
    if not isinstance(lengths, Seq) or lengths.items is None or dataset is None:
        return None
    parts: list[Value] = []
    for length in lengths.items:
        whole = isinstance(length, Const) and isinstance(length.value, int)
        part = Obj("torch.utils.data.Subset", "subset", call.node, [length if whole else Unknown("length")])
        part.attrs["dataset"] = dataset
        parts.append(part)
    return Seq("list", parts)


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
    if dataset is None or (collate is not None and not is_none(collate)) or obj.spilled:
        return Unknown("a batch")
    batch = collated(call, item_of(call, dataset))
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


def item_of(call: OpCall, dataset: Value) -> Value:
    """One sample of a dataset."""
    if isinstance(dataset, Instance):
        member = dataset.cls.find("__getitem__")
        if isinstance(member, Func):
            return call_function(call.run, call.scope, bind(member, dataset), [Unknown("index")], {}, call.node)
        return Unknown("a sample")
    if isinstance(dataset, Obj):
        if dataset.kind == "subset":
            return item_of(call, dataset.attrs["dataset"])
        if dataset.name == "torch.utils.data.Subset":
            inner = dataset.arg(0, "dataset")
            return item_of(call, inner) if inner is not None else Unknown("a sample")
        if dataset.name == "torch.utils.data.TensorDataset":
            return Seq("tuple", [iterate(call.run, call.scope, a, call.node) for a in dataset.args])
        if dataset.name.startswith("torchvision."):
            from trainlint.ops.torchvision import dataset_item

            return dataset_item(call, dataset)
    if isinstance(dataset, Seq):
        return iterate(call.run, call.scope, dataset, call.node)
    return Unknown("a sample")


@method("dataset", "__getitem__", "__iter__")
def sample(call: OpCall) -> Value | None:
    return item_of(call, call.receiver) if call.receiver is not None else None


@method("subset", "__getitem__", "__iter__")
def subset_sample(call: OpCall) -> Value | None:
    return item_of(call, call.receiver) if call.receiver is not None else None


def collated(call: OpCall, sample: Value) -> Value:
    """`default_collate`: arrays and numbers are stacked, tuples and dicts item by item."""
    if isinstance(sample, Array):
        if sample.lib == "pil":
            return Unknown("a batch")
        return added(call, sample).but(lib="torch", grad=False)
    if isinstance(sample, Seq) and sample.items is not None:
        return Seq("list", [collated(call, item) for item in sample.items])
    if isinstance(sample, Mapping):
        return Mapping({key: collated(call, value) for key, value in sample.items.items()}, sample.open)
    if isinstance(sample, Const) and isinstance(sample.value, (int, float)):
        return Array(grad=False)
    if isinstance(sample, OneOf):
        return Unknown("a batch")
    return Unknown(sample.name if isinstance(sample, Unknown) else "a batch")
