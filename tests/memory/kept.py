"""What the real library keeps for backward, allocates and frees in one operation, by storage.

`measured` runs a function of tensors on the CPU twice over the same operands: once under `saved_tensors_hooks` and a
dispatch mode that follows every storage from birth to death, forward and backward.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.autograd.graph import get_gradient_edge
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# a number in an expression (`x * 2`) is kept as a tensor of one element on the host, whatever the device
NUMBER = 8


@dataclass
class Measured:
    """Bytes and identities of one operation; `kept` has the positions of operands, and "output"."""

    output: str = "none"
    kept: set[int | str] = field(default_factory=set)
    extra: int = 0
    temporary: int = 0
    backward: int = 0
    passes: set[int] = field(default_factory=set)
    storage: int = 0
    results: tuple[torch.Tensor, ...] = field(default=(), repr=False)


class Storages(TorchDispatchMode):
    """Follows the storages that operations make; `peak` is the most alive at once since `restart`."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.now = self.peak = 0

    def restart(self) -> None:
        self.now = self.peak = sum(self.live.values())

    def know(self, tensor: torch.Tensor) -> None:
        key = storage(tensor)
        if key in self.live:
            return
        held = tensor.untyped_storage()
        self.live[key] = held.nbytes()
        self.now += held.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(held, self.forget, key)

    def forget(self, key: int) -> None:
        self.now -= self.live.pop(key, 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.know(tensor)
        return out


def storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def tensors(out: Any) -> tuple[torch.Tensor, ...]:
    return tuple(leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor))


def measured(run: Callable[..., Any], operands: Sequence[torch.Tensor]) -> Measured:
    """Run `run(*operands)` forward and backward and account for every storage.

    Operands that an in-place operation writes to must not be leaves; give them through `x + 0` outside.
    """
    found = Measured()
    of_operand = {storage(tensor): position for position, tensor in reversed(list(enumerate(operands)))}
    saved: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor.detach())
        return tensor

    tracker = Storages()
    with tracker:
        for tensor in operands:
            tracker.know(tensor)
        tracker.restart()
        before = tracker.now
        # an operand that is overwritten is its own result afterwards: its gradient is asked for at the edge of before
        edges = [get_gradient_edge(tensor) if tensor.requires_grad else None for tensor in operands]
        versions = [tensor._version for tensor in operands]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            out = run(*operands)
        peak = tracker.peak
    found.results = results = tensors(out)
    written = [t._version != version for t, version in zip(operands, versions, strict=True)]
    found.output = kind(results, operands, of_operand, written)
    of_result = {storage(tensor) for tensor in results} - set(of_operand)
    found.storage = sum({storage(t): t.untyped_storage().nbytes() for t in results if storage(t) in of_result}.values())
    extras: dict[int, int] = {}
    for tensor in saved:
        key = storage(tensor)
        if key in of_operand:
            found.kept.add(of_operand[key])
        elif key in of_result:
            found.kept.add("output" if key == storage(results[0]) else "indices")
        elif tensor.untyped_storage().nbytes() > NUMBER:
            extras[key] = tensor.untyped_storage().nbytes()
    found.extra = sum(extras.values())
    found.temporary = peak - before - found.storage - found.extra
    del saved[:]
    backwards(found, tracker, results, edges)
    return found


def kind(
    results: Sequence[torch.Tensor],
    operands: Sequence[torch.Tensor],
    of_operand: dict[int, int],
    written: Sequence[bool],
) -> str:
    if not results:
        return "none"
    if any(result is operand and was for result in results for operand, was in zip(operands, written, strict=True)):
        return "inplace"
    return "view" if storage(results[0]) in of_operand else "new"


def backwards(found: Measured, tracker: Storages, results: Sequence[torch.Tensor], edges: Sequence[Any]) -> None:
    roots = [tensor for tensor in results if tensor.requires_grad]
    wanted = [position for position, edge in enumerate(edges) if edge is not None]
    if not roots or not wanted:
        return
    given = [torch.ones_like(root) for root in roots]
    keys = {storage(tensor) for tensor in given}
    with tracker:
        for tensor in given:
            tracker.know(tensor)
        tracker.restart()
        before = tracker.now
        grads = torch.autograd.grad(roots, [edges[p] for p in wanted], given, allow_unused=True)
    fresh: dict[int, int] = {}
    for position, grad in zip(wanted, grads, strict=True):
        if grad is None:
            continue
        if storage(grad) in keys:
            found.passes.add(position)
        else:
            fresh[storage(grad)] = grad.untyped_storage().nbytes()
    found.backward = max(0, tracker.peak - before - sum(fresh.values()))
