"""Which storages live on the card, since when, and for which line: a dispatch mode over real or fake tensors.

Every storage is on the *host* or on the *card*. With a real accelerator the tensor's device tells; with a pretended one
all tensors are CPU tensors, and on the card is: what is moved there (`.to`, `.cuda`, `Module.to`), what a factory makes
with `device="cuda"`, what an operation makes of an operand on the card, and what is made inside backward.

The line of an allocation is the first frame of the person's project on the stack. In backward it is the line of the
forward operation: after each operation the autograd sequence numbers that appeared are noted with the line, and the
node that runs in backward gives its number back (`torch._C._current_autograd_node`).
"""

from __future__ import annotations

import collections
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from .answers import Answers, condition, real_size, value_of

# an index into `Tracker.places`; -1 where no line of the program stands for it
Place = int
NOWHERE: Place = -1

OPTIM = os.path.join("torch", "optim", "")
CHECKPOINT = os.path.join("torch", "utils", "checkpoint.py")
# operations that take operands of both sides as they are
MIXES = frozenset({"aten::copy_", "aten::_to_copy", "aten::index", "aten::index_put_"})

sequence_number = torch._C._autograd._get_sequence_nr
running_node = torch._C._current_autograd_node


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in what an operation takes or gives."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_of(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors_of(each)


def key_of(tensor: torch.Tensor) -> int | None:
    """What names a storage while it lives; None for tensors that have none."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return None


class Lines:
    """Finds the person's lines. A file is theirs when it lies below a root and in no installed package."""

    def __init__(self, roots: list[str]) -> None:
        self._roots = tuple(os.path.join(root, "") for root in roots)
        self._mine: dict[str, bool] = {}
        self._index: dict[tuple[str, int], Place] = {}
        self.places: list[tuple[str, int]] = []

    def current(self, depth: int = 2) -> Place:
        """The innermost line of the person's on the stack."""
        frame: FrameType | None = sys._getframe(depth)
        mine = self._mine
        while frame is not None:
            name = frame.f_code.co_filename
            known = mine.get(name)
            if known is None:
                known = mine[name] = self.is_mine(name)
            if known:
                return self.place(name, frame.f_lineno)
            frame = frame.f_back
        return NOWHERE

    def place(self, path: str, line: int) -> Place:
        found = self._index.get((path, line))
        if found is None:
            found = self._index[path, line] = len(self.places)
            self.places.append((path, line))
        return found

    def is_mine(self, path: str) -> bool:
        if not path.startswith(self._roots):
            return False
        parts = path.split(os.sep)
        return not {"site-packages", "dist-packages"}.intersection(parts)


class Tracker(TorchDispatchMode):
    """Records births and deaths of storages on the card. `card` is the device type of a real accelerator, else None."""

    supports_higher_order_operators = True

    def __init__(self, lines: Lines, card: str | None = None, attribute: bool = True) -> None:
        super().__init__()
        self.lines = lines
        self.card = card
        # without it nothing has a line: what attribution costs can be measured so
        self.attribute = attribute
        # storage key → number on the card, or -1 - number on the host
        self.where: dict[int, int] = {}
        self.sizes: list[int] = []
        self.of_line: list[Place] = []
        self.roles: dict[int, str] = {}
        # number of a birth, or -1 - number for a death
        self.events: list[int] = []
        # operations that run for the card whatever their operands
        self.forced = 0
        # everything counts as on the card: the program never uses one
        self.everything = False
        self.active = True
        # called with what a copy from the host made on a real card
        self.on_transfer: Callable[[torch.Tensor], None] = lambda tensor: None
        # what the conditions in these storages answer
        self.conditions: dict[int, bool] = {}
        self.guesses: dict[tuple[str, Place], None] = {}
        self.answers = Answers(self._guess)
        # how often a value was asked for, by line
        self.syncs: collections.Counter[Place] = collections.Counter()
        # what a line made last, largest first: bytes, shape, operation
        self.shapes: dict[Place, tuple[int, tuple[int, ...], str]] = {}
        self._of_sequence: dict[int, Place] = {}
        self._sequence = sequence_number()
        self._last_backward: Place = NOWHERE

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: the wrapper that newer torch would put around each operation imports the compiler, for seconds."""
        return False

    def on_card(self, tensor: torch.Tensor) -> bool:
        if self.card is not None:
            return bool(tensor.device.type == self.card)
        key = key_of(tensor)
        return key is not None and self.where.get(key, -1) >= 0

    def number(self, tensor: torch.Tensor) -> int | None:
        """The number of the tensor's storage; None when it is not on the card."""
        key = key_of(tensor)
        number = self.where.get(key, -1) if key is not None else -1
        return number if number >= 0 else None

    def birth(self, tensor: torch.Tensor) -> int:
        """The number of the tensor's storage on either side; -1 where it was never seen."""
        number = self.where.get(key_of(tensor) or 0)
        return -1 if number is None else number if number >= 0 else -1 - number

    def mark(self, tensor: torch.Tensor, role: str) -> None:
        """Say what a storage is for. Kept also for a storage that is still on the host."""
        key = key_of(tensor)
        if key is not None and key in self.where:
            number = self.where[key]
            self.roles[number if number >= 0 else -1 - number] = role

    def add(self, tensor: torch.Tensor, card: bool, line: Place, size: int | None = None) -> None:
        """Note a storage that was not seen before."""
        key = key_of(tensor)
        if key is None or key in self.where:
            return
        storage = tensor.untyped_storage()
        number = len(self.sizes)
        self.sizes.append(storage.nbytes() if size is None else size)
        self.of_line.append(line)
        self.where[key] = number if card else -1 - number
        weakref.finalize(storage, self._died, key).atexit = False
        if card:
            self.events.append(number)

    def _died(self, key: int) -> None:
        number = self.where.pop(key, -1)
        if number >= 0:
            self.events.append(-1 - number)
        self.conditions.pop(key, None)

    def promote(self, tensor: torch.Tensor, line: Place = NOWHERE) -> None:
        """A storage of the host that is on the card from now on, moved in place or misjudged at its birth."""
        key = key_of(tensor)
        if key is None:
            return
        if key not in self.where:
            if line == NOWHERE and self.attribute:
                line = self.lines.current(2)
            self.add(tensor, True, line)
        elif self.where[key] < 0:
            self.where[key] = -1 - self.where[key]
            self.events.append(self.where[key])

    def promote_all(self) -> None:
        """From now on all that lives counts: the program uses no card."""
        self.everything = True
        for key, number in list(self.where.items()):
            if number < 0:
                self.where[key] = -1 - number
                self.events.append(-1 - number)

    def resize(self, tensor: torch.Tensor) -> None:
        """A storage that may have another size now: as if it had died and come again."""
        key = key_of(tensor)
        number = self.where.get(key, -1) if key is not None else -1
        if key is None or number < 0 or self.card is not None:
            return
        size = int(tensor.untyped_storage().nbytes())
        if size == self.sizes[number]:
            return
        self.events.append(-1 - number)
        fresh = len(self.sizes)
        self.sizes.append(size)
        self.of_line.append(self.of_line[number])
        if number in self.roles:
            self.roles[fresh] = self.roles[number]
        self.where[key] = fresh
        self.events.append(fresh)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.active:
            return func(*args, **kwargs)
        if func is torch.ops.aten._local_scalar_dense.default:
            if self.on_card(args[0]) and not in_optimizer():
                self.syncs[self.lines.current(2)] += 1
            if isinstance(args[0], FakeTensor) and args[0].constant is None:
                return value_of(args[0], self.conditions.get(key_of(args[0]) or 0))
        node = running_node()
        name: str = func._schema.name
        card = self._is_for_card(name, node, args, kwargs) if self.card is None else False
        done, out = self.answers.size(func, name, args, kwargs)
        if not done:
            out = func(*args, **kwargs)
            if not card:
                out = self.answers.with_numbers(func, name, args, kwargs, out)
        self._note(func, name, node, card, args, out)
        return out

    def _is_for_card(self, name: str, node: Any, args: Any, kwargs: Any) -> bool:
        """Does the operation run on the pretended card? Operands that must be there are moved there."""
        if self.everything:
            return True
        inputs = [*tensors_of(args), *tensors_of(kwargs)]
        mixed = any(map(self.on_card, inputs))
        if mixed and not self.forced and name not in MIXES:
            for each in inputs:
                if each.dim() > 0 and not self.on_card(each):
                    self.promote(each)
        if self.forced or mixed:
            return True
        return node is not None and (not inputs or not recomputing(node))

    def _note(self, func: Any, name: str, node: Any, card: bool, args: Any, out: Any) -> None:
        """Storages that the operation made, and the nodes it added to the graph."""
        line: Place | None = None
        for at, tensor in enumerate(tensors_of(out)):
            key = key_of(tensor)
            if key is None:
                continue
            if key in self.where:
                if name.endswith(("resize_", "_out")) or name == "aten::set_":
                    self.resize(tensor)
                continue
            if line is None:
                line = self._line(node)
            size = None
            if isinstance(tensor, FakeTensor):
                size = real_size(name, at, tensor, args)
                known = condition(name, args, tensor)
                if known is not None:
                    self.conditions[key] = known
            self.add(tensor, tensor.device.type == self.card if self.card is not None else card, line, size)
            if node is None:
                self._shape(line, tensor, name)
            if self.card is not None and name == "aten::_to_copy" and not any(map(self.on_card, tensors_of(args))):
                self.on_transfer(tensor)
        if not self.attribute:
            return
        sequence = sequence_number()
        if sequence != self._sequence:
            if torch.is_grad_enabled() and (node is None or recomputing(node)):
                if line is None:
                    line = self.lines.current(3)
                for each in range(self._sequence, sequence):
                    self._of_sequence[each] = line
            self._sequence = sequence

    def _shape(self, line: Place, tensor: torch.Tensor, name: str) -> None:
        size = tensor.numel() * tensor.element_size()
        if line >= 0 and size > self.shapes.get(line, (0,))[0]:
            self.shapes[line] = (size, tuple(map(int, tensor.shape)), name)

    def _line(self, node: Any) -> Place:
        if not self.attribute:
            return NOWHERE
        if node is None or recomputing(node):
            return self.lines.current(4)
        line = self._of_sequence.get(node._sequence_nr(), NOWHERE)
        if line == NOWHERE:
            # a node without a number, such as the one that accumulates: it runs right after that of its operation
            line = self._last_backward if self._last_backward != NOWHERE else self.lines.current(4)
        self._last_backward = line
        return line

    def _guess(self, text: str) -> None:
        self.guesses[text, self._line(running_node())] = None


def in_optimizer() -> bool:
    """Does an optimizer of torch ask for a value of its own?"""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if OPTIM in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def recomputing(node: Any) -> bool:
    """Does a checkpoint run its forward again, inside backward?"""
    if node is None:
        return False
    if node.name() == "CheckpointFunctionBackward":
        return True
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "unpack_hook" and code.co_filename.endswith(CHECKPOINT):
            return True
        frame = frame.f_back
    return False
