"""A size is given as (height, width) where (width, height) is taken, or the reverse.

## What it does
Follows the height and width of images from `image.shape` and `image.size` and reports a size that has them in the wrong
order for the function: OpenCV and PIL take (width, height), torchvision (height, width).

## Why it matters
Square images hide it; every other image is stretched, and boxes and masks no longer fit.

## Example
```py
import cv2

image = cv2.imread("cat.jpg")
h, w = image.shape[:2]
half = cv2.resize(image, (h // 2, w // 2))  # warning: [width-height-swapped]
```
Use instead: `cv2.resize(image, (w // 2, h // 2))`.

## When it stays silent
Square sizes; sizes that do not come from an image; transposed images.
"""

from trainlint.rules.api import SizeOrder, at, finding, ir, replace_all, rule, source, wrap


@rule("width-height-swapped", code="IM012", family="image", level="warning", since="0.1")
def check(fact: SizeOrder):
    given = "(height, width)" if fact.takes == "(width, height)" else "(width, height)"
    text = "`{op}` takes {takes}, here it gets {given}"
    yield finding(fact, text, op=fact.op.removeprefix("."), takes=fact.takes, given=given, fix=exchanged(fact))


def exchanged(fact: SizeOrder):
    """The two numbers in the other order."""
    argument = fact.argument
    if argument is None:
        return None
    if isinstance(argument, ir.Sequence) and len(argument.elts) == 2:
        first, second = argument.elts
        return replace_all(f"give {fact.takes}", fact.file, [(first, source(second)), (second, source(first))])
    if isinstance(argument, (ir.Subscript, ir.Attr, ir.Name)):
        return wrap(f"give {fact.takes}", at(fact.file, argument), "", "[::-1]")
    return None
