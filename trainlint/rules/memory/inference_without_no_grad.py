"""A model is evaluated without `no_grad`: autograd keeps what it will never use.

## What it does
Reports a loop that runs a model forward over data in evaluation, with gradients enabled and no backward.

## Why it matters
Every forward then saves its activations for a backward that never comes: memory and time are spent for nothing, and
collected outputs keep every batch's graph alive.

## Example
```py
import torch

def evaluate(model: torch.nn.Module, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()  # warning: [inference-without-no-grad]
    return correct
```
Use instead: `@torch.no_grad()` on the function, or `with torch.no_grad():` around the loop.

## When it stays silent
Callers that hold `no_grad`; functions that need gradients (adversarial examples, `requires_grad_`, `autograd.grad`);
loops that are not evaluation; frameworks that switch gradients off.
"""

from trainlint.rules.api import (
    Array,
    Because,
    Class,
    Const,
    EvalLoop,
    Event,
    Place,
    WholeProgram,
    finding,
    insert_before,
    ir,
    is_module,
    is_weightless,
    loaders_of,
    rule,
    same_thing,
)

EVAL_NAMES = (
    "val",
    "valid",
    "validate",
    "validation",
    "test",
    "eval",
    "evaluate",
    "evaluation",
    "predict",
    "infer",
    "inference",
)


@rule("inference-without-no-grad", code="ME002", family="memory", level="warning", since="0.1")
def check(program: WholeProgram):
    name = program.file.path.rpartition("/")[2]
    if (
        name.startswith("test_")
        or "requires_grad_" in program.file.document.text
        or "autograd.grad" in program.file.document.text
    ):
        return
    if "set_grad_enabled" in program.file.document.text:
        return
    reported = set()
    for loop in program.facts:
        if isinstance(loop, EvalLoop) and not loop.framework and not loop.trace.incomplete:
            draft = judged(loop)
            if draft is not None and draft.place not in reported:
                reported.add(draft.place)
                yield draft


def judged(loop: EvalLoop):
    forward = next((e for e in loop.of("forward") if e.loops[-1] is loop.loop and e.grad and modelled(e)), None)
    if forward is None:
        return None
    if any(e.kind in ("step", "zero_grad", "scheduler_step") for e in loop.events) or made_up(forward):
        return None
    if not evaluates(loop, forward):
        return None
    function = enclosing(loop)
    assumed = forward.name == "assumed" and not is_module(forward.subject)
    fix = (
        insert_before("add `@torch.no_grad()`", function, "@torch.no_grad()")
        if function is not None and torch_imported(loop)
        else None
    )
    mode = next((e for e in loop.trace.of("eval_mode") if same_thing(e.subject, forward.subject)), None)
    because = [Because(mode.place, "eval mode does not switch gradients off")] if mode is not None else []
    text = (
        "the model runs forward for evaluation with gradients enabled: "
        "its activations are kept for a backward that never comes"
    )
    return finding(forward, text, because=[*because, Because(loop.place, "in this loop")], fix=fix, likely=assumed)


def made_up(forward: Event) -> bool:
    """A smoke test: the input is a tensor made in place, `torch.rand(2, 3, 224, 224)`, not data."""
    first = forward.args[0] if forward.args else None
    if not isinstance(first, Array) or first.shape is None or first.layout or first.colour:
        return False
    # a batch of a loader has a symbol for its first axis
    return all(isinstance(size, Const) for size in first.shape)


def modelled(event: Event) -> bool:
    """A module, or a parameter that the only model class of the file fits."""
    return (is_module(event.subject) and not is_weightless(event.subject)) or event.name == "assumed"


def evaluates(loop: EvalLoop, forward: Event) -> bool:
    """Is it evaluation: the model was put into eval mode before, in the same function, and not back into train mode?"""
    events = loop.trace.events
    before = events[: events.index(forward)]
    for event in reversed(before):
        if event.kind in ("eval_mode", "train_mode") and same_thing(event.subject, forward.subject):
            return event.kind == "eval_mode" and event.frames == forward.frames and not event.conds
    return bool(loader_loop(loop) and named_evaluation(loop))


def loader_loop(loop: EvalLoop) -> bool:
    return bool(loaders_of(loop.loop.over)) or isinstance(loop.loop.node, ir.For)


def named_evaluation(loop: EvalLoop) -> bool:
    name = loop.loop.function.strip("_").lower()
    return any(name == word or name.startswith(word + "_") or name.endswith("_" + word) for word in EVAL_NAMES)


def enclosing(loop: EvalLoop) -> Place | None:
    """The function that holds the loop, where it is a plain function or method of this file without decorators."""
    scope = loop.file.scope.names.get(loop.loop.function)
    owner = loop.trace.owner
    if scope is None and isinstance(owner, Class):
        scope = owner.find(loop.loop.function)
    node = getattr(scope, "node", None)
    if isinstance(node, ir.FunctionDef) and not node.decorators:
        return Place(loop.file.path, node)
    return None


def torch_imported(loop: EvalLoop) -> bool:
    return getattr(loop.file.scope.names.get("torch"), "name", "") == "torch"
