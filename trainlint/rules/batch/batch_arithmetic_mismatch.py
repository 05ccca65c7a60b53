"""The batch sizes of a DeepSpeed configuration do not multiply up.

## What it does
Compares `train_batch_size` of a DeepSpeed configuration with `train_micro_batch_size_per_gpu` times
`gradient_accumulation_steps`: the rest must be a whole number of processes. Of the last two one may be left out:
DeepSpeed computes it, rounds down, and compares then.

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
Use instead: figures that multiply up, or leave out `train_batch_size`; DeepSpeed computes it.

## When it stays silent
`train_batch_size` or both of the others are missing; one is "auto"; values that are not known.
"""

import math
from typing import Literal

from trainlint.rules.api import Call, Mapping, by_default, finding, number, origin_of, rule

WHOLE = "train_batch_size"
# each with what it is called in the message
PARTS = {"train_micro_batch_size_per_gpu": "samples a process", "gradient_accumulation_steps": "accumulated steps"}


@rule("batch-arithmetic-mismatch", code="BS008", family="batch", level="error", since="0.1", preview=True)
def check(call: Call[Literal["deepspeed.initialize"]]):
    config = call.kwargs.get("config", call.kwargs.get("config_params"))
    if not isinstance(config, Mapping) or WHOLE not in config.items:
        return
    parts = {what: config.items[key] for key, what in PARTS.items() if key in config.items}
    values = [config.items[WHOLE], *parts.values()]
    numbers = [number(value) for value in values]
    if not parts or (config.open and len(parts) < len(PARTS)) or not all(numbers):
        return
    whole, *counts = (int(count or 0) for count in numbers)
    least = math.prod(counts)
    if whole % least == 0:
        return
    product = " times ".join(f"{count} {what}" for count, what in zip(counts, parts, strict=True))
    text = "`train_batch_size` {whole} is no multiple of {product}"
    if len(counts) > 1:
        text += " ({least})"
    text += ": DeepSpeed refuses it for every number of processes"
    default = by_default(*values)
    if default:
        text += f" (with the default of {default})"
    text = text.format(whole=whole, product=product, least=least)
    because = [step for value in values for step in origin_of(value, "one of the figures")]
    yield finding(call, text, because=because, default=default)
