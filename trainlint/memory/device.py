"""From what PyTorch reserves to what the device holds: the CUDA context and the libraries come on top.

`nvidia-smi` shows more than `torch.cuda.memory_reserved()`: the driver's context, PyTorch's kernels, and the kernels
and handles of cuBLAS and cuDNN. None of it depends on the batch. It does depend on the GPU, the driver, and whether
kernels are loaded all at once (before CUDA 11.7) or when they are needed (since then). Few measurements are public:

| bytes | where |
|---|---|
| 287,047,680 | one tensor, torch 1.13, kernels loaded when needed; GPU not stated (pytorch pull request 86509) |
| 666,632,192 | the same, kernels loaded at once |
| 379 MiB | before any weights, 8 GB GPU (a start line of vLLM in a public log) |
| 426 MiB | one tensor, RTX 6000 Ada, torch 2.10, CUDA 13.0 |
| 300 to 400 MB | "since 11.7", more than 1000 MB before (pytorch issue 107667) |
| 1001 MiB | one tensor, RTX 3090, CUDA 11.1 (pytorch issue 54564) |
| 1008 MiB | one tensor, Titan V, torch 1.3 (pytorch issue 28394) |
| 1429 MiB | training small networks of linear layers on A100 40GB |
| 1731 to 1865 MiB | training timm models on A100 40GB |

The last two are fitted on the peaks that GPUMemNet published (arXiv 2602.17817; versions of torch and CUDA not
stated) by `benchmarks/gpu_peaks.py`. Linear layers: all 53 networks with fewer than 20,000 parameters and a batch of
at most 512 peak at 1451 to 1453 MiB, of which 22 MiB are PyTorch's (a segment of 2 MiB, and one of 20 MiB for
cuBLAS). timm: the constant that makes simulated `reserved` and measured peak agree, on halves of the families of
models. They load cuDNN. Their training also keeps about five batches more on the GPU than the model's own step, most
likely in its loader, which are no part of the constant; with them in it, it is 1.9 GB. Of the same peaks nine of ten
lie below the high end, which is a tenth of what PyTorch reserves above the largest constant.

What goes through PyTorch's allocator belongs to `reserved`, not here: the workspace of cuBLAS (`cublas_workspace`).
Those of cuDNN's convolutions (`memory.workspaces`) go through it too, but are told with the device: which ones cuDNN
takes depends on the GPU, its version and its trials. Also not here: NCCL's buffers, which start with a second process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlint.memory.gpus import MIB, Gpu

# the smallest context of the table, the largest overhead with and without cuDNN, and what A100 needs in the middle
SMALLEST = 287_047_680
LINEAR_A100 = 1429 * MIB
CONVOLUTION_A100 = (1731 * MIB, 1777 * MIB, 1865 * MIB)

# how much of what PyTorch reserves measured peaks of models with convolutions may lie above, in parts
SPREAD = 10


@dataclass(frozen=True, slots=True)
class DeviceTotal:
    """Bytes on the device, as `nvidia-smi` would show them, and a sentence about what they rest on."""

    low: int
    expected: int
    high: int
    why: str


def device_total(reserved: int, gpu: Gpu | None, convolutions: bool | None = None, workspaces: int = 0) -> DeviceTotal:
    """What a training process takes of the device when PyTorch has `reserved` bytes.

    `convolutions` says whether the model has convolutions, which load cuDNN; None where that is not known. `workspaces`
    are the bytes that cuDNN's convolutions make PyTorch reserve on top; the low end is without them.
    """
    low, expected, high, why = _overhead(gpu, convolutions)
    if workspaces:
        why += f"; {workspaces / MIB:,.0f} MiB for workspaces of cuDNN's convolutions, which may take others"
    working = reserved + workspaces
    spread = 0 if convolutions is False else working // SPREAD
    return DeviceTotal(reserved + low, working + expected, working + spread + high, why)


def cublas_workspace(gpu: Gpu | None) -> int:
    """Bytes that the first matrix product requests from PyTorch's allocator and keeps, for each stream.

    From `parseChosenWorkspaceSize` in PyTorch's CublasHandlePool.cpp: `:4096:2:16:8`, and 32 MiB on compute capability
    9, since pull request 175344 (2026) on 10 and 12 as well; on ROCm 32 MiB, and 128 MiB on gfx94x and gfx95x.
    """
    if gpu is not None and gpu.vendor == "AMD":
        return 128 * MIB if gpu.target.startswith(("gfx94", "gfx95")) else 32 * MIB
    capability = gpu.capability if gpu is not None else None
    if capability is not None and capability[0] in (9, 10, 12):
        return 32 * MIB
    return 2 * 4096 * 1024 + 8 * 16 * 1024


def _overhead(gpu: Gpu | None, convolutions: bool | None) -> tuple[int, int, int, str]:
    high = LINEAR_A100 if convolutions is False else CONVOLUTION_A100[2]
    if gpu is not None and gpu.target == "sm_80":
        expected = LINEAR_A100 if convolutions is False else CONVOLUTION_A100[1]
        what = "linear layers" if convolutions is False else "image models"
        return SMALLEST, expected, high, f"context and libraries as measured with {what} on A100, less with newer CUDA"
    # the middle of two bounds that are a factor of seven apart is the one that is wrong by the smallest factor
    expected = math.isqrt(SMALLEST * high)
    name = gpu.name if gpu is not None else "an unknown GPU"
    return (
        SMALLEST,
        expected,
        high,
        f"context and libraries were not measured on {name}: the middle of published figures",
    )
