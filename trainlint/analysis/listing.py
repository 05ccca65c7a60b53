"""The parameters of a module one by one: what `parameters()` and `named_parameters()` give where they are told apart.

That is so where the memory of a program is counted (`Program.tape`): lists of parameters that are filtered, joined and
handed to optimizers are then lists of known objects. A parameter is an object of kind `parameter`, the one that the
program made or one that is made here for a layer of a library.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.parameters import Held, parameters_of
from trainlint.analysis.values import Const, Instance, Mapping, Obj, Seq, Unknown, Value

# the kinds of `parameters()` and `named_parameters()`
LISTINGS = frozenset({"parameters", "named_parameters"})
PARAMETER = "[parameter]"
# set on a listing whose elements are told apart
APART = "[apart]"


def listed(listing: Obj) -> list[Value] | None:
    """The elements of `model.parameters()` or `model.named_parameters()`; None where they are not told apart."""
    if APART not in listing.attrs or not listing.args:
        return None
    found = listing.attrs.get("[elements]")
    if found is None:
        inside = members(listing.args[0])
        if inside is None:
            del listing.attrs[APART]
            return None
        named = listing.kind == "named_parameters"
        items: list[Value] = [Seq("tuple", [Const(name), part]) if named else part for name, part in inside]
        found = listing.attrs["[elements]"] = Seq("list", items)
    assert isinstance(found, Seq)
    return found.items


def members(module: Value) -> list[tuple[str, Obj]] | None:
    """Names and parameters of a module and all below it; None where one of them is not known."""
    found = parameters_of(module)
    if found.unknown:
        return None
    pairs: list[tuple[str, Obj]] = []
    for held in found.tensors:
        part = parameter(held)
        if part is None:
            return None
        pairs.append((held.name, part))
    return pairs


def parameter(held: Held) -> Obj | None:
    """The parameter as an object; one of a layer is made when it is first asked for."""
    owner, name = held.owner, held.slot
    if held.shape is None or not isinstance(owner, (Instance, Obj)):
        return None
    known = existing(held)
    now = owner.attrs.get(name)
    if known is not None or isinstance(now, Obj):
        return known
    maker = owner if isinstance(owner, Obj) else None
    made = Obj(
        "torch.nn.Parameter",
        "parameter",
        maker.node if maker is not None else None,
        [Array(lib="torch", shape=held.shape, dtype=held.dtype), Const(held.trainable is not False)],
        file=maker.file if maker is not None else "",
    )
    # what two layers share stays one tensor
    if isinstance(now, Unknown):
        now.attrs = {**(now.attrs or {}), PARAMETER: made}
    elif isinstance(now, Array):
        now.source = made
    else:
        owner.attrs[name] = made
    return made


def existing(held: Held) -> Obj | None:
    """The object that a parameter is, where it was told apart or the program made it itself."""
    now = held.owner.attrs.get(held.slot) if isinstance(held.owner, (Instance, Obj)) else None
    if isinstance(now, Unknown):
        now = now.attrs.get(PARAMETER) if now.attrs is not None else None
    elif isinstance(now, Array):
        now = now.source
    return now if isinstance(now, Obj) and now.kind == "parameter" else None


def optimised(optimizer: Value) -> list[Value]:
    """The models whose `parameters()` an optimizer was given."""
    params = optimizer.arg(0, "params") if isinstance(optimizer, Obj) else None
    groups = params.items if isinstance(params, Seq) and params.items else [params]
    given = [group.items.get("params") if isinstance(group, Mapping) else group for group in groups]
    return [each.args[0] for each in given if isinstance(each, Obj) and each.kind in LISTINGS and each.args]
