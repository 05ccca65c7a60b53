"""Data sets of the library `datasets` and the collators of transformers, where memory is counted.

What columns a data set on the hub has is not known; what the program's own `map` adds is, and so are its labels once a
program names them.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.joins import element
from trainlint.analysis.registry import OpCall, called, method, op
from trainlint.analysis.values import Const, Mapping, Number, Obj, Seq, Unknown, Value, is_none, truth
from trainlint.ops.collate import collated

SAMPLE = "[sample]"
SPLITS = ("train", "test", "validation", "valid", "dev", "unsupervised")
LABELS = ("label", "labels", "label_ids")
# what gives other samples of the same form
SAME = (
    *("shuffle", "select", "filter", "shard", "sort", "take", "skip", "flatten_indices", "train_test_split"),
    *("class_encode_column", "cast", "cast_column", "with_transform"),
)


@op("datasets.load_dataset", "datasets.load_from_disk", "datasets.Dataset.from_dict", "datasets.Dataset.from_pandas")
def load_dataset(call: OpCall) -> Value | None:
    """A data set, or several by the names of their splits: both are one object here."""
    return dataset(call, Mapping({}, True)) if call.run.program.tape is not None else None


def dataset(call: OpCall, sample: Mapping) -> Obj:
    result = Obj("datasets.Dataset", "hf_dataset", call.node, [], {}, call.step("datasets"), call.scope.file.path)
    result.attrs[SAMPLE] = sample
    return result


def sample_of(value: Value | None) -> Mapping:
    """The columns of a data set that are known."""
    found = value.attrs.get(SAMPLE) if isinstance(value, Obj) else None
    return found if isinstance(found, Mapping) else Mapping({}, True)


@method("hf_dataset", "__getitem__")
def part(call: OpCall) -> Value | None:
    """A split by its name, a sample by its number."""
    key = call.args[0] if call.args else None
    if isinstance(key, Const) and isinstance(key.value, str):
        return call.receiver if key.value in SPLITS else Unknown("a column")
    return tensors(sample_of(call.receiver))


@method("hf_dataset", "map")
def mapped(call: OpCall) -> Value | None:
    """`map(tokenize, batched=True, remove_columns=…)`: the columns that the function gives are added."""
    function, sample = call.arg(0, "function"), sample_of(call.receiver)
    if function is None:
        return call.receiver
    batched = truth(call.kwargs.get("batched", Const(False)))
    given = Mapping({k: Seq("list", None, v) if batched else v for k, v in sample.items.items()}, True)
    result = invoke(call.run, call.scope, function, [given], {}, call.node)
    if not isinstance(result, Mapping) or batched is None:
        return dataset(call, Mapping({}, True))
    added = {k: element(v) if batched and isinstance(v, Seq) else v for k, v in result.items.items()}
    removed = call.kwargs.get("remove_columns")
    is_open = sample.open and (removed is None or is_none(removed))
    return dataset(call, Mapping({**sample.items, **added}, is_open))


@method("hf_dataset", "remove_columns")
@method("hf_dataset", "select_columns")
def columns(call: OpCall) -> Value | None:
    """What is left is what the program trains with."""
    names, sample = call.arg(0, "column_names"), sample_of(call.receiver)
    listed = [v.value for v in names.items if isinstance(v, Const)] if isinstance(names, Seq) and names.items else []
    if isinstance(names, Const):
        listed = [names.value]
    chosen = call.name == "select_columns"
    kept = {k: v for k, v in sample.items.items() if (k in listed) == chosen}
    if chosen:
        kept |= {name: Number("a label", dtype="int64") for name in listed if name in LABELS and name not in kept}
    return dataset(call, Mapping(kept, False))


@method("hf_dataset", "rename_column")
def rename_column(call: OpCall) -> Value | None:
    """A column of labels that gets a name holds class numbers."""
    old, new = call.const(0, "original_column_name"), call.const(1, "new_column_name")
    sample = sample_of(call.receiver)
    items = {(new if k == old else k): v for k, v in sample.items.items()}
    if isinstance(new, str) and new in LABELS and new not in items:
        items[new] = Number("a label", dtype="int64")
    return dataset(call, Mapping(items, sample.open))


@method("hf_dataset", "set_format")
@method("hf_dataset", "with_format")
def formatted(call: OpCall) -> Value | None:
    """`set_format("torch", columns=[…])`: other columns are no part of a sample."""
    names, sample = call.arg(1, "columns"), sample_of(call.receiver)
    if isinstance(names, Seq) and names.items is not None:
        listed = [v.value for v in names.items if isinstance(v, Const)]
        items = {k: v for k, v in sample.items.items() if k in listed}
        items |= {name: Number("a label", dtype="int64") for name in listed if name in LABELS and name not in items}
        sample = Mapping(items, False)
    if call.name == "with_format" or not isinstance(call.receiver, Obj):
        return dataset(call, sample)
    call.run.touch(call.receiver, SAMPLE)
    call.receiver.attrs[SAMPLE] = sample
    return Const(None)


def same(call: OpCall) -> Value | None:
    return call.receiver


for _name in SAME:
    method("hf_dataset", _name)(same)


def tensors(sample: Mapping) -> Mapping:
    """A sample with tensors for lists of numbers."""
    return Mapping({name: tensor(value) for name, value in sample.items.items()}, sample.open)


def tensor(value: Value) -> Value:
    if isinstance(value, Seq) and isinstance(element(value), Number):
        length = Const(len(value.items)) if value.items is not None else Unknown("the length of a text")
        return Array(shape=(length,), dtype="int64", grad=False, origin=value.origin)
    return value


def collator(call: OpCall) -> Value | None:
    """`DataCollatorWithPadding(tokenizer)` and its kin; None for other classes."""
    short = call.name.rpartition(".")[2]
    if call.run.program.tape is None or not short.startswith("DataCollator"):
        return None
    return Obj(call.name, "collator", call.node, call.args, call.kwargs, call.step(short), call.scope.file.path)


@called("collator")
def collate(call: OpCall) -> Value | None:
    """Samples of one length become tensors; language models are given their own tokens as labels."""
    samples = call.args[0] if call.args else None
    sample = element(samples) if isinstance(samples, Seq) else None
    if not isinstance(samples, Seq) or samples.items is None or not isinstance(sample, Mapping):
        return Unknown("a batch")
    batch = collated(call, tensors(sample), Const(len(samples.items)))
    if not isinstance(batch, Mapping) or not isinstance(call.receiver, Obj):
        return batch
    ids = batch.items.get("input_ids")
    if call.receiver.name.endswith("ForLanguageModeling") and isinstance(ids, Array):
        batch.items["labels"] = ids.but()
    return Mapping({"labels" if k in LABELS else k: v for k, v in batch.items.items()}, batch.open)
