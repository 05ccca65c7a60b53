"""A BGR image reaches something that means RGB.

## What it does
Follows images read by OpenCV (BGR) through the code; reports them where they reach ImageNet normalisation, a pretrained
model, `Image.fromarray` or `plt.imshow`, without a conversion on the way.

## Why it matters
Red and blue are exchanged: a pretrained model loses accuracy silently, a picture shows blue faces.

## Example
```py
import cv2
import matplotlib.pyplot as plt

image = cv2.imread("cat.jpg")
plt.imshow(image)  # warning: [bgr-into-rgb-model]
```
Use instead: `cv2.cvtColor(image, cv2.COLOR_BGR2RGB)` right after reading.

## When it stays silent
A conversion or a flip of the channels on any path; pictures that PIL draws on and gives back; models trained from
scratch on BGR; values whose colour order is not proved.
"""

from trainlint.rules.api import (
    AnyCall,
    Array,
    ImageUse,
    WholeProgram,
    alternatives,
    at,
    finding,
    insert_after,
    ir,
    line_of,
    path_of,
    root_of,
    rule,
)


@rule("bgr-into-rgb-model", code="IM001", family="image", level="warning", since="0.1")
def check(program: WholeProgram):
    uses = [fact for fact in program.facts if isinstance(fact, ImageUse) and fact.wants.get("colour") == "RGB"]
    drawn = returning(program) if any("fromarray" in use.sink for use in uses) else set()
    told: set[object] = set()
    for use in uses:
        if id(use.node) in drawn:
            continue
        for draft in judged(use):
            # one conversion after the reading mends all its uses
            root = root_of(alternatives(use.value)[0]) or draft.place
            if root not in told:
                told.add(root)
                yield draft


def returning(program: WholeProgram) -> set[int]:
    """Pictures that PIL only draws on: made of an array, drawn on and made an array again, still BGR."""
    drawn: set[int] = set()
    back: set[int] = set()
    for call in (fact for fact in program.facts if isinstance(fact, AnyCall)):
        if call.name == "PIL.ImageDraw.Draw" and call.args:
            drawn |= passed(call.args[0])
        elif call.name in ("numpy.array", "numpy.asarray"):
            back |= passed(call.result)
    return drawn & back


def passed(value) -> set[int]:
    return {id(step.place.node) for step in getattr(value, "origin", None) or ()}


def judged(use: ImageUse):
    options = alternatives(use.value)
    images = [v for v in options if isinstance(v, Array) and v.colour == "BGR"]
    if not images or len(images) != len(options):
        return
    value = images[0]
    steps = path_of(value)
    origin = steps[0].place if steps else None
    text = (
        "a BGR image reaches {sink}, which means RGB: "
        + (f"{steps[0].message} at line {line_of(origin)}, " if origin else "")
        + "no conversion on the way"
    )
    yield finding(use, text, sink=use.sink, because=steps, fix=converted(use, origin), likely=value.likely)


def converted(use: ImageUse, origin):
    """Convert right after the image is read, where it is read into a plain name."""
    node = getattr(origin, "node", None)
    if origin is None or not isinstance(node, ir.Expr) or origin.path != use.file.path:
        return None
    stmt = node.stmt
    if not isinstance(stmt, ir.Assign) or len(stmt.targets) != 1 or use.file.scope.names.get("cv2") is None:
        return None
    target = stmt.targets[0]
    if isinstance(target, ir.Sequence) and len(target.elts) == 2:
        target = target.elts[1]
    if not isinstance(target, ir.Name) or getattr(use.file.scope.names["cv2"], "name", "") != "cv2":
        return None
    line = f"{target.id} = cv2.cvtColor({target.id}, cv2.COLOR_BGR2RGB)"
    return insert_after("convert BGR to RGB", at(use.file, stmt), line)
