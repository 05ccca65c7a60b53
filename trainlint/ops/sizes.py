"""What a tensor says of its own shape: `.shape`, `size()`, `dim()`, `numel()`, `len(x)`, iterating.

A size that is not known is a symbol, the same each time it is asked of the same array.
"""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array, axis
from trainlint.analysis.registry import OpCall, array_method, method, op
from trainlint.analysis.values import Const, Obj, Round, Seq, Unknown, Value
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.layout import integer, letters


def extent(array: Array, index: int) -> Value:
    """The size of one axis: what is known, else a symbol that is the same each time."""
    known = axis(array, index)
    if known is not None and not isinstance(known, Unknown):
        return known
    rank = rank_of(array)
    key = index % rank if rank is not None and -rank <= index < rank else index
    letter = array.layout[key] if array.layout is not None and 0 <= key < len(array.layout) and rank else None
    if letter == "C" and array.channels is not None:
        return Const(array.channels)
    if array.axes is None:
        array.axes = {}
    found = array.axes.get(key)
    if found is None:
        name = {"N": "B"}.get(letter, letter) if letter is not None else f"d{key}" if key >= 0 else f"d_{-key}"
        found = array.axes[key] = dims.symbol(name)
    return found


def rank_of(array: Array) -> int | None:
    if array.shape is not None:
        return len(array.shape)
    return len(array.layout) if array.layout is not None else None


def size_of(call: OpCall, array: Array) -> Value:
    """`x.shape`: a tuple where the number of axes is known, else something that knows its array."""
    rank = rank_of(array)
    if rank is not None:
        return Seq("tuple", [extent(array, i) for i in range(rank)], None, array.origin)
    result = Obj("torch.Size", "size", call.node)
    result.attrs["array"] = array
    return result


@array_method(".shape")
def shape(call: OpCall) -> Value | None:
    array = call.receiver
    return size_of(call, array) if isinstance(array, Array) else None


@array_method("size")
def size(call: OpCall) -> Value | None:
    """`x.size()`, `x.size(1)`."""
    array, dim = call.receiver, call.arg(0, "dim")
    if not isinstance(array, Array):
        return None
    return size_of(call, array) if dim is None else entry(call, array, dim)


def entry(call: OpCall, array: Array, dim: Value) -> Value:
    index = integer(dim)
    if index is None:
        return dims.symbol("size")
    if array.shape is not None:
        rank = Const(len(array.shape))
        if not call.require(-rank.value <= index < rank.value, "index", array, op=call.name, got=dim, wanted=rank):
            return Unknown()
    return extent(array, index)


@array_method(".size")
def numpy_size(call: OpCall) -> Value | None:
    """The number of elements for NumPy; for torch it is a method."""
    array = call.receiver
    if isinstance(array, Array) and array.lib == "numpy":
        return count(array)
    from trainlint.analysis.attributes import Method

    return Method(array, "size") if array is not None else None


def count(array: Array) -> Value:
    rank = rank_of(array)
    return dims.product([extent(array, i) for i in range(rank)]) if rank is not None else dims.symbol("numel", low=0)


@array_method("numel", "nelement")
def numel(call: OpCall) -> Value | None:
    array = call.receiver
    return count(array) if isinstance(array, Array) else None


@op("torch.numel")
def numel_function(call: OpCall) -> Value | None:
    array = call.arg(0, "input")
    return count(array) if isinstance(array, Array) else None


@array_method("dim", "ndimension", ".ndim")
def dim(call: OpCall) -> Value | None:
    array = call.receiver
    rank = rank_of(array) if isinstance(array, Array) else None
    return Const(rank) if rank is not None else Unknown("ndim")


@array_method("__len__")
def length(call: OpCall) -> Value | None:
    array = call.receiver
    return extent(array, 0) if isinstance(array, Array) and array.shape != () else None


@array_method("__iter__")
def iterate(call: OpCall) -> Value | None:
    """Each element along the first axis."""
    array = call.receiver
    if not isinstance(array, Array):
        return None
    names = letters(array)
    rest = array.shape[1:] if array.shape else None
    if call.run.program.tape is not None and rest == () and kind_of_dtype(array.dtype) == 1:
        # where something begins: `x[i:i + n]` has a length
        return dims.symbol("i", key=Round(), value=Const(0), low=0)
    result = array.but(layout=names[1:] or None if names else None, shape=rest)
    if names is not None and names[0] == "C":
        result.channels = result.colour = None
    return result


@method("size", "__getitem__")
def entry_of_size(call: OpCall) -> Value | None:
    array, index = array_of(call), integer(call.args[0])
    return extent(array, index) if array is not None and index is not None else dims.symbol("size")


@method("size", "__getslice__")
def slice_of_size(call: OpCall) -> Value | None:
    """`x.shape[-2:]` and `x.shape[:2]` are known to be two sizes."""
    array = array_of(call)
    low, high, step = (v.value if isinstance(v, Const) else "?" for v in call.args)
    if array is None or step not in (None, 1):
        return None
    if isinstance(low, int) and low < 0 and (high is None or (isinstance(high, int) and low < high < 0)):
        return Seq("tuple", [extent(array, i) for i in range(low, high if isinstance(high, int) else 0)])
    if low in (None, 0) or (isinstance(low, int) and low > 0):
        if isinstance(high, int) and high >= 0:
            return Seq("tuple", [extent(array, i) for i in range(low or 0, high)])
    return None


@method("size", "numel")
def numel_of_size(call: OpCall) -> Value | None:
    array = array_of(call)
    return count(array) if array is not None else None


def array_of(call: OpCall) -> Array | None:
    obj = call.receiver
    array = obj.attrs.get("array") if isinstance(obj, Obj) else None
    return array if isinstance(array, Array) else None
