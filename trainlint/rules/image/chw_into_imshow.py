"""A channels-first image is shown or written as if channels came last.

## What it does
Reports a CHW tensor or array that reaches `plt.imshow`, `Image.fromarray` or `cv2.imwrite`.

## Why it matters
The call raises "Invalid shape (3, H, W) for image data", or writes a picture of noise.

## Example
```py
import matplotlib.pyplot as plt
from torchvision import datasets, transforms

data = datasets.CIFAR10("data", transform=transforms.ToTensor())
image, label = data[0]
plt.imshow(image)  # warning: [chw-into-imshow]
```
Use instead: `image.permute(1, 2, 0)`.

## When it stays silent
Images with one channel; layouts that are not proved.
"""

from trainlint.rules.api import Array, ImageUse, alternatives, at, finding, ir, path_of, rule, wrap


@rule("chw-into-imshow", code="IM007", family="image", level="warning", since="0.1")
def check(use: ImageUse):
    if use.wants.get("layout") != "HWC":
        return
    value = alternatives(use.value)[0]
    if not isinstance(value, Array) or value.layout != "CHW" or value.channels == 1:
        return
    node = use.node
    fix = None
    if isinstance(node, ir.Call) and node.args and value.lib == "torch":
        argument = node.args[-1]
        if isinstance(argument, (ir.Name, ir.Attr, ir.Subscript)):
            fix = wrap("move the channels last: `.permute(1, 2, 0)`", at(use.file, argument), "", ".permute(1, 2, 0)")
    text = "an image with axes CHW reaches {sink}, which means channels last"
    yield finding(use, text, sink=use.sink, because=path_of(value), fix=fix, likely=value.likely)
