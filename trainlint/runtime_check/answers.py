"""What a program asks of numbers that do not exist: values of fake tensors, and sizes that depend on them.

A value is answered so that the program goes on: numbers are 1, conditions on one number are what they are for a 1, no
error flag is set, and other conditions hold. A size that
depends on values (a mask, `nonzero`, `unique`) is answered with its largest: everything is selected. That is a guess,
and the report names the lines where it was made.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from .modes import without_modes

aten = torch.ops.aten
# conditions that a healthy program finds false
ALARMS = frozenset({"aten::any", "aten::isnan", "aten::isinf"})
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "aten::lt": operator.lt,
    "aten::le": operator.le,
    "aten::gt": operator.gt,
    "aten::ge": operator.ge,
    "aten::eq": operator.eq,
    "aten::ne": operator.ne,
}
# kernels that keep the unreduced buffer under their scalar result, which fake tensors do not show
# (structured kernels of aten/src/ATen/native/BinaryOps.cpp and Loss.cpp, seen in real runs)
_KEEP_UNREDUCED = frozenset({"aten::mse_loss", "aten::smooth_l1_loss"})
# with weights in float32 their statistics are float32 too, which torch's rule for fake CPU tensors does not say
_NORMS = frozenset({"aten::native_batch_norm", "aten::_native_batch_norm_legit"})
# tensors of the host that programs look up data with: they are computed really, and what is computed from a number of
# theirs, too (torch's `FakeTensor.constant`)
_FOR_LOOKING_UP = frozenset({"aten::randint", "aten::randperm", "aten::arange", "aten::rand"})
MOST_NUMBERS = 1 << 16
_INDEXING = frozenset({"aten::index", "aten::_unsafe_index", "aten::index_put", "aten::index_put_"})
_INDEXED = _INDEXING | {"aten::_index_put_impl_", "aten::_unsafe_index_put"}


class Answers:
    """Answers for one run. `guess` is called with a sentence whenever a size is guessed."""

    def __init__(self, guess: Callable[[str], None]) -> None:
        self.guess = guess
        # the mode of the run, where it is one with fake tensors
        self.fake_mode: FakeTensorMode | None = None

    def with_numbers(self, func: Any, name: str, args: Any, kwargs: Any, out: Any) -> Any:
        """A result on the host, with its real numbers where a program may look up data with them."""
        if self.fake_mode is None or name not in _FOR_LOOKING_UP or out.numel() > MOST_NUMBERS:
            return out
        with without_modes():
            real = func(*args, **kwargs)
        return self.fake_mode.fake_tensor_converter.from_real_tensor(self.fake_mode, real, make_constant=True)

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


def condition(name: str, args: Any, out: torch.Tensor) -> bool | None:
    """What a condition is for numbers that are 1; None for an operation that is none, or one of numbers unknown."""
    if name in ALARMS:
        return False
    compare = _COMPARISONS.get(name)
    if compare is None or out.numel() != 1 or not isinstance(args[1], (int, float)):
        return None
    return compare(1, args[1])


def real_size(name: str, at: int, out: torch.Tensor, args: Any) -> int | None:
    """The bytes of a result, the one with the number `at`, where fake tensors show others than real ones have."""
    if name in _KEEP_UNREDUCED and out.dim() == 0:
        operands = [each for each in args if isinstance(each, torch.Tensor)]
        return max(each.numel() for each in operands) * out.element_size()
    if name in _NORMS and at > 0 and isinstance(args[1], torch.Tensor):
        return out.numel() * args[1].element_size()
    return None


def value_of(tensor: torch.Tensor, known: bool | None) -> Any:
    """The number in the place of one that does not exist; `known` is what a condition answers."""
    if tensor.dtype is torch.bool:
        return known is not False
    if tensor.dtype.is_complex:
        return complex(1.0)
    return 1.0 if tensor.dtype.is_floating_point else 1


def without_fakes(data: Any) -> Any:
    """Nested lists of numbers, with fake numbers replaced: what `torch.tensor` takes."""
    if isinstance(data, FakeTensor):
        if data.dim() == 0:
            return value_of(data, None)
        return [without_fakes(each) for each in data.unbind()]
    if isinstance(data, (list, tuple)):
        return [without_fakes(each) for each in data]
    return data
