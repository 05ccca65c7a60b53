"""A training step at this batch size does not fit into the memory of the GPU.

## What it does
Estimates the memory of one training step from the code and compares it with the GPU that the settings `gpu` or
`gpu-memory` name, or the options of the same names. The message names the largest part and the largest batch that fits.
Where no GPU is named, a step is reported that fits no single GPU: one that the largest of `trainlint gpus` has no room
for.

## Why it matters
The run ends with "CUDA out of memory", often minutes after the start and after a wait for the machine. With the
batch size the learning rate has to change: the fix changes both, by the linear rule.

## Example
`trainlint.toml`
```toml
gpu = "RTX 3060"
```
```py
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

data = datasets.CIFAR10("data", transform=transforms.ToTensor())
loader = DataLoader(data, batch_size=8192)  # warning: [batch-exceeds-gpu-memory]
net = nn.Sequential(nn.Conv2d(3, 256, 3), nn.ReLU(), nn.Flatten(), nn.Linear(230400, 10)).cuda()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
for x, y in loader:
    x, y = x.cuda(), y.cuda()
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
```
Use instead: a smaller batch, with gradients accumulated over several; mixed precision; checkpointing.

## When it stays silent
No GPU is named and the largest there is has room; a part of the memory is not known, such as what several GPUs share;
the batch size is not known.
"""

from trainlint.rules.api import (
    Because,
    Const,
    DataLoader,
    Fix,
    MemoryDemand,
    Value,
    at,
    by_default,
    finding,
    ir,
    memory_text,
    number,
    origin_of,
    replace_all,
    rule,
    shown,
)

# from here on the largest batch that fits is rounded down to a multiple of eight
ROUNDED = 16


@rule("batch-exceeds-gpu-memory", code="BS001", family="batch", level="warning", since="0.1")
def check(demand: MemoryDemand):
    if demand.peak <= demand.room:
        return
    batch = demand.loader.batch_size if demand.loader is not None else None
    default = by_default(batch)
    text = "a training step at batch {batch} needs {peak}"
    if default:
        text += f" (with the default of {default})"
    text += ", the largest part is {name} ({share}); PyTorch can get {room} of {device}"
    if not demand.stated:
        text += ", the largest there is: it fits no single GPU"
    text += "; " + advice(demand.largest)
    name, share = demand.shares[0]
    node = written(batch, demand.loader) if demand.loader is not None else None
    yield finding(
        at(demand.loader.file, node) if demand.loader is not None and node is not None else demand,
        text,
        batch=demand.batch,
        peak=memory_text(demand.peak),
        name="the optimizer's state" if name == "optimizer" else name,
        share=memory_text(share),
        device=demand.device,
        room=memory_text(demand.room),
        because=[
            *(origin_of(batch, "the batch size comes from here") if node is None else ()),
            Because(demand.loop.place, "the training loop"),
        ],
        fix=smaller(demand, batch) if demand.stated else None,
        default=default,
    )


def advice(largest: int | None) -> str:
    if largest is None:
        return "a smaller batch does not help"
    if largest == 0:
        return "not even a batch of one fits"
    return f"the largest batch that fits is {rounded(largest)}"


def rounded(batch: int) -> int:
    return batch - batch % 8 if batch >= ROUNDED else batch


def smaller(demand: MemoryDemand, batch: Value | None) -> Fix | None:
    """The largest batch that fits, and the learning rate by the linear rule."""
    loader, rate = demand.loader, demand.optimizers[0].lr if len(demand.optimizers) == 1 else None
    was, now = number(rate), rounded(demand.largest or 0)
    if loader is None or not now or was is None or number(batch) != demand.batch:
        return None
    nodes = [written(value, loader) for value in (batch, rate)]
    if nodes[0] is None or nodes[1] is None:
        return None
    scaled = shown(was * now / demand.batch)
    title = f"set the batch size to {now} and the learning rate to {scaled}"
    return replace_all(title, loader.file, [(nodes[0], str(now)), (nodes[1], scaled)], safety="unsafe")


def written(value: Value | None, loader: DataLoader) -> ir.Expr | None:
    """The literal that a value is, where it stands in the file of the loader."""
    literal = value.literal if isinstance(value, Const) else None
    node = literal.node if literal is not None and literal.path == loader.file.path else None
    return node if isinstance(node, ir.Expr) else None
