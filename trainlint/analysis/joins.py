"""What covers several values: where branches meet, what a sequence holds."""

from __future__ import annotations

from typing import Any

from trainlint.analysis.arrays import Array
from trainlint.analysis.values import (
    Const,
    Ext,
    Mapping,
    Named,
    Number,
    OneOf,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
    alternatives,
    number,
)

MAX_ALTERNATIVES = 8


def join(a: Value | None, b: Value | None) -> Value:
    """The least value that covers both."""
    if a is b and a is not None:
        return a
    if a is None or b is None:
        return Unknown()
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return unknown_of((a, b))
    if isinstance(a, Const) and isinstance(b, Const) and type(a.value) is type(b.value) and a.value == b.value:
        return a if a.default or not b.default else b
    if isinstance(a, Array) and isinstance(b, Array):
        return join_arrays(a, b)
    if isinstance(a, Seq) and isinstance(b, Seq) and a.kind == b.kind:
        return join_sequences(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        keys = a.items.keys() & b.items.keys()
        same = len(keys) == len(a.items) == len(b.items)
        return Mapping({k: join(a.items[k], b.items[k]) for k in keys}, a.open or b.open or not same, a.origin)
    if isinstance(a, Ext) and isinstance(b, Ext) and a.name == b.name:
        return a
    if isinstance(a, Sym) and isinstance(b, Sym) and a.poly == b.poly:
        return a
    return one_of((*alternatives(a), *alternatives(b)))


def is_numeric(value: Value | None) -> bool:
    """Is it certainly a Python number?"""
    if isinstance(value, OneOf):
        return all(is_numeric(v) for v in value.values)
    return isinstance(value, (Number, Sym, Range)) or number(value) is not None


def unknown_of(values: tuple[Value, ...]) -> Value:
    """What covers values of which one is Unknown: a number where all are."""
    first = next(value for value in values if isinstance(value, Unknown))
    if not any(isinstance(value, Number) for value in values):
        return first
    if not all(map(is_numeric, values)):
        return Unknown(first.name, first.origin)
    dtypes = {numeric_type(value) for value in values}
    return Number(first.name, first.origin, dtypes.pop() if len(dtypes) == 1 else None)


def numeric_type(value: Value) -> str | None:
    """The dtype that a number alone would give a tensor, None where it is not known."""
    if isinstance(value, Number):
        return value.dtype
    if isinstance(value, OneOf):
        dtypes = {numeric_type(option) for option in value.values}
        return dtypes.pop() if len(dtypes) == 1 else None
    if isinstance(value, Sym):
        return "int64"
    if isinstance(value, Const) and not isinstance(value.value, bool):
        return "int64" if isinstance(value.value, int) else "float32"
    return None


def one_of(values: tuple[Value, ...]) -> Value:
    """The union of the values, Unknown where there are more than eight."""
    if any(isinstance(value, Unknown) for value in values):
        return unknown_of(values)
    distinct: list[Value] = []
    for value in values:
        if not any(value is d or same_constant(value, d) for d in distinct):
            distinct.append(value)
    if len(distinct) == 1:
        return distinct[0]
    if not distinct or len(distinct) > MAX_ALTERNATIVES:
        if not distinct or not all(map(is_numeric, distinct)):
            return Unknown()
        dtypes = {numeric_type(value) for value in distinct}
        return Number(dtype=dtypes.pop() if len(dtypes) == 1 else None)
    return OneOf(tuple(distinct), distinct[0].origin)


def same_constant(a: Value, b: Value) -> bool:
    return isinstance(a, Const) and isinstance(b, Const) and type(a.value) is type(b.value) and a.value == b.value


def join_arrays(a: Array, b: Array) -> Array:
    def both(field: str) -> Any:
        x, y = getattr(a, field), getattr(b, field)
        return x if x == y else None

    shape = tail = None
    if a.shape is not None and b.shape is not None and len(a.shape) == len(b.shape):
        shape = tuple(join(x, y) for x, y in zip(a.shape, b.shape, strict=True))
    elif a.tail is not None and b.tail is not None:
        common = min(len(a.tail), len(b.tail))
        tail = tuple(join(x, y) for x, y in zip(a.tail[-common:], b.tail[-common:], strict=True))
    return Array(
        lib=a.lib if a.lib == b.lib else "?",
        layout=both("layout"),
        channels=both("channels"),
        colour=both("colour"),
        range=both("range"),
        dtype=both("dtype"),
        shape=shape,
        grad=both("grad"),
        device=both("device"),
        likely=a.likely or b.likely,
        via=a.via,
        origin=a.origin,
        tail=tail,
        stats=both("stats"),
        classes=a.classes if a.classes is b.classes else None,
        vectors=both("vectors"),
    )


def join_sequences(a: Seq, b: Seq) -> Seq:
    if a.items is not None and b.items is not None and len(a.items) == len(b.items):
        items = [join(x, y) for x, y in zip(a.items, b.items, strict=True)]
        if isinstance(a, Named) and isinstance(b, Named) and a.fields == b.fields:
            return Named(a.fields, items, a.cls if a.cls is b.cls else None, a.origin)
        return Seq(a.kind, items, None, a.origin)
    # an empty one adds no element
    elem = element(b) if a.items == [] else element(a) if b.items == [] else join(element(a), element(b))
    return Seq(a.kind, None, elem, a.origin, same_count(a.count, b.count))


def same_count(a: Value | None, b: Value | None) -> Value | None:
    """A number of elements that both have, None where they differ or may."""
    if a is None or b is None:
        return None
    joined = join(a, b)
    return joined if isinstance(joined, (Const, Sym)) else None


def element(value: Seq) -> Value:
    """A value that covers every element of the sequence."""
    if value.items is not None:
        if not value.items:
            return Unknown()
        result = value.items[0]
        for item in value.items[1:]:
            result = join(result, item)
        return result
    return value.elem if value.elem is not None else Unknown()
