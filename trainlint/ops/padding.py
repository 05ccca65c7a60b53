"""Sequences of different lengths: `pad_sequence`."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Value, truth
from trainlint.ops.joining import common, merged, parts_of


@op("torch.nn.utils.rnn.pad_sequence")
def pad_sequence(call: OpCall) -> Value | None:
    """(L, N, *), or (N, L, *) with `batch_first`, where L is the length of the longest one."""
    parts = parts_of(call)
    if parts is None:
        return Array(grad=None)
    whole = common(parts).but(shape=None, layout=None, channels=None, colour=None)
    shapes = [a.shape if isinstance(a, Array) else None for a in parts.values]
    known = [shape for shape in shapes if shape]
    first = truth(flag) if (flag := call.arg(1, "batch_first")) is not None else False
    if len(known) != len(shapes) or len({len(s) for s in known}) != 1 or parts.length is None or first is None:
        return whole
    length = known[0][0]
    for shape in known[1:]:
        length = longer(length, shape[0])
    rest = merged([shape[1:] for shape in known]) or ()
    return whole.but(shape=(parts.length, length, *rest) if first else (length, parts.length, *rest))


def longer(a: Value, b: Value) -> Value:
    """The larger of two lengths; Unknown where that is not known."""
    return dims.sub(dims.add(a, b), dims.smaller(a, b))
