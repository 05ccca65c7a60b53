"""An image with its channels last reaches a layer that means channels first.

## What it does
Follows the axes of images; reports a value whose layout is HWC (or NHWC, THWC) where it reaches a convolution, a
BatchNorm or a normalisation that takes CHW.

## Why it matters
The layer takes the height for the channels: torch raises where the counts differ, and trains on nonsense where they do
not.

## Example
```py
import cv2
import torch
from torch import nn

image = torch.from_numpy(cv2.imread("cat.jpg")).float().unsqueeze(0)
features = nn.Conv2d(3, 8, 3)(image)  # error: [hwc-into-conv]
```
Use instead: `.permute(2, 0, 1)` for an image, `.permute(0, 3, 1, 2)` for a batch.

## When it stays silent
`permute`, `transpose`, `ToTensor`, `ToTensorV2` or einops on any path; layouts that are not proved.
"""

from trainlint.rules.api import Array, ImageUse, alternatives, at, finding, ir, path_of, rule, wrap

LAST = {"HWC": "2, 0, 1", "NHWC": "0, 3, 1, 2"}


@rule("hwc-into-conv", code="IM002", family="image", level="error", since="0.1")
def check(use: ImageUse):
    wanted = use.wants.get("layout")
    if wanted not in ("CHW", "CTHW"):
        return
    options = alternatives(use.value)
    images = [v for v in options if isinstance(v, Array) and last(v, wanted)]
    if not images or len(images) != len(options):
        return
    value = images[0]
    steps = path_of(value)
    path = f": so since line {steps[0].place.line}" if steps else ""
    text = "an image with axes {layout} reaches {sink}, which means channels first{path}"
    yield finding(
        use,
        text,
        layout=value.layout,
        sink=use.sink,
        path=path,
        because=steps,
        fix=permuted(use, value),
        likely=value.likely,
    )


def last(value: Array, wanted: str) -> bool:
    if wanted == "CTHW":
        return value.layout in ("THWC", "NTHWC")
    return value.layout in LAST and value.lib in ("torch", "numpy")


def permuted(use: ImageUse, value: Array):
    """Permute the argument of the call, where it is a plain name."""
    node = use.node
    if not isinstance(node, ir.Call) or len(node.args) != 1 or value.layout not in LAST or value.lib != "torch":
        return None
    argument = node.args[0]
    if not isinstance(argument, (ir.Name, ir.Attr)):
        return None
    order = LAST[value.layout]
    return wrap(f"move the channels first: `.permute({order})`", at(use.file, argument), "", f".permute({order})")
