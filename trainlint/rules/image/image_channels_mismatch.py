"""The image has another number of channels than the first convolution takes.

## What it does
Compares the channels of an image (grey, RGB, RGBA) with `in_channels` of the convolution it reaches.

## Why it matters
torch raises "expected input to have 3 channels, but got 1 channels instead" at the first batch.

## Example
```py
import torch
from torch import nn
from torchvision import datasets, transforms

data = datasets.MNIST("data", transform=transforms.ToTensor())
loader = torch.utils.data.DataLoader(data, batch_size=64)
net = nn.Conv2d(3, 8, 3)
for x, y in loader:
    net(x)  # error: [image-channels-mismatch]
```
Use instead: `in_channels=1`, or `Grayscale(num_output_channels=3)`.

## When it stays silent
`repeat`, `expand` and other ways to make channels; replaced first layers; counts that are not proved.
"""

from trainlint.rules.api import (
    Array,
    Because,
    ImageUse,
    at,
    finding,
    image_of,
    insert_argument,
    ir,
    line_of,
    path_of,
    replace,
    rule,
    set_by,
)

PIXELS = ("255", "unit", "norm")


@rule("image-channels-mismatch", code="IM004", family="image", level="error", since="0.1")
def check(use: ImageUse):
    wanted, value = use.wants.get("channels"), image_of(use.value)
    if wanted is None or value is None or value.channels is None or value.layout not in ("NCHW", "CHW"):
        return
    if value.channels == int(wanted) or (value.colour is None and value.range not in PIXELS):
        return
    step = set_by(value, "channels")
    where = use.place
    if step is not None and "dataset" not in step.sets and step.place.path == use.file.path:
        where = step.place
    since = f", {step.text} at line {line_of(step.place)}" if step is not None else ""
    line = f" at line {line_of(use.place)}" if where != use.place else ""
    text = "{sink}{line} takes {wanted} channel{s}, the image has {count}{since}"
    yield finding(
        where,
        text,
        sink=use.sink,
        line=line,
        wanted=wanted,
        s="" if wanted == "1" else "s",
        count=value.channels,
        since=since,
        because=(*path_of(value), Because(use.place, "it is used here")),
        fix=mended(use, value, step),
        likely=value.likely,
    )


def mended(use: ImageUse, value: Array, step):
    """Three equal channels from `Grayscale`, or a layer that takes as many channels as the image has."""
    node = step.place.node if step is not None else None
    if isinstance(node, ir.Call) and not node.args and not node.keywords and "Grayscale" in step.text:
        if use.wants["channels"] == "3":
            argument = "num_output_channels=3"
            return insert_argument(f"give three equal channels: `{argument}`", step.place, argument, safety="unsafe")
    layer = use.maker.node if use.maker is not None and use.maker.path == use.file.path else None
    count = value.channels or 0
    if isinstance(layer, ir.Call) and layer.args and isinstance(layer.args[0], ir.Const):
        title = f"build the layer for {count} channel" + ("s" if count > 1 else "")
        return replace(title, at(use.file, layer.args[0]), str(count), safety="unsafe")
    return None
