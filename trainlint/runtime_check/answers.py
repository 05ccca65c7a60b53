"""What a program asks of numbers that do not exist: values of fake tensors, and sizes that depend on them.

A value is answered so that the program goes on: no error flag is set, other conditions hold, numbers are 1. A size that
depends on values (a mask, `nonzero`, `unique`) is answered with its largest: everything is selected. That is a guess,
and the report names the lines where it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

aten = torch.ops.aten
# conditions that a healthy program finds false
ALARMS = frozenset({"aten::any", "aten::isnan", "aten::isinf"})
_INDEXING = frozenset({"aten::index", "aten::_unsafe_index", "aten::index_put", "aten::index_put_"})
_INDEXED = _INDEXING | {"aten::_index_put_impl_", "aten::_unsafe_index_put"}


class Answers:
    """Answers for one run. `guess` is called with a sentence whenever a size is guessed."""

    def __init__(self, guess: Callable[[str], None]) -> None:
        self.guess = guess

    def size(self, func: Any, name: str, args: Any, kwargs: Any) -> tuple[bool, Any]:
        """(whether the operation's result depends on values, the result or None)."""
        if name == "aten::nonzero" and isinstance(args[0], FakeTensor):
            self.guess("`nonzero` is counted as if every element were one")
            return True, args[0].new_empty((args[0].numel(), args[0].dim()), dtype=torch.int64)
        if name == "aten::masked_select" and isinstance(args[0], FakeTensor):
            self.guess("a selection by a mask is counted whole")
            shape = torch.broadcast_shapes(args[0].shape, args[1].shape)
            return True, args[0].new_empty((shape.numel(),))
        if name in ("aten::_unique2", "aten::unique_dim", "aten::unique_consecutive") and isinstance(
            args[0], FakeTensor
        ):
            return True, self._unique(name, args[0], args[1:], kwargs)
        if name in _INDEXED and any(isinstance(each, FakeTensor) and _is_mask(each) for each in args[1] or ()):
            self.guess("a selection by a mask is counted whole")
            return True, func(args[0], _as_numbers(args[1]), *args[2:], **kwargs)
        return False, None

    def _unique(self, name: str, tensor: FakeTensor, rest: Any, kwargs: Any) -> Any:
        self.guess("`unique` is counted as if all elements differed")
        if name == "aten::unique_dim":
            length = tensor.shape[rest[0]]
            values = tensor.new_empty(tensor.shape)
        else:
            length = tensor.numel()
            values = tensor.new_empty((length,))
        return (
            values,
            tensor.new_empty((length,) if name == "aten::unique_dim" else tensor.shape, dtype=torch.int64),
            tensor.new_empty((length,), dtype=torch.int64),
        )


def _is_mask(tensor: torch.Tensor) -> bool:
    return tensor.dtype in (torch.bool, torch.uint8)


def _as_numbers(indices: Any) -> list[Any]:
    """Indices with every mask replaced by as many index tensors as it has axes, of all its elements."""
    result: list[Any] = []
    for each in indices:
        if each is None or not _is_mask(each):
            result.append(each)
        else:
            result += [each.new_empty((each.numel(),), dtype=torch.int64) for _ in range(each.dim())]
    return result


def value_of(tensor: torch.Tensor, alarm: bool) -> Any:
    """The number in the place of one that does not exist; an alarm is off."""
    if tensor.dtype is torch.bool:
        return not alarm
    if tensor.dtype.is_complex:
        return complex(1.0)
    return 1.0 if tensor.dtype.is_floating_point else 1


def without_fakes(data: Any) -> Any:
    """Nested lists of numbers, with fake numbers replaced: what `torch.tensor` takes."""
    if isinstance(data, FakeTensor):
        if data.dim() == 0:
            return value_of(data, False)
        return [without_fakes(each) for each in data.unbind()]
    if isinstance(data, (list, tuple)):
        return [without_fakes(each) for each in data]
    return data
