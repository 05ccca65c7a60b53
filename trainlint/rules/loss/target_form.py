"""The target of a loss has a form that the loss does not take.

## What it does
Reports targets of a cross-entropy that are one-hot integers, class numbers as floats, class numbers with an axis too
many or too few, or class numbers that begin at 1; and binary targets that are integers.

## Why it matters
PyTorch raises, in most cases with words about scalar types or multi-target that do not name the cause.

## Example
```py
import torch
from torch import nn

net = nn.Linear(20, 3)
labels = torch.tensor([[0], [1], [2], [0]])
loss = nn.CrossEntropyLoss()(net(torch.rand(4, 20)), labels)  # error: [target-form]
```
Use instead: `labels.squeeze(1)`.

## When it stays silent
Sizes, dtypes and numbers that are not proved; floats of the input's sizes, which are probabilities; class numbers at
or above the number of scores (class-count-mismatch); scores whose classes come last (cross-entropy-class-axis).
"""

from trainlint.rules.api import (
    Array,
    Violation,
    argument_of,
    at,
    finding,
    number,
    path_of,
    rule,
    same_size,
    shape_text,
    wrap,
)

CLASSES = ("CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss", "MultiMarginLoss", "multi_margin_loss")
PARTS = ("low", "got", "wanted")
BINARY = ("BCELoss", "binary_cross_entropy", "BCEWithLogitsLoss", "binary_cross_entropy_with_logits")


@rule("target-form", code="LS004", family="loss", level="error", since="0.1")
def check(fact: Violation):
    if fact.op not in (*CLASSES, *BINARY):
        return
    message = None
    if fact.kind == "dtype" and fact.names.get("what") == "target":
        message = wrong_type(fact)
    elif fact.kind == "loss" and fact.op in CLASSES:
        message = wrong_sizes(fact)
    elif fact.kind == "index" and begins_at_one(fact):
        message = "the class numbers begin at 1: `{op}` counts the classes from 0"
    if message is None:
        return
    target = next((v for v in reversed(fact.values) if isinstance(v, Array)), None)
    because = path_of(target) if target is not None else ()
    yield finding(fact, message, op=fact.op, because=because, default=fact.default, likely=fact.likely, fix=cast(fact))


def wrong_type(fact: Violation) -> str | None:
    """The message for a dtype that the loss refuses."""
    got, target = str(fact.names.get("got")), fact.values[0]
    whole = got.startswith(("int", "uint", "bool"))
    if fact.op in BINARY:
        return f"`{{op}}` takes its target as floats, it is {got}" if whole else None
    if whole and len(fact.values) == 1:
        # the sizes of the input: taken for probabilities
        return f"the target {shape_text(target)} is {got} with an axis for the classes: class numbers have none"
    return f"`{{op}}` takes class numbers as int64, the target is {got}"


def wrong_sizes(fact: Violation) -> str | None:
    """The message for a target whose sizes do not go with the input."""
    if fact.names.get("what") not in ("rank", "places", "one sample") or len(fact.values) < 2:
        return None
    first, target = fact.values[:2]
    if not isinstance(first, Array) or not isinstance(target, Array) or classes_last(first, target):
        return None
    shapes = f"{shape_text(target)} does not go with the input {shape_text(first)}"
    return f"the target {shapes}: `{{op}}` takes one class number for each place"


def classes_last(first: Array, target: Array) -> bool:
    """Has the target the sizes of the input without its last axis?"""
    if first.shape is None or target.shape is None or len(first.shape) < 3:
        return False
    lead = first.shape[:-1]
    return len(lead) == len(target.shape) and all(
        same_size(a, b) is not False for a, b in zip(lead, target.shape, strict=True)
    )


def begins_at_one(fact: Violation) -> bool:
    """Do the class numbers run from 1 to the number of classes?"""
    low, high, classes = (number(v) if not isinstance(v, str) else None for v in map(fact.names.get, PARTS))
    return low == 1 and high is not None and high == classes


def cast(fact: Violation):
    """Give the target the type that the loss takes."""
    node = argument_of(fact.node, 1)
    if fact.kind != "dtype" or node is None or (fact.op not in BINARY and len(fact.values) == 1):
        return None
    method = ".float()" if fact.op in BINARY else ".long()"
    return wrap(f"add `{method}`", at(fact.file, node), "", method)
