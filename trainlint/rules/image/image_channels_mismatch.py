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

from trainlint.rules.api import Array, ImageUse, alternatives, finding, path_of, rule


@rule("image-channels-mismatch", code="IM004", family="image", level="error", since="0.1")
def check(use: ImageUse):
    wanted = use.wants.get("channels")
    value = alternatives(use.value)[0]
    if wanted is None or not isinstance(value, Array) or value.channels is None or value.layout not in ("NCHW", "CHW"):
        return
    if value.channels == int(wanted) or len(alternatives(use.value)) > 1:
        return
    text = "{sink} takes {wanted} channel" + ("" if wanted == "1" else "s") + ", the image has {count}"
    yield finding(
        use, text, sink=use.sink, wanted=wanted, count=value.channels, because=path_of(value), likely=value.likely
    )
