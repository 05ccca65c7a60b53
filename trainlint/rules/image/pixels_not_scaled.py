"""Pixels of 0–255 reach something that takes 0–1.

## What it does
Follows the range of pixels and reports values of 0–255 that reach a normalisation with statistics of 0–1 or a model
with pretrained weights.

## Why it matters
With a mean of 0.485 and values around 100 the network sees nothing that it was trained on; the loss starts high and the
pretrained features are worthless.

## Example
```py
import cv2
import torch
from torchvision import transforms

normalize = transforms.Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
image = cv2.cvtColor(cv2.imread("cat.jpg"), cv2.COLOR_BGR2RGB)
image = torch.from_numpy(image).permute(2, 0, 1).float()
image = normalize(image)  # warning: [pixels-not-scaled]
```
Use instead: `normalize(image / 255.0)`.

## When it stays silent
`ToTensor`, a division, `ConvertImageDtype` or `ToDtype(scale=True)` on the way; statistics of 0–255 (Caffe); ranges
that are not proved.
"""

from trainlint.rules.api import ImageUse, argument_of, at, finding, history, image_of, path_of, rule, wrap


@rule("pixels-not-scaled", code="IM009", family="image", level="warning", since="0.1")
def check(use: ImageUse):
    value = image_of(use.value)
    if use.wants.get("range") not in ("unit", "scaled") or value is None:
        return
    if value.range != "255" or value.lib not in ("torch", "numpy"):
        return
    since = f", {history(value, 'range')}," if history(value, "range") else ""
    takes = "0–1" if use.wants["range"] == "unit" else "scaled and normalised pixels"
    text = "pixels of 0–255{since} reach {sink}, which takes {takes}"
    argument = argument_of(use.node)
    # only where the argument is the image itself: in a pipeline the place between two steps is not an expression
    direct = argument is not None and not use.via and not use.inside
    fix = None
    if direct and argument is not None:
        # a model wants its normalisation too
        safety = "safe" if use.wants["range"] == "unit" else "unsafe"
        fix = wrap("scale to 0–1: `/ 255.0`", at(use.file, argument), "", " / 255.0", safety=safety)
    yield finding(
        use, text, since=since, sink=use.sink, takes=takes, because=path_of(value), fix=fix, likely=value.likely
    )
