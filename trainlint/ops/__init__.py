"""What library calls do to abstract values: one file per library family, registered on import."""

from __future__ import annotations

from trainlint.ops import (
    arrays,
    augment,
    config,
    cv2,
    data,
    layers,
    losses,
    optim,
    pil,
    python,
    tensors,
    torchvision,
    training,
)

__all__ = [
    "arrays",
    "augment",
    "config",
    "cv2",
    "data",
    "layers",
    "losses",
    "optim",
    "pil",
    "python",
    "tensors",
    "torchvision",
    "training",
]
