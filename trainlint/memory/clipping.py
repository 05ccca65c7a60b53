"""What the clipping of gradients allocates: torch/nn/utils/clip_grad.py with the multi-tensor functions of CUDA."""

from __future__ import annotations

from collections.abc import Sequence

# a norm is a float32 of its own
NORM = 4
BY_NORM = frozenset({"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_norm"})
BY_VALUE = frozenset({"torch.nn.utils.clip_grad_value_"})


def temporaries(op: str, gradients: Sequence[int]) -> tuple[int, ...]:
    """Bytes of what lives together while gradients of so many bytes are clipped in place.

    By norm: the norm of each, all of them stacked, the total, the factor and the factor clamped.
    """
    if op in BY_VALUE or not gradients:
        return ()
    return (*[NORM] * len(gradients), NORM * len(gradients), NORM, NORM)
