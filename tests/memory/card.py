"""A pretended CUDA card over the CPU: which storages of a running script live on it, and which line made them.

A storage is on the card when a tensor or module was moved there, when it was made with `device="cuda"`, when an operand
of the operation that made it is on the card, and when backward made it. All others are on the host and not counted.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, TypeAlias

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainlint.memory.allocator import CachingAllocator

Kind: TypeAlias = Literal["parameter", "buffer", "gradient", "optimizer", "batch", "activation"]
Line: TypeAlias = "tuple[str, int]"
# operations whose operands may live on two devices; one of the host stays there
MIXED = frozenset({"aten::copy_", "aten::_to_copy", "aten::index", "aten::index_put_"})


@dataclass(eq=False)
class Piece:
    """A storage on the card."""

    size: int
    line: Line | None
    kind: Kind = "activation"


@dataclass
class Peak:
    """The most bytes that the allocator had given out, with the pieces alive then."""

    allocated: int = 0
    phase: str = "forward"
    pieces: list[Piece] = field(default_factory=list)


class Card(TorchDispatchMode):
    """Follows every storage from birth to death. `folder`: where the script lies, whose lines are billed."""

    supports_higher_order_operators = True

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self.live: dict[int, Piece] = {}
        # storages of the host, with the line that made them
        self.host: dict[int, Line | None] = {}
        self.allocator = CachingAllocator()
        self.peak = Peak()
        self.watching = False
        self.phase = "forward"
        self._rising = False
        # above 0: what is made lives on the card, whatever its operands; below 0: on the host
        self.placing = 0
        # the number of a node of the graph → the line that made it
        self._lines: dict[int, Line | None] = {}
        self._next = torch._C._autograd._get_sequence_nr()

    def holds(self, tensor: torch.Tensor) -> bool:
        return storage(tensor) in self.live

    def piece(self, tensor: torch.Tensor) -> Piece | None:
        return self.live.get(storage(tensor))

    @contextmanager
    def making(self, where: int) -> Iterator[None]:
        """Inside, tensors are made on the card (1) or on the host (-1)."""
        before, self.placing = self.placing, where
        try:
            yield
        finally:
            self.placing = before

    def promote(self, tensor: torch.Tensor) -> None:
        """What was taken for a tensor of the host lives on the card from now on."""
        key = storage(tensor)
        if key in self.live:
            return
        known = key in self.host
        self._born(tensor, self.host.pop(key, None))
        if not known:
            weakref.finalize(tensor.untyped_storage(), self._dies, key)

    def watch(self) -> None:
        """The peak is asked for from now on."""
        self.watching, self.peak = True, Peak(self.allocator.allocated, "optimizer")
        self.allocator.peak_reserved = self.allocator.reserved
        self._rising = True

    def settle(self) -> None:
        """Write down what is alive at a new peak, before something dies."""
        if self._rising:
            self._rising, self.peak.pieces = False, list(self.live.values())

    def _born(self, tensor: torch.Tensor, line: Line | None) -> None:
        key = storage(tensor)
        self.live[key] = Piece(tensor.untyped_storage().nbytes(), line)
        self.allocator.allocate(key, self.live[key].size)
        if self.watching and self.allocator.allocated > self.peak.allocated:
            self.peak.allocated, self.peak.phase, self._rising = self.allocator.allocated, self.phase, True

    def _dies(self, key: int) -> None:
        self.host.pop(key, None)
        if key in self.live:
            self.settle()
            del self.live[key]
            self.allocator.free(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        node = torch._C._current_autograd_node()
        name = func._schema.name
        mixed = any(self.holds(tensor) for tensor in given)
        if mixed and not self.placing and name not in MIXED:
            for tensor in given:
                if tensor.dim() > 0:
                    self.promote(tensor)
        if node is not None and func is torch.ops.aten.add.Tensor and alone(args):
            # what the engine does with a second gradient where no mode looks on (torch/csrc/autograd/input_buffer.cpp)
            func = torch.ops.aten.add_.Tensor
        out = func(*args, **(kwargs or {}))
        on_card = self.placing > 0 or (self.placing == 0 and (mixed or (node is not None and self._backward(given))))
        line = self._line(node)
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._know(tensor, on_card, line)
        self._number(node, line)
        return out

    def _know(self, tensor: torch.Tensor, on_card: bool, line: Line | None) -> None:
        key = storage(tensor)
        if key in self.live or key in self.host:
            return
        if on_card:
            self._born(tensor, line)
        else:
            self.host[key] = line
        weakref.finalize(tensor.untyped_storage(), self._dies, key)

    def _backward(self, given: list[torch.Tensor]) -> bool:
        """Does backward run, and not what a checkpoint computes again on the host?"""
        return not given or not recomputing()

    def _line(self, node: Any) -> Line | None:
        """The line of the script that an operation is billed to: of backward, the one whose forward it belongs to."""
        if node is not None and not recomputing():
            return self._lines.get(node._sequence_nr())
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.startswith(self.folder):
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return None

    def _number(self, node: Any, line: Line | None) -> None:
        """Remember the line of the nodes that the operation has put into the graph."""
        following = torch._C._autograd._get_sequence_nr()
        if torch.is_grad_enabled() and (node is None or recomputing()):
            self._lines.update(dict.fromkeys(range(self._next, following), line))
        self._next = following


def alone(args: Any) -> bool:
    """Are these two tensors of one kind, of which the first one's storage is held by nothing else?"""
    first, second = args
    if not isinstance(second, torch.Tensor) or first.shape != second.shape or first.dtype != second.dtype:
        return False
    # by the tensor, and by the object of Python that asks
    return first.is_contiguous() and torch._C._storage_Use_Count(first.untyped_storage()._cdata) == 2


def storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def recomputing() -> bool:
    """Does a checkpoint compute its inside again?"""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "unpack_hook" and frame.f_code.co_filename.endswith("checkpoint.py"):
            return True
        frame = frame.f_back
    return False


def names_card(value: object) -> bool:
    """Is this argument the device of CUDA?"""
    return (isinstance(value, torch.device) and value.type == "cuda") or (
        isinstance(value, str) and value.startswith("cuda")
    )


class Pretend(TorchFunctionMode):
    """Answers what asks for CUDA with the CPU and tells the card what was asked for. `moved`: bytes of batches."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.moved = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        method = torch.Tensor
        if func is torch.device:
            return func(*args, **kwargs)
        if func == method.is_cuda.__get__:
            return self.card.holds(args[0])
        if func == method.device.__get__ and self.card.holds(args[0]) and self._asked_by_script():
            return torch.device("cuda")
        if func is method.cpu:
            with self.card.making(-1):
                return args[0].detach().clone()
        if func is method.cuda or (func is method.to and self._to_card(args, kwargs)):
            return self._moved(func, args, kwargs)
        if not any(map(names_card, (*args, *kwargs.values()))):
            return func(*args, **kwargs)
        args, kwargs = on_cpu(args, kwargs)
        with self.card.making(1):
            return func(*args, **kwargs)

    def _to_card(self, args: Any, kwargs: Any) -> bool:
        others = (*args[1:], *kwargs.values())
        return any(names_card(v) or (isinstance(v, torch.Tensor) and self.card.holds(v)) for v in others)

    def _moved(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        tensor: torch.Tensor = args[0]
        if func is torch.Tensor.cuda:
            args, kwargs = (tensor, torch.device("cpu")), {}
        args, kwargs = on_cpu(args, kwargs)
        kwargs.pop("non_blocking", None)
        if self.card.holds(tensor):
            return torch.Tensor.to(*args, **kwargs)
        kwargs["copy"] = True
        with self.card.making(1):
            result = torch.Tensor.to(*args, **kwargs)
        piece = self.card.piece(result)
        if piece is not None and result.dim() > 0 and not result.requires_grad:
            piece.kind = "batch"
            self.moved += piece.size
        return result

    def _asked_by_script(self) -> bool:
        """Torch itself must see the device that the tensor really has."""
        return sys._getframe(2).f_code.co_filename.startswith(self.card.folder)


def on_cpu(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    cpu = torch.device("cpu")
    return tuple(cpu if names_card(a) else a for a in args), {k: cpu if names_card(v) else v for k, v in kwargs.items()}
