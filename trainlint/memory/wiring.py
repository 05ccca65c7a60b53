"""Joins the tape with the tables: what an operation of a program does to memory, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainlint.analysis.parameters import SIZES
from trainlint.analysis.tape import Site
from trainlint.analysis.values import Array, Const, Obj, Seq, Value
from trainlint.memory import saved
from trainlint.memory.playback import Weight

if TYPE_CHECKING:
    from trainlint.memory.estimate import Sizes

WHOLE = frozenset({"int64", "int32", "int16", "int8", "uint8", "bool"})
# the names of the positional arguments of layers that decide about memory
POSITIONS: dict[str, tuple[str, ...]] = {
    "ReLU": ("inplace",),
    "ReLU6": ("inplace",),
    "ELU": ("alpha", "inplace"),
    "LeakyReLU": ("negative_slope", "inplace"),
    "SiLU": ("inplace",),
    "Mish": ("inplace",),
    "Hardswish": ("inplace",),
    "Hardsigmoid": ("inplace",),
    "Dropout": ("p", "inplace"),
    "Dropout2d": ("p", "inplace"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "return_indices"),
    "LSTM": ("input_size", "hidden_size", "num_layers"),
    "GRU": ("input_size", "hidden_size", "num_layers"),
    "RNN": ("input_size", "hidden_size", "num_layers"),
}


def effect_of(site: Site, sizes: Sizes, weights: Sequence[tuple[Weight, tuple[int, ...]]]) -> saved.Effect | None:
    """The effect of an operation; None where the table or one of the sizes is not known."""
    operands = [tensor(array, sizes, site.grad) for array in site.operands]
    results = [tensor(array, sizes, site.grad) for array in site.results]
    if any(each is None for each in (*operands, *results)):
        return None
    if not operands:
        # a tensor that is made from numbers
        return saved.Effect("new")
    given = [each for each in operands if each is not None]
    given += [saved.Tensor(shape, 4, site.grad and weight.trained) for weight, shape in weights if not weight.buffer]
    made = [each for each in results if each is not None]
    return saved.effect(site.op, given, made[0] if len(made) == 1 else made, options_of(site))


def tensor(array: Array, sizes: Sizes, grad: bool) -> saved.Tensor | None:
    """A tensor in numbers."""
    shape = sizes.shape(array)
    if shape is None:
        return None
    dtype = array.dtype or "float32"
    return saved.Tensor(shape, SIZES.get(dtype, 4), grad and array.grad is True, dtype not in WHOLE)


def options_of(site: Site) -> Mapping[str, object]:
    """The arguments of a function, or of the constructor of a layer, that are constants."""
    values: dict[str, Value] = dict(site.options)
    if site.layer is not None:
        values = layer_options(site.layer)
    return {name: plain(value) for name, value in values.items() if isinstance(value, (Const, Seq))}


def layer_options(layer: Obj) -> dict[str, Value]:
    names = POSITIONS.get(layer.name.rpartition(".")[2], ())
    return {**dict(zip(names, layer.args, strict=False)), **layer.kwargs}


def plain(value: Value) -> object:
    """The Python value of a constant or of a list of constants."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Seq) and value.items is not None:
        return tuple(plain(item) for item in value.items)
    return None
