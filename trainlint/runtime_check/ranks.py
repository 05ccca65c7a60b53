"""Process groups of a program that is one of several ranks, where the card is pretended.

Real tensors on the CPU travel by gloo. Fake ones have nothing to send: torch's own fake process group takes every
collective as done, so that each rank runs on its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .tracker import Tracker


def count() -> int:
    """How many ranks there are, as `torchrun` and `trainlint measure --nproc` say it."""
    size = os.environ.get("WORLD_SIZE", "")
    return int(size) if size.isdigit() else 1


class _Reducer:
    """A reducer whose buckets are known. Over fake tensors it keeps the first ones: to arrange them anew it would send
    numbers that these have not."""

    def __init__(self, real: Any, tracker: Tracker, fake: bool) -> None:
        self._real, self._tracker, self._fake = real, tracker, fake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _rebuild_buckets(self) -> bool:
        if self._fake:
            return False
        with buckets(self._tracker):
            return bool(self._real._rebuild_buckets())


@contextlib.contextmanager
def buckets(tracker: Tracker) -> Iterator[None]:
    """What is made inside are buffers of the library on the card."""
    first = len(tracker.sizes)
    tracker.forced += 1
    try:
        yield
    finally:
        tracker.forced -= 1
        for number in range(first, len(tracker.sizes)):
            tracker.roles.setdefault(number, "workspace")


def exchanged(state: None, bucket: Any) -> Any:
    """The gradients of a bucket as if they had been averaged: there is nobody to send them to."""
    done: Any = torch.futures.Future()
    done.set_result(bucket.buffer())
    return done


def _objects(distributed: Any) -> None:
    """Objects that ranks exchange: every other rank has what this one has."""

    def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
        object_list[:] = [obj] * len(object_list)

    def gather_object(obj: Any, object_gather_list: list[Any] | None = None, *args: Any, **kwargs: Any) -> None:
        if object_gather_list is not None:
            object_gather_list[:] = [obj] * len(object_gather_list)

    def scatter_object_list(out: list[Any], given: list[Any] | None = None, *args: Any, **kwargs: Any) -> None:
        if given:
            out[0] = given[min(distributed.get_rank(), len(given) - 1)]

    def broadcast_object_list(object_list: list[Any], *args: Any, **kwargs: Any) -> None:
        """The list stays as it is."""

    for each in (all_gather_object, gather_object, scatter_object_list, broadcast_object_list):
        setattr(distributed, each.__name__, each)
        setattr(distributed.distributed_c10d, each.__name__, each)


def pretend_ranks(tracker: Tracker, fake: bool, note: Callable[[str], None]) -> None:
    """Patch `torch.distributed` and `DistributedDataParallel`."""
    distributed: Any = torch.distributed
    if not distributed.is_available():
        return
    plain = distributed.init_process_group

    def init(backend: Any = None, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("device_id", None)
        if fake:
            from torch.testing._internal.distributed.fake_pg import FakeStore

            rank = kwargs.get("rank", -1)
            size = kwargs.get("world_size", -1)
            rank = rank if rank >= 0 else int(os.environ.get("RANK", "0"))
            plain("fake", rank=rank, world_size=size if size > 0 else count(), store=FakeStore())
            note("the ranks exchange nothing: each runs on its own, and the buffers of NCCL are not counted")
        else:
            plain("gloo", *args, **kwargs)

    distributed.init_process_group = distributed.distributed_c10d.init_process_group = init
    plain_barrier = distributed.barrier

    def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Any:
        return plain_barrier(group, async_op)

    distributed.barrier = barrier
    if fake:
        # these look at the bytes of tensors, which fake ones do not have
        distributed._verify_params_across_processes = lambda *args, **kwargs: None
        distributed._broadcast_coalesced = lambda *args, **kwargs: None
        _objects(distributed)
    wrapper: Any = torch.nn.parallel.DistributedDataParallel
    plain_init = wrapper.__init__

    def wrapped(self: Any, module: Any, device_ids: Any = None, output_device: Any = None, **kwargs: Any) -> None:
        with buckets(tracker) if any(map(tracker.on_card, module.parameters())) else contextlib.nullcontext():
            plain_init(self, module, **kwargs)
        if fake:
            distributed._register_comm_hook(self.reducer, None, exchanged)
        self.reducer = _Reducer(self.reducer, tracker, fake)
        if fake:
            self.register_comm_hook = lambda state, hook: note(
                "the hook of the program for exchanging gradients is not run"
            )

    wrapper.__init__ = wrapped
