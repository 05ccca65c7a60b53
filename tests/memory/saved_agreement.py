"""Compares the table of what operations keep with what the library does, for one operation at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from kept import Measured, measured

from trainlint.memory.saved import Effect, Tensor, effect

# what a table may be off by: numbers on the device (a count, a divisor) that no table lists
NUMBERS = 64
# and in the fullest moment of a backward, where pieces are freed while others are made
SHARE = 0.06
NAMES = {"input": 0, "other": 1, "third": 2}


def rand(*shape: int, grad: bool = True, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Numbers between 0.1 and 0.9, where every function and every loss is defined."""
    return (torch.rand(*shape) * 0.8 + 0.1).to(dtype).requires_grad_(grad)


def described(tensor: torch.Tensor) -> Tensor:
    strides = None if tensor.is_contiguous() else tuple(tensor.stride())
    shape = tuple(tensor.shape)
    return Tensor(shape, tensor.element_size(), tensor.requires_grad, tensor.is_floating_point(), strides)


def agree(
    op: str,
    run: Callable[..., Any],
    operands: Sequence[torch.Tensor],
    options: Mapping[str, object] | None = None,
    *,
    weights: int = 0,
    buffers: int = 0,
    backward: bool = True,
    ignore: int = 0,
) -> Measured:
    """Run an operation and hold the table against it.

    The last `weights` operands are the parameters of a layer, which are not compared; the `buffers` after them are no
    operands of the table. `backward=False` leaves the
    fullest moments out. `ignore` bytes of `extra` are known to differ between the CPU and CUDA (the CPU's are more).
    """
    given = [described(tensor) for tensor in operands[: len(operands) - buffers]]
    found = measured(run, operands)
    stated = effect(op, given, [described(tensor) for tensor in found.results], options or {})
    assert stated is not None, f"{op} is not known"
    where = f"{op} {[(each.shape, each.grad) for each in given]} {dict(options or {})}\n{stated}\n{found}"
    assert stated.output == found.output, where
    inputs = len(given) - weights
    assert names(stated, operands, inputs) == {key for key in found.kept if isinstance(key, str) or key < inputs}, where
    assert abs(sum(stated.extra) + ignore - found.extra) <= NUMBERS // 2, where
    results = {each.untyped_storage()._cdata: each for each in found.results}
    size = sum(each.numel() * each.element_size() for each in results.values())
    if found.output == "new":
        # several results may lie in one storage
        assert (stated.storage or size) == found.storage or len(found.results) > 1, where
    passes = {position for position in stated.passes if given[position].grad}
    assert passes == {position for position in found.passes if position < inputs}, where
    if backward:
        slack = NUMBERS + SHARE * max(each.size for each in given)
        assert abs(sum(stated.temporary) - found.temporary) <= slack, where
        assert abs(sum(stated.backward) - found.backward) <= slack, where
    return found


def names(stated: Effect, operands: Sequence[torch.Tensor], inputs: int) -> set[int | str]:
    """The kept operands by position; one that is given twice counts as its first position."""
    keys = [tensor.untyped_storage()._cdata for tensor in operands]
    kept: set[int | str] = set()
    for name in stated.keeps:
        if name == "weight":
            continue
        position = NAMES.get(name)
        if position is None:
            kept.add(name)
        elif position < inputs:
            kept.add(keys.index(keys[position]))
    return kept
