"""The parameters of models with a name: the number of the tables, less the parts that the program replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainlint.analysis.modules import REST, partial_children
from trainlint.analysis.parameters import Own, Slot, holds, parameters_of
from trainlint.analysis.values import Const, Obj, Value
from trainlint.ops import zoo, zoo_tables
from trainlint.ops.arguments import dtype_named
from trainlint.ops.layers import weights

# the parts of the models of torchvision and timm that hold nothing
BARE = frozenset({"avgpool", "maxpool", "relu", "dropout", "drop", "act", "act1", "global_pool", "flatten"})


@holds("torchvision.models.", "timm.", "transformers.")
def named_model(obj: Obj) -> Own | str:
    """Its number of parameters as one slot, and the parts that were exchanged since it was built."""
    found = zoo.entry_of(obj)
    short = obj.name.rpartition(".")[2]
    if found is None:
        return f"what `{short}` is made of is not known"
    if obj.name.startswith("transformers."):
        count = transformers_count(obj, found)
        if count is None or partial_children(obj):
            return f"how `{short}` was changed is not known"
        return inside(obj, count, None, {})
    return built(obj, found)


def inside(obj: Obj, count: int, buffers: int | None, besides: dict[str, Value]) -> Own:
    asked = next((obj.kwargs[name] for name in ("torch_dtype", "dtype") if name in obj.kwargs), None)
    dtype = weights(obj) if asked is None else dtype_named(asked)
    slots = [Slot("", None, dtype, count=Const(count))]
    if buffers:
        slots.append(Slot("(buffers)", None, None, buffer=True, count=Const(buffers)))
    return Own(slots, whole=True, besides=besides)


def built(obj: Obj, found: dict[str, Any]) -> Own | str:
    """A model of torchvision or timm."""
    classes, channels = obj.attrs[zoo.CLASSES], obj.attrs[zoo.CHANNELS]
    if variant(obj):
        return "its arguments change what it is made of"
    if not isinstance(classes, Const) or not isinstance(classes.value, int):
        return "the number of its classes is not known"
    count = with_channels(zoo_tables.parameters_of(found, classes.value), found, channels)
    if count is None:
        return "its number of parameters is not in the tables"
    fresh = Obj(obj.name, "module")
    zoo.fill(fresh, found, ("", ""), classes, channels)
    besides: dict[str, Value] = {}
    for path, before, now in exchanged(fresh, obj, ""):
        if before is not None:
            gone = parameters_of(before)
            if not isinstance(gone.count, Const):
                return f"what `{path}` held before it was replaced is not known"
            count -= int(gone.count.value)
        elif path not in BARE and not added(fresh, path):
            return f"what `{path}` held before it was replaced is not known"
        besides[path] = now
    return inside(obj, count, found.get("buffers"), besides)


def exchanged(before: Value | None, now: Obj, prefix: str) -> Iterator[tuple[str, Value | None, Value]]:
    """Path, old part and new part of what a program put into a model; None for an old part that no table has."""
    for name, child in partial_children(now).items():
        path = f"{prefix}.{name}" if prefix else name
        old = before.attrs.get(name) if isinstance(before, Obj) else None
        if zoo.own(child) and isinstance(child, Obj):
            yield from exchanged(old, child, path)
        else:
            yield path, old, child


def added(fresh: Obj, path: str) -> bool:
    """Is this a further child of a Sequential whose layers are all in the tables?"""
    outer, _, _ = path.rpartition(".")
    holder = zoo.at(fresh, outer) if outer else None
    return isinstance(holder, Obj) and REST not in holder.attrs


def variant(model: Obj) -> bool:
    """Weights or arguments that may change the inside of the model."""
    plain = {
        "num_classes",
        "in_chans",
        "pretrained",
        "progress",
        "weights",
        "model_name",
        "drop_rate",
        "drop_path_rate",
    }
    if model.kwargs.keys() - plain:
        return True
    return model.name.endswith((".googlenet", ".vit_h_14", ".vit_b_16", ".vit_l_16")) and zoo.pretrained(model)


def with_channels(count: int | None, found: dict[str, Any], channels: Value) -> int | None:
    if not isinstance(channels, Const) or count is None:
        return None
    if channels.value == found["channels"]:
        return count
    per_channel = found.get("per_channel")
    return count + per_channel * (channels.value - found["channels"]) if per_channel else None


def transformers_count(model: Obj, found: dict[str, Any]) -> int | None:
    cls = zoo.architecture(found, model.name.rpartition(".")[2])
    labels = model.kwargs.get("num_labels", Const(2))
    if cls is None or not isinstance(labels, Const) or not isinstance(labels.value, int):
        return None
    if model.kwargs.keys() - {"num_labels", "torch_dtype", "dtype", "output_hidden_states", "output_attentions"}:
        return None
    two, more = found["classes"][cls]
    return int(two) + int(more) * (labels.value - 2)
