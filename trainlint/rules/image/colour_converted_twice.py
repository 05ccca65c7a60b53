"""A conversion of colours gets an image that it does not take.

## What it does
Reports `cv2.cvtColor(image, cv2.COLOR_BGR2RGB)` (or to HSV, Lab, …) of an image that is RGB already: converted before,
or read by PIL, matplotlib, skimage or imageio, which read RGB.

## Why it matters
The second conversion undoes the first: red and blue are exchanged, and nothing raises.

## Example
```py
import cv2

image = cv2.cvtColor(cv2.imread("cat.jpg"), cv2.COLOR_BGR2RGB)
image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # warning: [colour-converted-twice]
```
Use instead: one conversion.

## When it stays silent
Images whose order is not proved; conversions to grey; an exchange whose result goes to an OpenCV writer, which takes
BGR.
"""

from trainlint.rules.api import (
    ColourChange,
    ImageUse,
    WholeProgram,
    at,
    finding,
    ir,
    line_of,
    path_of,
    replace,
    rule,
    source,
)

ORDERS = ("RGB", "BGR")


@rule("colour-converted-twice", code="IM006", family="image", level="warning", since="0.1")
def check(program: WholeProgram):
    written = set()
    for fact in program.facts:
        if isinstance(fact, ImageUse) and fact.wants.get("colour") == "BGR":
            origin = getattr(fact.value, "origin", None)
            written |= {id(step.place.node) for step in origin or ()}
    for change in (fact for fact in program.facts if isinstance(fact, ColourChange)):
        colour = (change.value.colour or "").removesuffix("?")[:3]
        if colour not in ORDERS or change.source[:3] not in ORDERS or change.target == "GRAY":
            continue
        exchange = change.target[:3] in ORDERS
        if colour == change.source[:3] or id(change.node) in written:
            continue
        # `RGB2BGR` of a BGR image gives RGB: wrong in name only
        if exchange and change.source[:3] == "RGB":
            continue
        steps = path_of(change.value)
        since = f": {steps[-1].message} at line {line_of(steps[-1].place)}" if steps else ""
        text = "`{op}` takes {source}, the image is {colour} already{since}"
        yield finding(
            change, text, op=change.op, source=change.source, colour=colour, since=since, because=steps,
            fix=dropped(change) if exchange else None, likely=change.value.likely and change.value.colour == "RGB",
        )  # fmt: skip


def dropped(change: ColourChange):
    """The image without the conversion."""
    node = change.node
    if not isinstance(node, ir.Call) or len(node.args) != 2 or node.keywords:
        return None
    return replace("drop the conversion", at(change.file, node), source(node.args[0]))
