"""The GPU that training is meant for, as the configuration states it, and what PyTorch can get of its memory."""

from __future__ import annotations

from typing import NamedTuple

from trainlint.memory.device import device_total
from trainlint.memory.gpus import GIB, Gpu, find, largest


class Target(NamedTuple):
    """A GPU by name, or so many bytes. `usable` are the bytes of the device that a process can have.

    `stated` is false where nothing was asked for and the largest GPU that there is stands for all of them.
    """

    name: str
    usable: int
    gpu: Gpu | None
    stated: bool = True

    def room(self, convolutions: bool | None) -> int:
        """Bytes that PyTorch can get: the context of CUDA and the libraries come out of the device as well.

        `convolutions` says whether the model has convolutions, which load cuDNN; None where that is not known.
        """
        return self.usable - device_total(0, self.gpu, convolutions).expected

    def most(self) -> int:
        """Bytes that PyTorch can get with the smallest context that was ever seen: more is certainly too much."""
        return self.usable - device_total(0, self.gpu).low


def target_of(gpu: str | None, memory: int | None) -> Target | None:
    """The target of the settings `gpu` and `gpu-memory`; the size that is stated wins over that of the table.

    None where neither is stated, or the GPU is not known and no size is given.
    """
    known = find(gpu) if gpu is not None else None
    if memory is not None:
        return Target(known.name if known is not None else f"{memory / GIB:.4g} GiB", memory, known)
    return Target(f"{known.name} ({known.gigabytes} GB)", known.usable, known) if known is not None else None


def any_single() -> Target:
    """The largest single GPU: what it has no room for fits none."""
    gpu = largest()
    return Target(f"{gpu.name} ({gpu.gigabytes} GB)", gpu.usable, gpu, False)
