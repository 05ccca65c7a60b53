"""The batch size of a program without a data loader: the first axis of what its models get.

A guess, so it is made only where nothing speaks against it: all calls of models get tensors with the same first axis,
and no layer says that time comes first.
"""

from __future__ import annotations

import collections
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from .tracker import tensors_of

# an episode of reinforcement learning calls its model for every move: the first axis of a call is no batch then
MOST_CALLS = 8


class Calls:
    """Watches the outermost calls of modules that record gradients."""

    def __init__(self) -> None:
        # how often a first axis was seen; None where the tensors of a call differ in it
        self.seen: collections.Counter[int | None] = collections.Counter()
        self._depth = 0

    def install(self) -> None:
        register_module_forward_pre_hook(self._enter)
        register_module_forward_hook(self._leave, always_call=True)

    def _enter(self, module: Any, args: Any) -> None:
        self._depth += 1
        if self._depth == 1 and torch.is_grad_enabled():
            tensors = list(tensors_of(args))
            # what has a graph was computed by another module: an output that reaches a loss
            if tensors and not any(each.requires_grad for each in tensors):
                self.seen[first_axis(tensors)] += 1

    def _leave(self, module: Any, args: Any, output: Any) -> None:
        self._depth = max(0, self._depth - 1)

    def size(self, backwards: int, modules: list[Any]) -> int | None:
        """The size that all calls agree about, with so many backward passes; None where they do not."""
        if len(self.seen) != 1 or sum(self.seen.values()) > MOST_CALLS * max(backwards, 1):
            return None
        if any(getattr(each, "batch_first", True) is False for each in modules):
            return None
        return next(iter(self.seen))


def first_axis(tensors: list[torch.Tensor]) -> int | None:
    """The first axis that all tensors with axes share. A single axis of floats may hold the features of one sample."""
    shapes = [each.shape for each in tensors if each.dim() > 0]
    if not shapes or any(each.dim() == 1 and each.is_floating_point() for each in tensors):
        return None
    sizes = {int(shape[0]) for shape in shapes}
    return sizes.pop() if len(sizes) == 1 else None
