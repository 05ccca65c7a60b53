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
Grey images without an axis for the channel; layouts that are not proved.
"""

from trainlint.rules.api import ImageUse, argument_of, at, finding, history, image_of, path_of, rule, wrap


@rule("chw-into-imshow", code="IM007", family="image", level="warning", since="0.1")
def check(use: ImageUse):
    if use.wants.get("layout") != "HWC":
        return
    value = image_of(use.value)
    if value is None or value.layout not in ("CHW", "NCHW"):
        return
    fix = None
    argument = argument_of(use.node, index_of(use))
    if argument is not None and value.layout == "CHW":
        method = "permute" if value.lib == "torch" else "transpose"
        suffix = ".squeeze(0)" if value.channels == 1 else f".{method}(1, 2, 0)"
        title = "drop the axis of the channel" if value.channels == 1 else "move the channels last"
        fix = wrap(f"{title}: `{suffix}`", at(use.file, argument), "", suffix)
    since = f", {history(value, 'layout')}," if history(value, "layout") else ""
    last = "two axes or the channels last" if value.channels == 1 else "channels last"
    text = "an image with axes {layout}{since} reaches {sink}, which takes {last}"
    yield finding(
        use, text, layout=value.layout, since=since, sink=use.sink, last=last, because=path_of(value), fix=fix,
        likely=value.likely,
    )  # fmt: skip


def index_of(use: ImageUse) -> int:
    """Where the image stands among the arguments: behind the name of the file or window for writers."""
    return 1 if use.sink in ("`cv2.imwrite`", "`cv2.imshow`", "`cv2.imencode`", "`plt.imsave`") else 0
