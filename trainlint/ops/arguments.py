"""Arguments of layers and functions: what was given, what PyTorch takes where nothing was, a size for each axis."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Const, Ext, Mapping, Obj, OneOf, Seq, Sym, Unknown, Value

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
COMPLEX = frozenset({"complex32", "complex64", "complex128"})
INTEGERS = frozenset({"uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"})


# attributes of a layer that its `forward` reads: assigning one changes what it does. The others (`in_channels`) only
# say how the weights were made.
LIVE = frozenset(
    [
        "stride",
        "padding",
        "dilation",
        "groups",
        "p",
        "inplace",
        "output_size",
        "ceil_mode",
        "start_dim",
        "end_dim",
        "dim",
    ]
)


def given(source: Obj | OpCall, index: int, name: str, default: object = None) -> Value:
    """An argument by position or keyword, the default where it was not given; Unknown where `*` or `**` may hide it.

    For a layer, an attribute that was assigned later (`conv.stride = (1, 1)`) comes before the argument.
    """
    if isinstance(source, Obj) and name in LIVE and name in source.attrs:
        written = source.attrs[name]
        # an attribute that was only read is an Unknown of that name
        if not (isinstance(written, Unknown) and written.name.endswith(f".{name}")):
            return written
    if name in source.kwargs:
        return source.kwargs[name]
    # behind a `*` of unknown length the positions mean nothing
    if "*" in source.kwargs:
        return Unknown(name)
    if 0 <= index < len(source.args):
        return source.args[index]
    return Unknown(name) if "**" in source.kwargs else Const(default)


def integer(value: Value | None) -> int | None:
    """The int of a constant (bool excluded), else None."""
    if isinstance(value, Const) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value.value
    return None


def flag(value: Value) -> bool | None:
    """The truth of a constant, None where it is not known."""
    return bool(value.value) if isinstance(value, Const) else None


def size(value: Value | None) -> Value:
    """The value as a size: an int, a symbol, one of a few of them, or unknown."""
    if isinstance(value, Sym) or integer(value) is not None:
        assert value is not None
        return value
    if isinstance(value, OneOf) and all(isinstance(v, Sym) or integer(v) is not None for v in value.values):
        return value
    return Unknown()


def spread(value: Value, count: int) -> list[Value] | None:
    """One size for each of `count` axes; None where a sequence of another length was given."""
    if isinstance(value, Seq):
        if value.items is None:
            return [Unknown() for _ in range(count)]
        if len(value.items) == 1:
            return [size(value.items[0])] * count
        return [size(item) for item in value.items] if len(value.items) == count else None
    return [size(value)] * count


def sizes(value: Value | None) -> list[Value] | None:
    """The sizes of `normalized_shape` and its kin: an int or a sequence; None where their number is not known."""
    if isinstance(value, Seq):
        return [size(item) for item in value.items] if value.items is not None else None
    if isinstance(size(value), Unknown):
        return None
    return [size(value)]


def shape_of(array: Array) -> tuple[Value, ...] | None:
    """The sizes of an array; from its layout where only that is known."""
    if array.shape is not None:
        return array.shape
    if array.layout is None:
        return None
    known = Const(array.channels) if array.channels is not None else Unknown()
    return tuple(known if letter == "C" else Unknown() for letter in array.layout)


def last(array: Array, index: int) -> Value:
    """The size of an axis counted from the end (negative), Unknown where it is not known."""
    shape = array.shape if array.shape is not None else shape_of(array)
    if shape is None:
        shape = array.tail or ()
    return shape[index] if -index <= len(shape) else Unknown()


def dtype_named(value: Value | None) -> str | None:
    """`float16` for `torch.float16` and its other spellings, else None."""
    if isinstance(value, Ext) and value.name.startswith("torch."):
        name = value.name[6:]
        return SPELLINGS.get(name, name if name in FLOATS or name in COMPLEX or name in INTEGERS else None)
    return None


SPELLINGS = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "cfloat": "complex64",
    "cdouble": "complex128",
}


def closed(mapping: Mapping) -> bool:
    """Are all entries of the mapping known?"""
    return not mapping.open and mapping.rest is None
