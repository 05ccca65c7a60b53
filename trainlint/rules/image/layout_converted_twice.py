"""The axes of an image end in the wrong order.

## What it does
Reports a permutation of an HWC image that exchanges height and width (`permute(2, 1, 0)`, `transpose(0, 2)`), one that
moves the axes of a CHW image back to where they were not, and `ToTensor` on an array that is CHW already.

## Why it matters
The channels are in front as they should be, but every image is mirrored along its diagonal: square images train on
without an error.

## Example
```py
import cv2
import torch

image = torch.from_numpy(cv2.imread("cat.jpg")).permute(2, 1, 0)  # error: [layout-converted-twice]
```
Use instead: `.permute(2, 0, 1)`.

## When it stays silent
Layouts that are not proved; a permutation that is followed by another one; results in an order that some library
uses
(HWC, CHW and their batches).
"""

from trainlint.rules.api import AxisChange, WholeProgram, at, finding, history, ir, path_of, replace, rule, source

SWAPPED = {"CWH": ("CHW", "2, 0, 1"), "NCWH": ("NCHW", "0, 3, 1, 2"), "WHC": ("HWC", "1, 2, 0")}
# the last axis moved to the front of an image whose channels are there, or the first to the end of one without
MOVED = {"WCH": ("CHW", "2, 0, 1"), "NWCH": ("NCHW", "0, 3, 1, 2")}


@rule("layout-converted-twice", code="IM005", family="image", level="error", since="0.1")
def check(program: WholeProgram):
    changes = [fact for fact in program.facts if isinstance(fact, AxisChange)]
    # half of an idiom: `transpose(0, 2).transpose(1, 2)` is right as a whole
    origins = [getattr(change.value, "origin", None) for change in changes]
    halves = {id(origin.place.node) for origin in origins if origin is not None}
    for change in changes:
        swapped = SWAPPED.get(change.after or "")
        if swapped is not None and change.before in ("HWC", "NHWC", "CHW") and id(change.node) not in halves:
            yield exchanged(change, *swapped)
        again = MOVED.get(change.after or "")
        if again is not None and id(change.node) not in halves:
            yield moved(change, *again)


def moved(change: AxisChange, meant: str, order: str):
    """`ToTensor` of a CHW array, or `permute(1, 2, 0)` of an HWC image."""
    fix = None
    func = change.node.func
    if change.before in ("HWC", "NHWC") and isinstance(func, ir.Attr) and change.op in ("permute", "transpose"):
        method = "permute" if getattr(change.value, "lib", "") == "torch" else "transpose"
        text = f"{source(func.value)}.{method}({order})"
        fix = replace(f"channels first: `.{method}({order})`", at(change.file, change.node), text, safety="unsafe")
    why = "it is CHW already" if change.before == "CHW" else f"it is {change.before}, not {meant}"
    text = "`{op}` moves the axes of an image to {after}: {why}, {history}"
    since = history(change.value, "layout")
    return finding(
        change, text.removesuffix(", {history}") if not since else text, because=path_of(change.value), fix=fix,
        op=change.op, after=change.after, why=why, history=since,
    )  # fmt: skip


def exchanged(change: AxisChange, meant: str, order: str):
    fix = None
    func = change.node.func
    if (
        isinstance(func, ir.Attr)
        and change.op in ("permute", "transpose")
        and len(order.split(",")) == len(change.before)
    ):
        method = "permute" if getattr(change.value, "lib", "") == "torch" else "transpose"
        text = f"{source(func.value)}.{method}({order})"
        fix = replace(
            f"keep height and width: `.{method}({order})`", at(change.file, change.node), text, safety="unsafe"
        )
    text = "`{op}` turns {before} into {after}: height and width are exchanged, {meant} is meant"
    return finding(
        change,
        text,
        because=path_of(change.value),
        fix=fix,
        op=change.op,
        before=change.before,
        after=change.after,
        meant=meant,
    )
