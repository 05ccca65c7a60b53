"""A real card: CUDA, or another one through `torch.accelerator`. What its own allocator says goes into the report."""

from __future__ import annotations

from typing import Any

import torch

REAL = ("cuda", "mps", "xpu")


def missing(device: str) -> str | None:
    """Why the run cannot use the device; None when it can."""
    if device not in REAL:
        return None
    if device == "cuda":
        available = torch.cuda.is_available()
    else:
        accelerator: Any = getattr(torch, "accelerator", None)
        current = accelerator.current_accelerator() if accelerator is not None else None
        available = current is not None and current.type == device
    return None if available else f"torch {torch.__version__} finds no {device} device on this machine"


class Statistics:
    """The peaks of the device's own allocator, where it keeps them."""

    def __init__(self, device: str) -> None:
        accelerator: Any = getattr(torch, "accelerator", None)
        keeps = accelerator is not None and hasattr(accelerator, "max_memory_allocated") and device != "mps"
        self._source: Any = torch.cuda if device == "cuda" else accelerator if keeps else None

    def restart(self) -> None:
        """The steady step begins."""
        if self._source is not None:
            self._source.reset_peak_memory_stats()

    def peaks(self) -> dict[str, int] | None:
        """Bytes allocated and reserved at most since `restart`."""
        if self._source is None:
            return None
        return {
            "allocated": int(self._source.max_memory_allocated()),
            "reserved": int(self._source.max_memory_reserved()),
        }
