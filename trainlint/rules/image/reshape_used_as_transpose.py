"""`reshape` or `view` is used where the axes must be permuted.

## What it does
Reports a reshape that turns an image from HWC into CHW (or back) by its sizes.

## Why it matters
Reshape keeps the order in memory and only counts differently: the result has the right shape and scrambled pixels.

## Example
```py
import cv2
import torch

image = torch.from_numpy(cv2.imread("cat.jpg"))
image = image.view(3, 224, 224)  # error: [reshape-used-as-transpose]
```
Use instead: `image.permute(2, 0, 1)`.

## When it stays silent
Flat data that was CHW to begin with; sizes that do not name the channels; layouts that are not proved.
"""

from trainlint.rules.api import AxisChange, at, finding, ir, path_of, replace, rule, source

ORDERS = {
    ("HWC", "CHW"): "2, 0, 1",
    ("CHW", "HWC"): "1, 2, 0",
    ("NHWC", "NCHW"): "0, 3, 1, 2",
    ("NCHW", "NHWC"): "0, 2, 3, 1",
}


@rule("reshape-used-as-transpose", code="IM003", family="image", level="error", since="0.1")
def check(change: AxisChange):
    if change.after is not None or change.target is None:
        return
    order = ORDERS.get((change.before, change.target.removeprefix("N") if len(change.before) == 3 else change.target))
    fix = None
    func = change.node.func
    torch_like = getattr(change.value, "lib", "") == "torch"
    if order is not None and isinstance(func, ir.Attr) and change.op in ("view", "reshape"):
        method = "permute" if torch_like else "transpose"
        fix = replace(
            f"permute the axes: `.{method}({order})`",
            at(change.file, change.node),
            f"{source(func.value)}.{method}({order})",
        )
    text = "`{op}` cannot turn {before} into {target}: it counts the same memory differently and scrambles the pixels"
    yield finding(
        change, text, op=change.op, before=change.before, target=change.target, because=path_of(change.value), fix=fix
    )
