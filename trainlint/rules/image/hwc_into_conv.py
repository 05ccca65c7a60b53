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

image = torch.from_numpy(cv2.imread("cat.jpg")).float().unsqueeze(0)  # error: [hwc-into-conv]
features = nn.Conv2d(3, 8, 3)(image)
```
Use instead: `.permute(2, 0, 1)` for an image, `.permute(0, 3, 1, 2)` for a batch.

## When it stays silent
`permute`, `transpose`, `ToTensor`, `ToTensorV2` or einops on any path; layouts that are not proved.
"""

from trainlint.rules.api import (
    Array,
    Because,
    ImageUse,
    alternatives,
    argument_of,
    at,
    finding,
    handed_over,
    history,
    ir,
    line_of,
    path_of,
    rule,
    wrap,
)

LAST = {"HWC": "2, 0, 1", "NHWC": "0, 3, 1, 2", "THWC": "3, 0, 1, 2", "NTHWC": "0, 4, 1, 2, 3"}


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
    if value.likely and use.wants.get("channels") == "1":
        # a grey image without an axis for its channels is as likely
        return
    where = handed_over(use, value)
    since = f", {history(value, 'layout')}" if history(value, "layout") else ""
    line = f" at line {line_of(use.place)}" if where != use.place else ""
    text = "an image with axes {layout}{since}, reaches {sink}{line} without a permute; it takes channels first"
    yield finding(
        where,
        text,
        layout=value.layout,
        sink=use.sink,
        since=since,
        line=line,
        because=(*path_of(value), Because(use.place, "it is used here")),
        fix=permuted(use, value, where),
        likely=value.likely,
    )


def last(value: Array, wanted: str) -> bool:
    if wanted == "CTHW":
        return value.layout in ("THWC", "NTHWC", "NHWC")
    return value.layout in ("HWC", "NHWC") and value.lib in ("torch", "numpy")


def permuted(use: ImageUse, value: Array, where):
    """Permute the argument of the call, where it is a plain name and no other caller gets there."""
    node = use.node
    if not isinstance(node, ir.Call) or len(node.args) != 1 or value.layout not in LAST or value.lib != "torch":
        return None
    argument = argument_of(node)
    if argument is None or use.inside or any(stmt is not node.stmt for stmt in use.via):
        return None
    order = LAST[value.layout]
    return wrap(f"move the channels first: `.permute({order})`", at(use.file, argument), "", f".permute({order})")
