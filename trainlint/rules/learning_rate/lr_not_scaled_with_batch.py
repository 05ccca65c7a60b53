"""The batch size changed and the learning rate did not follow.

## What it does
Compares the batch size of the training loader with a reference: the same file at the git base (`--diff-base`, HEAD in
the editor), or a reference stated beside the learning rate ("0.1 for batch 256").

## Why it matters
With k times the batch there are k times fewer steps over the same data: the linear rule (Goyal et al. 2017) multiplies
the learning rate by k; for Adam the square root of k is the usual alternative (Malladi et al. 2022).

## Example
```py
import torch
from torch.utils.data import DataLoader

def train(data, model, loss_fn):
    loader = DataLoader(data, batch_size=1024, shuffle=True)
    # lr 0.1 for batch size 256
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # warning: [lr-not-scaled-with-batch]
    for x, y in loader:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()
```
Use instead: the scaled rate, or a rate computed from the batch size.

## When it stays silent
The learning rate changed too or is computed from the batch; only the batch of an evaluation loader changed; warm-up,
LARS and LAMB recipes; a new file.
"""

from trainlint.rules.api import (
    BaseChange,
    Because,
    StatedReference,
    Value,
    WholeProgram,
    by_default,
    finding,
    number,
    origin_of,
    replace,
    rule,
    shown,
)


@rule("lr-not-scaled-with-batch", code="LR001", family="learning-rate", level="warning", since="0.1")
def check(program: WholeProgram):
    for fact in program.facts:
        if isinstance(fact, BaseChange) and not made_up_by_accumulation(fact):
            yield changed(fact)
        elif isinstance(fact, StatedReference):
            yield stated(fact)


def changed(fact: BaseChange):
    old, new, lr = fact.old_batch, fact.new_batch, number(fact.lr)
    words = "batch size {old} → {new} since {label}, lr {lr} unchanged" + default_words(fact.lr, fact.batch_value)
    return report(fact, words, old, new, lr, fact.batch_value, label=fact.label)


def made_up_by_accumulation(fact: BaseChange) -> bool:
    """Is the old batch now the sum of several smaller ones?"""
    steps = [(loop, e) for loop in fact.loader.loops for e in loop.of("step")]
    periods = [number(cond.period) for loop, e in steps for cond in e.conds_in(loop.loop) if cond.period is not None]
    return any(period is not None and period * fact.new_batch == fact.old_batch for period in periods)


def stated(fact: StatedReference):
    lr = number(fact.lr)
    words = "batch size {new}, but lr {lr} is stated for batch size {old} (“{said}”)" + default_words(
        fact.lr, fact.batch
    )
    return report(fact, words, fact.stated_batch, number(fact.batch), lr, fact.batch, said=fact.words)


def default_words(*values: Value) -> str:
    default = by_default(*values)
    return f" (with the default of {default})" if default else ""


def report(fact, words, old, new, lr, batch, **more):
    factor = new / old
    linear, root = shown_rate(lr * factor), shown_rate(lr * factor**0.5)
    optimizer = fact.optimizer
    if optimizer.family in ("adam", "fine-tuning"):
        advice = f"; the linear rule gives {linear}, the square root rule (usual for Adam) {root}"
    else:
        advice = f"; the linear rule gives {linear}"
    literal = getattr(fact.lr, "literal", None)
    where = (
        literal
        if literal is not None and literal.node is not None and literal.path == fact.optimizer.file.path
        else optimizer.place
    )
    fix = (
        replace(f"set the learning rate to {linear}", literal, linear, safety="unsafe") if literal is not None else None
    )
    because = [
        *origin_of(batch, f"the batch size {count(new)} comes from here"),
        Because(optimizer.place, "the optimizer"),
    ]
    text = words.format(old=count(old), new=count(new), lr=shown(lr), **more) + advice
    return finding(where, text, because=because, fix=fix, default=by_default(fact.lr, batch))


def count(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def shown_rate(value: float) -> str:
    """At most four digits; 0.8 rather than 0.8000000000000000444."""
    return f"{value:.4g}"
