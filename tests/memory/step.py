"""A training step of an unmodified script as it would be on a CUDA card, by really running it on the CPU.

`run` executes a script under `card.Pretend` until every optimizer has stepped four times and tells what the last two
steps held. Where CUDA is known to differ it is followed: dropout keeps a mask of bytes, optimizers step all
tensors together, attention is fused even with dropout, LSTM and GRU are one call with a reserve. Not there: the
workspaces of cuBLAS and cuDNN. Data sets that would be downloaded are blank (`blank.py`).
"""

from __future__ import annotations

import contextlib
import gc
import io
import sys
import types
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import blank
import cudnn
import pytest
import torch
from card import Card, Line, Piece, Pretend, names_card
from cuda_autocast import cuda_lists
from torch import nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

STEPS = 4


@dataclass
class Step:
    """Bytes, as `trainlint memory` names them. `peak` and `reserved` as the caching allocator has them."""

    parameters: int = 0
    buffers: int = 0
    gradients: int = 0
    optimizer: int = 0
    batch: int = 0
    activations: int = 0
    peak: int = 0
    reserved: int = 0
    phase: str = ""
    batch_size: int | None = None
    # what each line of the script holds at the peak, and which kinds of memory make up the peak
    lines: dict[Line, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    # the activations that the last backward found alive, by line
    held: dict[int, int] = field(default_factory=dict)


class Enough(BaseException):
    """Every optimizer has stepped often enough."""


def run(script: Path) -> Step:
    """Execute a script, its folder first on the path, and account for its steps. Raises ValueError if it ends early."""
    started = Runner(str(script.parent))
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        started.pretend(patch)
        main = types.ModuleType("__main__")
        main.__file__ = str(script)
        patch.setitem(sys.modules, "__main__", main)
        patch.setattr(sys, "argv", [str(script)])
        patch.syspath_prepend(str(script.parent))
        code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
        try:
            with started.card, started.pretended, started.lists:
                exec(code, main.__dict__)
        except Enough:
            return started.step
        finally:
            for name in set(sys.modules) - before:
                file = getattr(sys.modules[name], "__file__", None) or ""
                if file.startswith(started.card.folder):
                    del sys.modules[name]
    raise ValueError(f"{script.name} ended before {STEPS} steps of every optimizer")


class Runner:
    """One run: the card, the modules and optimizers that were made, and what was found."""

    def __init__(self, folder: str) -> None:
        self.card = Card(folder)
        self.pretended = Pretend(self.card)
        self.step = Step()
        self.modules: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.optimizers: list[Optimizer] = []
        self.steps: Counter[int] = Counter()
        self.steady = False
        # how often backward has run in the last step
        self.micro = 0
        # CUDA's lists of autocast, in force from the first time that a script asks for it
        self.lists, self.lists_set = contextlib.ExitStack(), False

    def pretend(self, patch: pytest.MonkeyPatch) -> None:
        """Put CUDA's semantics and what counts in place."""
        cuda = {"is_available": True, "device_count": 1, "current_device": 0, "is_bf16_supported": True}
        for name, answer in cuda.items():
            patch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
        for name in ("set_device", "synchronize", "manual_seed", "manual_seed_all", "empty_cache"):
            patch.setattr(torch.cuda, name, lambda *_, **__: None)
        for name in ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved"):
            patch.setattr(torch.cuda, name, lambda *_, **__: 0)
        for name in ("_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check"):
            patch.setattr(Optimizer, name, lambda _: None, raising=False)
        patch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_: tensor)
        plain = torch.Tensor.__deepcopy__

        def copied(tensor: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
            # the storage is copied outside of the dispatcher
            made = plain(tensor, memo)
            if self.card.piece(tensor) is not None:
                self.card.promote(made)
            return made

        patch.setattr(torch.Tensor, "__deepcopy__", copied)
        self._autocast(patch)
        self._modules(patch)
        self._optimizers(patch)
        self._loaders(patch)
        cudnn.install(patch)
        blank.install(patch)

    def _autocast(self, patch: pytest.MonkeyPatch) -> None:
        """`torch.autocast("cuda")` is that of the CPU, with the lists and the default dtype of CUDA."""
        init = torch.autocast.__init__

        def other(
            context: Any, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: Any = None
        ) -> None:
            if device_type.startswith("cuda"):
                if not self.lists_set:
                    self.lists_set = True
                    self.lists.enter_context(cuda_lists())
                device_type, dtype = "cpu", dtype or torch.float16
            init(context, device_type, dtype, enabled, cache_enabled)

        patch.setattr(torch.autocast, "__init__", other)

    # what is made

    def _modules(self, patch: pytest.MonkeyPatch) -> None:
        made, loaded, moved = nn.Module.__init__, nn.Module.__setstate__, nn.Module.to

        def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            made(module, *args, **kwargs)
            self.modules.add(module)

        def setstate(module: nn.Module, state: Any) -> None:
            loaded(module, state)
            self.modules.add(module)

        def to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
            given = (*args, *kwargs.values())
            if any(map(names_card, given)):
                self._promote(module)
            dtype = next((value for value in given if isinstance(value, torch.dtype)), None)
            return moved(module, dtype) if dtype is not None else module

        patch.setattr(nn.Module, "__init__", init)
        patch.setattr(nn.Module, "__setstate__", setstate)
        patch.setattr(nn.Module, "to", to)
        patch.setattr(nn.Module, "cuda", lambda module, *_: self._promote(module))

    def _promote(self, module: nn.Module) -> nn.Module:
        for tensor in (*module.parameters(), *module.buffers()):
            self.card.promote(tensor)
        return module

    def _loaders(self, patch: pytest.MonkeyPatch) -> None:
        init, start = DataLoader.__init__, DataLoader.__iter__

        def plain(loader: Any, *args: Any, **kwargs: Any) -> None:
            for name in ("persistent_workers", "prefetch_factor", "multiprocessing_context", "pin_memory"):
                kwargs.pop(name, None)
            init(loader, *args, **{**kwargs, "num_workers": 0})

        def counted(loader: Any) -> Iterator[Any]:
            # a generator would keep the last batch alive
            batches = start(loader)
            # what is moved between two loops over batches is no batch
            self.pretended.moved = 0
            while True:
                batch = next(batches, None)
                self._drawn()
                if batch is None:
                    return
                self.step.batch_size = loader.batch_size
                yield batch
                batch = None

        patch.setattr(DataLoader, "__init__", plain)
        patch.setattr(DataLoader, "__iter__", counted)

    def _drawn(self) -> None:
        self.step.batch = max(self.step.batch, self.pretended.moved)
        self.pretended.moved = 0

    # what happens

    def _optimizers(self, patch: pytest.MonkeyPatch) -> None:
        init, backward = Optimizer.__init__, torch.autograd.backward

        def together(optimizer: Optimizer, params: Any, defaults: dict[str, Any]) -> None:
            if defaults.get("foreach", 0) is None and not defaults.get("fused"):
                defaults = {**defaults, "foreach": True}
            self.optimizers.append(optimizer)
            init(optimizer, params, defaults)
            optimizer.register_step_pre_hook(self._before_step)
            optimizer.register_step_post_hook(self._after_step)

        def noted(tensors: Any, *args: Any, **kwargs: Any) -> None:
            self._before_backward()
            self.micro += 1
            backward(tensors, *args, **kwargs)
            self.card.phase = "forward"
            self._kinds()
            if not self.optimizers:
                # weights that are moved by hand
                self.step.gradients = max(self.step.gradients, self._total("gradient"))
                self._stepped(0)

        patch.setattr(Optimizer, "__init__", together)
        patch.setattr(torch.autograd, "backward", noted)

    def _before_backward(self) -> None:
        self._kinds()
        if self.steady and not self.card.watching:
            # what the first round does after its step, as every hundredth does, is over
            self.card.watch()
        if self.card.watching:
            held: Counter[int] = Counter()
            for piece in self.card.live.values():
                if piece.kind == "activation":
                    held[piece.line[1] if piece.line is not None else 0] += piece.size
            if held.total() >= self.step.activations:
                self.step.activations, self.step.held = held.total(), dict(held)
        self.card.phase = "backward"

    def _before_step(self, *_: Any) -> None:
        self.card.phase = "optimizer"
        self._kinds()
        self.step.gradients = max(self.step.gradients, self._total("gradient"))

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self.card.phase = "forward"
        self._kinds()
        self._stepped(id(optimizer))

    def _stepped(self, who: int) -> None:
        self.steps[who] += 1
        fewest = min(self.steps[id(each)] for each in self.optimizers) if self.optimizers else self.steps[who] - 1
        self.steady = fewest >= 2
        if fewest == STEPS - 1 and not self.step.batch:
            # of a script without a loader: what the last step moves
            self.pretended.moved = self.micro = 0
        if fewest >= STEPS:
            self._finish()
            raise Enough

    def _finish(self) -> None:
        card, step = self.card, self.step
        card.settle()
        step.batch = step.batch or self.pretended.moved // self.micro
        step.parameters, step.buffers = self._total("parameter"), self._total("buffer")
        step.optimizer = self._total("optimizer")
        step.peak, step.phase, step.reserved = card.peak.allocated, card.peak.phase, card.allocator.peak_reserved
        kinds: Counter[str] = Counter()
        lines: Counter[Line] = Counter()
        for piece in card.peak.pieces:
            kinds[piece.kind] += piece.size
            if piece.line is not None:
                lines[piece.line] += piece.size
        step.kinds, step.lines = dict(kinds), dict(lines)

    def _total(self, kind: str) -> int:
        return sum(piece.size for piece in self.card.live.values() if piece.kind == kind)

    def _kinds(self) -> None:
        """Say of every storage what it is."""
        for module in list(self.modules):
            parameters = [tensor for tensor in module._parameters.values() if tensor is not None]
            for tensor in module._buffers.values():
                for piece in self._pieces([tensor]):
                    piece.kind = "buffer"
            for piece in self._pieces(parameters):
                piece.kind = "parameter"
            for piece in self._pieces(tensor.grad for tensor in parameters):
                piece.kind = "gradient"
        for tensor in self._raw():
            for piece in self._pieces([tensor]):
                piece.kind = "parameter" if piece.kind == "activation" else piece.kind
            for piece in self._pieces([tensor.grad]):
                piece.kind = "gradient"
        for optimizer in self.optimizers:
            for state in optimizer.state.values():
                for piece in self._pieces(v for v in state.values() if isinstance(v, torch.Tensor) and v.dim() > 0):
                    piece.kind = "optimizer"

    def _raw(self) -> list[torch.Tensor]:
        """The tensors that are trained and are no parameters of a module."""
        if self.optimizers:
            return [tensor for each in self.optimizers for group in each.param_groups for tensor in group["params"]]
        found = (each for each in gc.get_objects() if isinstance(each, torch.Tensor))
        return [each for each in found if each.is_leaf and each.requires_grad]

    def _pieces(self, tensors: Iterable[torch.Tensor | None]) -> Iterator[Piece]:
        for tensor in tensors:
            piece = self.card.piece(tensor) if tensor is not None else None
            if piece is not None:
                yield piece
