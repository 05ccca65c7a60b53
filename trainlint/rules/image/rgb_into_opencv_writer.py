"""An RGB image is written or shown by OpenCV, which takes BGR.

## What it does
Follows images that are RGB (read by PIL, or converted) and reports them where they reach `cv2.imwrite`, `cv2.imshow`,
`cv2.imencode` or a `cv2.VideoWriter` without a conversion.

## Why it matters
Red and blue are exchanged in the file; nothing raises.

## Example
```py
import cv2

image = cv2.cvtColor(cv2.imread("cat.jpg"), cv2.COLOR_BGR2RGB)
cv2.imwrite("copy.jpg", image)  # warning: [rgb-into-opencv-writer]
```
Use instead: `cv2.cvtColor(image, cv2.COLOR_RGB2BGR)`.

## When it stays silent
Images converted back or flipped; grey images; images whose order of colours is not proved.
"""

from trainlint.rules.api import ImageUse, argument_of, at, finding, history, image_of, path_of, rule, wrap


@rule("rgb-into-opencv-writer", code="IM008", family="image", level="warning", since="0.1")
def check(use: ImageUse):
    value = image_of(use.value)
    if use.wants.get("colour") != "BGR" or value is None or value.colour != "RGB" or value.layout == "CHW":
        return
    since = f", {history(value, 'colour')}," if history(value, "colour") else ""
    text = "an RGB image{since} reaches {sink}, which takes BGR"
    yield finding(
        use, text, since=since, sink=use.sink, because=path_of(value), fix=converted(use), likely=value.likely
    )


def converted(use: ImageUse):
    """Convert the argument, where `cv2` is a name of the file."""
    argument = argument_of(use.node, 0 if "VideoWriter" in use.sink else 1)
    cv2 = use.file.scope.names.get("cv2")
    if argument is None or getattr(cv2, "name", "") != "cv2":
        return None
    return wrap("convert RGB to BGR", at(use.file, argument), "cv2.cvtColor(", ", cv2.COLOR_RGB2BGR)")
