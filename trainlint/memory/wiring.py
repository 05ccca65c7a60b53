"""Joins the tape with the tables: what an operation of a program does to memory, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trainlint.analysis.arrays import Array
from trainlint.analysis.parameters import SIZES
from trainlint.analysis.tape import Site
from trainlint.analysis.values import Const, Seq, Value
from trainlint.memory import saved
from trainlint.memory.laid import laid
from trainlint.memory.options import HIDDEN, positions
from trainlint.memory.sizes import Sizes
from trainlint.memory.weights import Weight

# LSTMCell and its kin are two products each
PRODUCTS = frozenset(
    {
        *("@", "matmul", "mm", "bmm", "mv", "addmm", "addmv", "addbmm", "baddbmm", "dot", "inner", "einsum"),
        *("tensordot", "chain_matmul", "multi_dot", "linear", "Linear", "bilinear", "Bilinear"),
        *("RNNCell", "LSTMCell", "GRUCell", "MultiheadAttention", "multi_head_attention_forward"),
    }
)
WHOLE = frozenset({"int64", "int32", "int16", "int8", "uint8", "bool"})


def effect_of(site: Site, sizes: Sizes, weights: Sequence[tuple[Weight, bool]]) -> saved.Effect | None:
    """The effect of an operation; None where the table, a size or an option that decides is not known.

    `weights` are the parameters of the layer and whether they are trained.
    """
    operands = [tensor(array, sizes, site.grad) for array in site.operands]
    results = [tensor(array, sizes, site.grad) for array in site.results]
    if any(each is None for each in (*operands, *results)):
        return None
    if not operands:
        # a tensor that is made from numbers
        return saved.Effect("new")
    given = [each for each in operands if each is not None]
    made = [each for each in results if each is not None]
    given += [saved.Tensor(weight.shape, weight.itemsize, site.grad and trained) for weight, trained in weights]
    options = options_of(site)
    effect = saved.effect(site.op, given, made[0] if len(made) == 1 else made, options)
    for array, strides in zip(site.results, laid(site, given, made, effect, options) if effect else (), strict=False):
        if strides is not None:
            # a reshape of it may have to copy
            sizes.strides[id(array)] = strides
    return effect


def is_product(op: str) -> bool:
    """Does an operation multiply matrices with cuBLAS? (Convolutions and recurrent layers use cuDNN.)"""
    return op.rpartition(".")[2].removesuffix("_") in PRODUCTS


def tensor(array: Array, sizes: Sizes, grad: bool) -> saved.Tensor | None:
    """A tensor in numbers."""
    shape = sizes.shape(array.shape)
    if shape is None:
        return None
    dtype = sizes.dtype(array)
    strides = sizes.strides.get(id(array))
    attached = grad and array.grad is True and id(array) not in sizes.detached
    return saved.Tensor(shape, SIZES.get(dtype, 4), attached, dtype not in WHOLE, strides)


def options_of(site: Site) -> dict[str, object]:
    """The arguments of a function, or of the constructor of a layer, by name."""
    if site.layer is not None:
        found = by_name(site.layer.name, site.layer.args, site.layer.kwargs)
        found["autocast"] = bool(site.casts)
        if site.layer.name == "torch.nn.MultiheadAttention":
            # query, key, value, key_padding_mask, need_weights
            asked = site.named.get("need_weights", site.positional[4] if len(site.positional) > 4 else None)
            found |= {"need_weights": plain(asked)} if asked is not None else {}
        return found
    found = by_name(site.op.removesuffix("_"), site.positional, site.named)
    if not isinstance(found.get("training", True), bool):
        # `training=self.training`: a training step is what is estimated
        del found["training"]
    if site.op.startswith("operator.") and not isinstance(site.positional[0], Array):
        found["reflected"] = True
    return found


def by_name(qualified: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> dict[str, object]:
    """Arguments by the names of the signature, with `HIDDEN` where some may have no name here.

    Values that are no constants stay abstract values, which no option may be.
    """
    names = positions(qualified) or ()
    found = {name: plain(value) for name, value in {**dict(zip(names, args, strict=False)), **kwargs}.items()}
    if "**" in kwargs or any(not isinstance(value, Array) for value in args[len(names) :]):
        found[HIDDEN] = None
    return found


def plain(value: Value) -> object:
    """The Python value of a constant or of a list of constants, else the abstract value."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Seq) and value.items is not None:
        return tuple(plain(item) for item in value.items)
    return value
