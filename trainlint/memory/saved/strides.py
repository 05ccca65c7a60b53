"""How tensors lie in memory: which reshapes are views and which have to copy.

Strides are in elements. The rule for views is that of `at::detail::computeStride` in ATen/TensorUtils.cpp.
"""

from __future__ import annotations

import math

Shape = tuple[int, ...]


def contiguous(shape: Shape) -> Shape:
    """The strides of a tensor whose last axis varies fastest."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: Shape, strides: Shape | None) -> bool:
    """Are elements in memory in the order of the axes, without gaps? The strides of axes of size 1 do not matter."""
    if strides is None or 0 in shape:
        return True
    return all(size == 1 or had == wanted for size, had, wanted in zip(shape, strides, contiguous(shape), strict=True))


def viewed(shape: Shape, strides: Shape | None, new: Shape) -> Shape | None:
    """The strides of a view of `new` shape; None where a reshape has to copy."""
    if strides is None or 0 in shape:
        return contiguous(new)
    result = [0] * len(new)
    at = len(new) - 1
    step = strides[-1] if strides else 1
    chunk = wanted = 1
    for axis in range(len(shape) - 1, -1, -1):
        chunk *= shape[axis]
        # a run of axes that lie without a gap between them ends here
        if axis > 0 and (shape[axis - 1] == 1 or strides[axis - 1] == chunk * step):
            continue
        while at >= 0 and (wanted < chunk or new[at] == 1):
            result[at] = wanted * step
            wanted *= new[at]
            at -= 1
        if wanted != chunk:
            return None
        if axis > 0:
            step = strides[axis - 1]
            chunk = wanted = 1
    # a number viewed as axes of size 1
    while at >= 0 and not shape:
        result[at] = 1
        at -= 1
    return tuple(result) if at < 0 else None


def expanded(shape: Shape, strides: Shape | None, new: Shape) -> Shape:
    """The strides after `expand`: repeated axes do not move."""
    held = strides if strides is not None else contiguous(shape)
    lead = len(new) - len(shape)
    return (0,) * lead + tuple(
        0 if size == 1 and wanted != 1 else step for size, step, wanted in zip(shape, held, new[lead:], strict=True)
    )


def merged(shape: Shape, strides: Shape | None, keep: int) -> bool:
    """Can all axes but the last `keep` be made one without a copy?"""
    lead = math.prod(shape[: len(shape) - keep])
    return viewed(shape, strides, (lead, *shape[len(shape) - keep :])) is not None
