"""The batch sizes of a DeepSpeed configuration do not multiply up.

## What it does
Compares `train_batch_size` of a DeepSpeed configuration with `train_micro_batch_size_per_gpu` times
`gradient_accumulation_steps`: the rest must be a whole number of processes.

## Why it matters
DeepSpeed checks the three figures against the number of processes when it starts, after the job got its machines, and
ends with an AssertionError ("Check batch related parameters").

## Example
```py
import deepspeed

config = {
    "train_batch_size": 100,
    "train_micro_batch_size_per_gpu": 8,
    "gradient_accumulation_steps": 4,
}

def start(model):
    return deepspeed.initialize(model=model, config=config)  # error: [batch-arithmetic-mismatch]
```
Use instead: leave out one of the three; DeepSpeed computes it.

## When it stays silent
One of the three is missing or "auto"; values that are not known.
"""

from typing import Literal

from trainlint.rules.api import Call, Mapping, Value, by_default, finding, number, origin_of, rule

KEYS = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")


@rule("batch-arithmetic-mismatch", code="BS008", family="batch", level="error", since="0.1", preview=True)
def check(call: Call[Literal["deepspeed.initialize"]]):
    given = call.kwargs.get("config", call.kwargs.get("config_params"))
    values = three(given)
    if values is None:
        return
    whole, micro, steps = (number(value) for value in values)
    if not whole or not micro or not steps or whole % (micro * steps) == 0:
        return
    text = (
        "`train_batch_size` {whole} is no multiple of {micro} samples a process times {steps} accumulated steps "
        "({least}): DeepSpeed refuses it for every number of processes"
    )
    because = [step for value in values for step in origin_of(value, "one of the three figures")]
    default = by_default(*values)
    if default:
        text += f" (with the default of {default})"
    text = text.format(whole=int(whole), micro=int(micro), steps=int(steps), least=int(micro * steps))
    yield finding(call, text, because=because, default=default)


def three(given: Value | None) -> list[Value] | None:
    """The three figures of a configuration that is a dict with all of them."""
    if not isinstance(given, Mapping) or any(key not in given.items for key in KEYS):
        return None
    return [given.items[key] for key in KEYS]
