"""Checkpointing: calls whose inside is dropped after the forward and computed again in backward."""

from __future__ import annotations

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.iteration import elements
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.tape import Region
from trainlint.analysis.values import Unknown, Value, assumed_truth, number

OWN = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop")


@op("torch.utils.checkpoint.checkpoint", "deepspeed.checkpointing.checkpoint")
def checkpoint(call: OpCall) -> Value | None:
    """Calls the function."""
    if not call.args:
        return None
    rest = {name: value for name, value in call.kwargs.items() if name not in OWN}
    return inside(call, call.args[0], call.args[1:], rest)


def inside(call: OpCall, function: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """The result of a function that is checkpointed. Of nested ones the outermost counts."""
    run = call.run
    outer = run.region
    asked = call.kwargs.get("use_reentrant")
    run.region = outer or Region(asked is None or assumed_truth(asked) is not False)
    try:
        return invoke(run, call.scope, function, args, kwargs, call.node)
    finally:
        run.region = outer


@op("torch.jit.trace")
def trace(call: OpCall) -> Value | None:
    """Tracing gives the module back."""
    return call.args[0] if call.args else None


@op("torch.utils.checkpoint.checkpoint_sequential")
def checkpoint_sequential(call: OpCall) -> Value | None:
    """Calls the functions in segments of one size; the last segment, with the rest, is not checkpointed."""
    parts, value = elements(call.args[0]) if call.args else None, call.arg(2, "input")
    segments = number(call.arg(1, "segments"))
    if parts is None or value is None:
        return None
    if not isinstance(segments, int) or segments < 1:
        call.run.event("unknown_call", call.node, call.scope, Unknown(), None, (value,), "checkpoint_sequential")
        segments = 1
    run, outer = call.run, call.run.region
    size = len(parts) // segments
    asked = call.kwargs.get("use_reentrant")
    reentrant = asked is None or assumed_truth(asked) is not False
    try:
        for index, part in enumerate(parts):
            if index % max(size, 1) == 0 and index < size * (segments - 1):
                run.region = outer or Region(reentrant)
            elif index == size * (segments - 1):
                run.region = outer
            value = invoke(run, call.scope, part, [value], {}, call.node)
    finally:
        run.region = outer
    return value
