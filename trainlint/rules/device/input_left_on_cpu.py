"""The model is on a device, its input or the target of the loss is not.

## What it does
Reports a batch that goes from the loader (or from a creating function) into a model that was moved, or into the loss
of its output, without being moved itself.

## Why it matters
PyTorch raises "expected all tensors to be on the same device" at the first batch on a GPU.

## Example
```py
import torch
from torch import nn

net = nn.Linear(20, 3).to("cuda")
net(torch.rand(4, 20))  # error: [input-left-on-cpu]
```
Use instead: `net(x.to("cuda"))`.

## When it stays silent
Loaders that are not known, unless another part of the same batch is moved; models that go back to the CPU; batches
that are moved on any path.
"""

from trainlint.rules.api import (
    Array,
    Because,
    Event,
    Obj,
    Seq,
    Trace,
    Unknown,
    Value,
    WholeProgram,
    finding,
    is_module,
    loaders_of,
    on_cpu,
    rule,
    same_thing,
)


@rule("input-left-on-cpu", code="DV006", family="device", level="error", since="0.1")
def check(program: WholeProgram):
    for trace in program.traces:
        moves: list[Event] = []
        # the model inside a wrapper runs at the same call
        scattered: set[int] = set()
        for event in trace.events:
            if event.kind == "move":
                moves = [m for m in moves if not same_thing(m.subject, event.subject)]
                moves += [] if on_cpu(event.value) else [event]
            elif event.kind == "forward" and scatters(event.subject):
                scattered.add(id(event.node))
            elif event.kind == "forward" and id(event.node) not in scattered:
                model = next((m for m in moves if same_thing(m.subject, event.subject)), None)
                if model is not None and not event.expected:
                    yield from left_behind(trace, event, event.args, model, "the input of the model")
            elif event.kind == "loss" and len(event.args) > 1:
                output = event.args[0]
                made = next((m for m in moves if is_module(m.subject)), None)
                if made is not None and on_device(output):
                    yield from left_behind(trace, event, event.args[1:2], made, "the target of the loss")


def scatters(model: Value) -> bool:
    """DataParallel and its kin move the input themselves."""
    return isinstance(model, Obj) and "module" in model.attrs


def left_behind(trace: Trace, event: Event, values: tuple[Value, ...], moved: Event, what: str):
    for value in values:
        sure = stays(trace, event, value)
        if sure is None:
            continue
        because = Because(moved.place, "the model moves here" if what.startswith("the input") else "moved here")
        text = "{what} stays on the CPU, the model was moved to another device"
        yield finding(event, text, what=what, because=because, likely=not sure)
        return


def stays(trace: Trace, event: Event, value: Value) -> bool | None:
    """Is the value certainly on the CPU? False where it is likely, None where nothing says so."""
    if isinstance(value, Array) and value.lib == "torch" and value.shape != ():
        if value.device == "cpu":
            return True
        from_loader = any(value is item for loop in event.loops for item in batch(loop.over))
        return True if value.device is None and from_loader else None
    if isinstance(value, Unknown):
        moved = [move.subject for move in trace.of("move")]
        for loop in event.loops:
            parts = unpacked(loop.over)
            if any(value is part for part in parts) and not any(value is m for m in moved):
                return False if any(part is m for part in parts for m in moved) else None
    return None


def on_device(output: Value) -> bool:
    """May the output be that of the moved model: on a device, with a graph, or not known?"""
    if isinstance(output, Array):
        return output.device in ("cuda", "given") or (output.device is None and output.grad is True)
    return isinstance(output, Unknown)


def unpacked(over: Value | None) -> list[Value]:
    """The parts that the batches of an unknown loader were taken apart into."""
    if isinstance(over, Obj) and over.kind == "wrapper":
        return [part for arg in over.args for part in unpacked(arg)]
    item = over.attrs.get("[]") if isinstance(over, Unknown) and over.attrs else None
    parts = item.attrs if isinstance(item, Unknown) else None
    return [v for k, v in parts.items() if k.startswith("[")] if parts else []


def batch(over: Value | None) -> list[Value]:
    """The parts of a batch of a known loader."""
    found: list[Value] = []
    for loader in loaders_of(over):
        value = loader.attrs.get("batch")
        found += value.items or [] if isinstance(value, Seq) else [value] if value is not None else []
    return found
