"""What may differ from the program when a step of it is played: another batch size, less memory, another GPU."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.analysis.autocast import Autocast
from trainlint.analysis.values import Value
from trainlint.memory.device import cublas_workspace


class OutOfTime(Exception):
    """Whoever asks does not want to wait any longer; raised by what is called before each operation."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The program as it is, at its own batch size on an unknown GPU of any size, where nothing is given.

    `capacity` are the bytes that PyTorch gets of the device, None for no limit. `workspace` are the bytes that cuBLAS
    asks for when it is first used, once by the forward and once by the thread that runs backward.

    With `convolutions` cuDNN takes workspaces for convolutions (`memory.workspaces`), which are no part of the figures
    of PyTorch's tensors.

    The others change what the program does: `accumulate` steps the optimizer every second time only, `optimizer` is
    the class that takes the place of every optimizer of Adam's kind, and `set_to_none` lets `zero_grad` give the
    gradients back whatever it is told. With `head` all parameters are frozen but those of this layer, with
    `no_grad` what nobody uses the gradients of has no graph. `processes` share
    what is sharded, where the program does not say how many. With `record` the outcome holds the course of the step.
    """

    batch: int | None = None
    capacity: int | None = None
    workspace: int = cublas_workspace(None)
    convolutions: bool = False
    # modules whose calls are checkpointed, and the autocast that all operations with a graph run under
    blocks: tuple[Value, ...] = ()
    autocast: Autocast | None = None
    accumulate: bool = False
    optimizer: str | None = None
    set_to_none: bool = False
    head: Value | None = None
    no_grad: bool = False
    processes: int | None = None
    record: bool = False


AS_WRITTEN = Plan()
