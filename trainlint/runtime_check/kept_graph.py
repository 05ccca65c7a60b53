"""Does the graph of a step outlive the next one (RT008)? A list of losses, a sum of them that was never detached.

A node of autograd has a number that grows. When a later step is done, a living tensor whose graph reaches back to nodes
of the first one keeps them. A name that is bound to the last loss after the step is none: one step later it is another.
"""

from __future__ import annotations

import gc
from typing import Any

import torch

from .steps import NO_NUMBER, Steps

# nodes of all graphs together that are looked at
MOST_NODES = 200_000


def keeping(steps: Steps) -> list[Any]:
    """The living tensors whose graphs reach back into the first step, those made first in front."""
    start, end = steps.loop_sequence, steps.window_sequence
    if start is None or end is None or start >= end or not steps.optimizers:
        return []
    known: dict[Any, bool] = {}
    found = [each for each in tensors() if reaches(each.grad_fn, start, end, known)]
    return sorted(found, key=lambda each: steps.tracker.birth(each))


def tensors() -> list[Any]:
    """Every tensor with a graph that Python knows. `type(...)`, because `isinstance` runs properties of strangers."""
    found = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return [each for each in found if each.grad_fn is not None]


def reaches(root: Any, start: int, end: int, known: dict[Any, bool]) -> bool:
    """Is a node with a number in `start:end` in the graph below `root`?"""
    pending, seen = [root], {root}
    while pending and len(known) < MOST_NODES:
        node = pending.pop()
        if known.get(node):
            known[root] = True
            return True
        if node in known:
            continue
        known[node] = False
        if start <= node._sequence_nr() < min(end, NO_NUMBER):
            known[node] = known[root] = True
            return True
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                pending.append(below)
    return False
