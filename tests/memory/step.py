"""A training step of an unmodified script as it would be on a CUDA card, by really running it on the CPU.

`run` executes a script under `card.Pretend` until every optimizer has stepped three times and tells what the last two
steps held. Where CUDA is known to differ it is followed: dropout keeps a mask of bytes, optimizers step all
tensors together, attention is fused even with dropout, LSTM and GRU are one call with a reserve. Not there: the
workspaces of cuBLAS and cuDNN. Data sets that would be downloaded are blank (`blank.py`).
"""

from __future__ import annotations

import contextlib
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
from torch import nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

STEPS = 3


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
            with started.card, started.pretended:
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
        self._modules(patch)
        self._optimizers(patch)
        self._loaders(patch)
        cudnn.install(patch)
        blank.install(patch)

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
            while True:
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                self._drawn()
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
            backward(tensors, *args, **kwargs)
            self.card.phase = "forward"
            self._kinds()

        patch.setattr(Optimizer, "__init__", together)
        patch.setattr(torch.autograd, "backward", noted)

    def _before_backward(self) -> None:
        self._kinds()
        if self.card.watching:
            alive = sum(piece.size for piece in self.card.live.values() if piece.kind == "activation")
            self.step.activations = max(self.step.activations, alive)
        self.card.phase = "backward"

    def _before_step(self, *_: Any) -> None:
        self.card.phase = "optimizer"
        self._kinds()
        self.step.gradients = max(self.step.gradients, self._total("gradient"))

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self.card.phase = "forward"
        self._kinds()
        self.steps[id(optimizer)] += 1
        fewest = min(self.steps[id(each)] for each in self.optimizers)
        if fewest >= 1 and not self.card.watching:
            self.card.watch()
        if fewest >= STEPS:
            self._finish()
            raise Enough

    def _finish(self) -> None:
        card, step = self.card, self.step
        card.settle()
        step.batch = step.batch or self.pretended.moved // STEPS
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
        for optimizer in self.optimizers:
            for state in optimizer.state.values():
                for piece in self._pieces(v for v in state.values() if isinstance(v, torch.Tensor) and v.dim() > 0):
                    piece.kind = "optimizer"

    def _pieces(self, tensors: Iterable[torch.Tensor | None]) -> Iterator[Piece]:
        for tensor in tensors:
            piece = self.card.piece(tensor) if tensor is not None else None
            if piece is not None:
                yield piece
