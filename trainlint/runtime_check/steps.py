"""Which step it is: hooks on backward and on optimizers, the roles of storages, and when enough was seen.

The first step builds optimizer state and warms up; the steps after it are steady. With several optimizers (a GAN) every
one that steps must have stepped often enough; one that never does is waited for only so long.
"""

from __future__ import annotations

import collections
import gc
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .batches import Calls
from .tracker import Place, Tracker, sequence_number

# how many times the wanted steps other optimizers may do while one of them has not begun
PATIENCE = 4
# from here on a node has no number of its own, such as the one that accumulates a gradient
NO_NUMBER = 1 << 63


class Steps:
    """Follows the training loop. `finished` is called once, inside the step that was the last one wanted."""

    def __init__(self, tracker: Tracker, wanted: int, finished: Callable[[], None]) -> None:
        self.tracker = tracker
        self.wanted = wanted
        self.finished = finished
        # called around steps: the checks of findings.py
        self.watchers: list[Any] = []
        # called with the tensors of a batch before they become fake
        self.on_batch: Callable[[list[torch.Tensor]], None] = lambda tensors: None
        self.on_window: Callable[[], None] = lambda: None
        # called with the steps that are done when the training begins and after each of them
        self.on_progress: Callable[[int], None] = lambda done: None
        # (number of events so far, what begins, the line)
        self.moments: list[tuple[int, str, Place]] = []
        self.done: collections.Counter[int] = collections.Counter()
        self.optimizers: list[Any] = []
        self.backwards = 0
        self.transfers = 0
        self.batch_bytes = 0
        self.loader_batches: collections.Counter[int] = collections.Counter()
        self.transfer_batches: collections.Counter[int] = collections.Counter()
        self.calls = Calls()
        # autograd's sequence number where the loop began and where the first step of the last optimizer ended
        self.loop_sequence: int | None = None
        self.window_sequence: int | None = None
        self._loaded = False
        # what was moved before the loop is no batch
        self._in_loop = False
        self._depth = 0
        self._parameters: dict[int, Any] = {}
        self._over = False

    # ---- what is seen

    def moment(self, name: str) -> None:
        if name == "window":
            self.window_sequence = sequence_number()
            self.on_window()
        self.moments.append((len(self.tracker.events), name, self.tracker.lines.current(2)))

    def transferred(self, tensor: torch.Tensor) -> None:
        """A tensor was moved to the card."""
        self._loop_begins()
        if tensor.dim() > 0:
            self.tracker.mark(tensor, "batch")
            self.transfers += tensor.untyped_storage().nbytes()
            if self._in_loop:
                self.transfer_batches[int(tensor.shape[0])] += 1

    def _loop_begins(self) -> None:
        if self.loop_sequence is None:
            self.loop_sequence = sequence_number()

    def loads(self, size: int | None) -> None:
        """A data loader is asked for a batch of `size` samples: what was moved since the last one is a batch."""
        self._loop_begins()
        self._batch_ends()
        if not self._loaded:
            self._loaded, self.batch_bytes = True, 0
        if size is not None:
            self.loader_batches[size] += 1

    def loaded(self, tensors: list[torch.Tensor]) -> None:
        """A data loader gave these. They are the batch where the program uses no card."""
        if self.tracker.everything:
            for tensor in tensors:
                self.tracker.promote(tensor)
                self.tracker.mark(tensor, "batch")
            self.transfers += sum(tensor.untyped_storage().nbytes() for tensor in tensors)

    def _batch_ends(self) -> None:
        if self._in_loop or self._loaded:
            self.batch_bytes = max(self.batch_bytes, self.transfers)
        self.transfers = 0

    def batch_size(self) -> tuple[int | None, bool]:
        """The samples of a batch, where that is known; was it read off the calls of the models only?"""
        counts = self.loader_batches or self.transfer_batches
        if counts:
            return counts.most_common(1)[0][0], False
        size = self.calls.size(self.backwards, modules())
        return size, size is not None

    @property
    def steps(self) -> int:
        return max(self.done.values(), default=0)

    # ---- hooks

    def install(self) -> None:
        """Patch `torch.autograd.backward` and hook all optimizers, those made later too."""
        self.calls.install()
        autograd: Any = torch.autograd
        plain = autograd.backward

        def backward(*args: Any, **kwargs: Any) -> None:
            self._depth += 1
            if self._depth == 1:
                self._before_backward(args[0] if args else kwargs.get("tensors"))
            try:
                plain(*args, **kwargs)
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._after_backward()

        autograd.backward = backward
        optimizer: Any = torch.optim.Optimizer
        plain_init = optimizer.__init__

        def init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            self.optimizers.append(optimizer)
            plain_init(optimizer, *args, **kwargs)

        optimizer.__init__ = init
        for name in ("_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check"):
            if hasattr(optimizer, name) and self.tracker.card is None:
                setattr(optimizer, name, lambda optimizer: None)
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)

    def _before_backward(self, loss: Any) -> None:
        self.backwards += 1
        if self.backwards == 1:
            self.on_progress(0)
            self._first_backward(loss)
        elif not self.optimizers and self.backwards > self.wanted:
            self._finish()
        if not self._loaded:
            self._batch_ends()
        self._in_loop = True
        self.moment("backward")
        for watcher in self.watchers:
            watcher.before_backward(loss)

    def _first_backward(self, loss: Any) -> None:
        tracker = self.tracker
        if self.loop_sequence is None and isinstance(loss, torch.Tensor) and loss.grad_fn is not None:
            # neither a loader nor a transfer said where the loop began: its graph does
            self.loop_sequence = lowest_number(loss.grad_fn)
        parameters = self.find_parameters()
        if tracker.card is None and not any(map(tracker.on_card, parameters)):
            tracker.promote_all()
            self.moment("everything")

    def _after_backward(self) -> None:
        self._mark_gradients()
        if not self.optimizers and self.backwards == 1:
            self.moment("window")
        self.moment("forward")
        for watcher in self.watchers:
            watcher.after_backward()

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._note(optimizer)
        self.moment("optimizer")
        for watcher in self.watchers:
            watcher.before_step(optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._note(optimizer)
        done = self.done
        done[id(optimizer)] += 1
        for watcher in self.watchers:
            watcher.after_step(optimizer, done[id(optimizer)])
        self.moment("forward")
        if done[id(optimizer)] == 1 and self.wanted > 1:
            # an optimizer makes its state in its first step: what follows is steady
            self.moment("window")
        most = max(done.values())
        self.on_progress(most)
        waiting = len(done) < len(self.optimizers) and most < PATIENCE * self.wanted
        if min(done.values()) >= self.wanted and not waiting:
            self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self.finished()

    def once_more(self) -> None:
        """One more step, to see whether what it showed stays so."""
        self.wanted += 1
        self._over = False

    # ---- roles

    def find_parameters(self) -> list[Any]:
        """All parameters of all modules and optimizers, each once. Marks parameters and buffers."""
        buffers = []
        for module in modules():
            for parameter in module._parameters.values():
                if parameter is not None:
                    self._parameters[id(parameter)] = parameter
            buffers += [each for each in module._buffers.values() if each is not None]
        for parameter in self.held_by_optimizers():
            self._parameters[id(parameter)] = parameter
        for buffer in buffers:
            self.tracker.mark(buffer, "buffers")
        for parameter in self._parameters.values():
            self.tracker.mark(parameter, "parameters")
        return list(self._parameters.values())

    def parameters(self) -> list[Any]:
        """Those found so far."""
        return list(self._parameters.values())

    def held_by_optimizers(self) -> Iterator[Any]:
        for optimizer in self.optimizers:
            for group in getattr(optimizer, "param_groups", ()):
                yield from group["params"]

    def _mark_gradients(self) -> None:
        for parameter in self._parameters.values():
            if parameter.grad is not None:
                self.tracker.mark(parameter.grad, "gradients")

    def _note(self, optimizer: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                self._parameters.setdefault(id(parameter), parameter)
        self._mark_gradients()
        for tensor in states(optimizer):
            self.tracker.mark(tensor, "optimizer")

    def settle(self) -> int:
        """Mark everything once more, before the report; gives how many numbers the parameters on the card are."""
        self._batch_ends()
        self._parameters.clear()
        parameters = self.find_parameters()
        self._mark_gradients()
        for optimizer in self.optimizers:
            for tensor in states(optimizer):
                self.tracker.mark(tensor, "optimizer")
        return sum(int(each.numel()) for each in parameters if self.tracker.number(each) is not None)


def modules() -> list[Any]:
    """Every module that is alive. `type(...)`, because `isinstance` runs properties of strangers."""
    return [each for each in gc.get_objects() if issubclass(type(each), torch.nn.Module)]


def lowest_number(root: Any) -> int:
    """The smallest of autograd's numbers in the graph below a node: the number of what was computed first."""
    lowest, pending, seen = NO_NUMBER, [root], {root}
    while pending:
        node = pending.pop()
        lowest = min(lowest, node._sequence_nr())
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                pending.append(below)
    return lowest


def states(optimizer: Any) -> Iterator[torch.Tensor]:
    """Tensors that an optimizer keeps from step to step; single numbers live on the host."""
    pending: list[Any] = list(optimizer.state.values())
    while pending:
        value = pending.pop()
        if isinstance(value, torch.Tensor):
            if value.dim() > 0:
                yield value
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, (list, tuple)):
            pending += value
