"""einops: axes by name."""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Array, Value


@op("einops.rearrange")
def rearrange(call: OpCall) -> Value | None:
    """`rearrange(x, "h w c -> c h w")`: the axes by the pattern's letters where it only permutes."""
    value, pattern = call.arg(0, "tensor"), call.const(1, "pattern")
    if not isinstance(value, Array):
        return None
    if isinstance(pattern, str) and "->" in pattern and "(" not in pattern and value.layout is not None:
        before, after = (side.split() for side in pattern.split("->"))
        if len(before) == len(value.layout) and sorted(before) == sorted(after):
            by_name = dict(zip(before, value.layout, strict=True))
            layout = "".join(by_name[name] for name in after)
            return value.but(layout=layout, shape=None, origin=call.step(f"rearranged to {layout}", value))
    return value.but(layout=None, shape=None, channels=None)


@op("einops.repeat", "einops.reduce")
def other(call: OpCall) -> Value | None:
    value = call.arg(0, "tensor")
    return Array(lib=value.lib, grad=value.grad) if isinstance(value, Array) else None
