"""A step of a transform pipeline gets what it does not take.

## What it does
Goes through pipelines step by step: reports `Normalize` or `RandomErasing` before `ToTensor`, `ToTensor` twice, steps
that take PIL images on an array, and AutoAugment and its kin on tensors of floats.

## Why it matters
The first image raises a TypeError, in a worker process and with a long traceback.

## Example
```py
from torchvision import transforms

transform = transforms.Compose(
    [
        transforms.Normalize((0.5,), (0.5,)),
        transforms.ToTensor(),  # error: [transform-order]
    ]
)
```
Use instead: `ToTensor()` before `Normalize(…)`.

## When it stays silent
Steps of `transforms.v2` that take both; steps behind a `Lambda` or a transform of the program's own.
"""

from trainlint.rules.api import (
    Obj,
    Refusal,
    Seq,
    WholeProgram,
    finding,
    ir,
    line_of,
    path_of,
    replace_all,
    rule,
    source,
)

KINDS = {"pil": "a PIL image", "numpy": "an array", "torch": "a tensor"}
MAKES_TENSORS = (".ToTensor", ".PILToTensor", ".ToImage")
TAKES_TENSORS = (".Normalize", ".RandomErasing", ".ConvertImageDtype")


@rule("transform-order", code="IM011", family="image", level="error", since="0.1")
def check(program: WholeProgram):
    first: dict[int, Refusal] = {}
    for fact in program.facts:
        if isinstance(fact, Refusal):
            key = id(fact.pipeline) if fact.pipeline is not None else id(fact)
            kept = first.get(key)
            if kept is None or position(fact) < position(kept):
                first[key] = fact
    for fact in first.values():
        got = KINDS.get(fact.value.lib, "something else")
        if (got == "a tensor" and fact.value.dtype and "whole" in fact.takes) or "floats" in fact.takes:
            got = f"a tensor of {fact.value.dtype}"
        steps = path_of(fact.value)
        last = f": {steps[-1].message} at line {line_of(steps[-1].place)}" if steps else ""
        text = "`{op}` takes {takes}, here it gets {got}{last}"
        yield finding(
            fact, text, op=fact.op, takes=fact.takes, got=got, last=last, because=steps, fix=reordered(fact),
            likely=fact.value.likely,
        )  # fmt: skip


def steps_of(fact: Refusal) -> list[Obj]:
    steps = fact.pipeline.arg(0, "transforms") if fact.pipeline is not None else None
    items = steps.items if isinstance(steps, Seq) and steps.items is not None else []
    return [step for step in items if isinstance(step, Obj)] if all(isinstance(s, Obj) for s in items) else []


def position(fact: Refusal) -> int:
    return next((i for i, step in enumerate(steps_of(fact)) if step is fact.step), 1000)


def reordered(fact: Refusal):
    """The step that makes tensors before the steps that take them, where the list stands in the source."""
    steps, here = steps_of(fact), position(fact)
    nodes = display(fact, steps)
    if nodes is None or here >= len(steps):
        return None
    makers = [i for i, step in enumerate(steps) if step.name.endswith(MAKES_TENSORS)]
    takers = [i for i, step in enumerate(steps) if step.name.endswith(TAKES_TENSORS)]
    if len(makers) != 1 or not takers or takers[0] > makers[0]:
        return None
    order = list(range(len(steps)))
    order.insert(takers[0], order.pop(makers[0]))
    texts = [source(node) for node in nodes]
    changes = [(nodes[i], texts[j]) for i, j in enumerate(order) if i != j]
    moved, before = (steps[i].name.rpartition(".")[2] for i in (makers[0], takers[0]))
    return replace_all(f"move `{moved}` before `{before}`", fact.file, changes)


def display(fact: Refusal, steps: list[Obj]):
    """The elements of the list that the pipeline was built with, where each is the call that made its step."""
    call = fact.pipeline.node if fact.pipeline is not None else None
    if not isinstance(call, ir.Call) or not call.args or fact.pipeline is None or fact.pipeline.file != fact.file.path:
        return None
    given = call.args[0]
    if not isinstance(given, ir.Sequence) or [s.node for s in steps] != list(given.elts):
        return None
    return list(given.elts)
