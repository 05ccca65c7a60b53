"""The largest set of storages that live together while a function runs, as torch itself makes and frees them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveStorages(TorchDispatchMode):
    """Counts the storages made under it, except those of tensors without axes (counters on the host)."""

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._live: dict[int, int] = {}
        self.peak: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        fresh = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor) and value.dim() > 0]
        for tensor in fresh:
            self._add(tensor.untyped_storage())
        if sum(self._live.values()) > sum(self.peak):
            self.peak = list(self._live.values())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known or key in self._live:
            return
        self._live[key] = storage.nbytes()
        weakref.finalize(storage, self._live.pop, key, None)


def peak_of(run: Callable[[], object], known: Iterable[torch.Tensor]) -> list[int]:
    """Bytes of the storages made by `run` that lived together when most bytes did."""
    with LiveStorages(known) as live:
        run()
    return live.peak
