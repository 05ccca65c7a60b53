"""There are more classes than the model has scores for.

## What it does
Compares the classes of the data set, or the class numbers of the target, with the axis of classes of the input of
`CrossEntropyLoss` and `NLLLoss`; and the number of class weights with it.

## Why it matters
PyTorch raises "Target 10 is out of bounds" at the first sample of such a class; on a GPU it is a device-side assertion
that names no line.

## Example
```py
import torch
from torch import nn
from torchvision import datasets, transforms

data = datasets.CIFAR100("data", transform=transforms.ToTensor())
net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
for x, y in torch.utils.data.DataLoader(data, batch_size=50):
    loss = nn.CrossEntropyLoss()(net(x), y)  # error: [class-count-mismatch]
```
Use instead: `nn.Linear(3072, 100)`.

## When it stays silent
More scores than classes; data sets whose labels are filtered or renamed; an `ignore_index` for the class in question.
"""

from trainlint.rules.api import (
    Array,
    Because,
    Loss,
    Unknown,
    Violation,
    WholeProgram,
    axis,
    by_default,
    finding,
    known,
    number,
    rule,
    size_text,
)

LOSSES = ("cross_entropy", "nll_loss")
PARTS = ("low", "got", "wanted")
NAMES = ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", *LOSSES, "multi_margin_loss")


@rule("class-count-mismatch", code="SH009", family="shape", level="error", since="0.1")
def check(program: WholeProgram):
    for fact in program.facts:
        if isinstance(fact, Loss) and fact.name in LOSSES:
            yield from labels_beyond(fact)
        elif isinstance(fact, Violation) and fact.op in NAMES:
            yield from violated_count(fact)


def labels_beyond(loss: Loss):
    """The classes of the data set."""
    first, target = loss.input, loss.target
    if not isinstance(first, Array) or not isinstance(target, Array) or target.range != "label" or ignores(loss):
        return
    # an unknown size: perhaps a part of the batch was picked, the one with the classes that the model knows
    if target.shape is None or len(target.shape) != 1 or isinstance(target.shape[0], Unknown):
        return
    scores, classes = number(axis(first, 1 if first.rank == 2 else -1)), number(target.classes)
    if scores is None or classes is None or first.rank not in (None, 2) or classes <= scores:
        return
    because = [Because(first.via, "the scores are made here")] if first.via is not None else []
    text = "the data set has {classes} classes, the input of the loss has scores for {scores}"
    default = by_default(axis(first, -1), target.classes)
    yield finding(loss, text, classes=classes, scores=scores, because=because, default=default, likely=first.likely)


def ignores(loss: Loss) -> bool:
    """Is a class left out of the loss?"""
    given = loss.loss.arg(2, "ignore_index") if loss.loss is not None else loss.keywords.get("ignore_index")
    return given is not None and known(given) != -100


def violated_count(fact: Violation):
    """Class numbers, or weights, that the input has no scores for."""
    words = {k: v if isinstance(v, str) else size_text(v) for k, v in fact.names.items()}
    if words.get("wanted") == "1" and words.get("what") == "class":
        # one score is a mistake of its own (one-logit-cross-entropy)
        return
    if fact.kind == "index" and words.get("what") == "class" and not begins_at_one(fact):
        text = "the target holds the class number {got}, the input of `{op}` has scores for {wanted} classes"
    elif fact.kind == "loss" and words.get("what") == "weight" and fact.op in NAMES:
        text = "`{op}` has weights for {got} classes, its input has scores for {wanted}"
    else:
        return
    text = text.format(op=fact.op, **words)
    yield finding(fact, text, default=fact.default, likely=fact.likely)


def begins_at_one(fact: Violation) -> bool:
    """Do the class numbers run from 1 to the number of classes? Another rule says so (target-form)."""
    low, high, classes = (number(v) if not isinstance(v, str) else None for v in map(fact.names.get, PARTS))
    return low == 1 and high is not None and high == classes
