"""What CUDA does otherwise than the CPU, in place of the functions that a script calls.

The product states the same rules for `trainlint measure` (`runtime_check/cuda_rules.py`). Here they stand once more,
since a truth that is taken from what it judges shows no error.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

# numbers that cuDNN keeps for each step, sample, unit, layer and direction: assumed, not measured
RESERVE = {"lstm": 6, "gru": 5}


def install(patch: pytest.MonkeyPatch) -> None:
    """Dropout with a mask of bytes, fused attention also with dropout, recurrent layers as one call."""
    plain, fused = F.dropout, F.scaled_dot_product_attention

    def dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        if not training or inplace or p <= 0.0 or p >= 1.0:
            return plain(input, p, training, inplace)
        return torch.native_dropout(input, p, True)[0]

    def attention(
        q: Any,
        k: Any,
        v: Any,
        attn_mask: Any = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: Any = None,
        **options: Any,
    ) -> Any:
        if attn_mask is not None and attn_mask.requires_grad:
            return Biased.apply(q, k, v, attn_mask, is_causal, scale)
        return fused(q, k, v, attn_mask, 0.0, is_causal, scale=scale, **options)

    patch.setattr(F, "dropout", dropout)
    patch.setattr(torch, "dropout", dropout)
    patch.setattr(F, "scaled_dot_product_attention", attention)
    for mode in RESERVE:
        patch.setattr(torch._VF, mode, recurrent(mode))


def recurrent(mode: str) -> Any:
    """`torch._VF.lstm` or `gru` with the storages of cuDNN; the numbers mean nothing."""

    def call(x: Any, state: Any, weights: Any, *more: Any):
        if isinstance(weights, torch.Tensor) or (mode == "lstm" and isinstance(state, torch.Tensor)):
            # packed: the sizes of the batches stand in the place of the state; the samples of all steps are one axis
            state, weights, (_, layers, _, _, two), first = weights, more[0], more[1:], False
        else:
            _, layers, _, _, two, first = more
        h, c = state if mode == "lstm" else (state, None)
        out, hy, cy = Recurrent.apply(mode, x, h, c, layers, 2 if two else 1, first, *weights)
        return (out, hy, cy) if mode == "lstm" else (out, hy)

    return call


class Recurrent(torch.autograd.Function):
    """Time comes first inside; a reserve is kept beside the operands and the output."""

    @staticmethod
    def forward(
        ctx: Any, mode: str, x: Any, h: Any, c: Any, layers: int, directions: int, batch_first: bool, *weights: Any
    ) -> Any:
        steps_first = x.transpose(0, 1).contiguous() if batch_first else x.contiguous()
        hidden = h.shape[-1]
        out = steps_first.new_zeros(*steps_first.shape[:-1], directions * hidden)
        reserve = steps_first.new_zeros(RESERVE[mode] * out.numel() * layers)
        last, cell = torch.zeros_like(h), torch.zeros_like(c) if c is not None else None
        ctx.save_for_backward(x, h, c, out, reserve, *weights)
        ctx.batch_first = batch_first
        return out.transpose(0, 1) if batch_first else out, last, cell

    @staticmethod
    def backward(ctx: Any, grad: Any, *_: Any) -> Any:
        x, h, c, _, _, *weights = ctx.saved_tensors
        copies = [t.transpose(0, 1).contiguous() for t in (x, grad)] if ctx.batch_first else []
        gradients = [torch.zeros_like(t) if t is not None else None for t in (x, h, c, *weights)]
        del copies
        if not ctx.needs_input_grad[1]:
            gradients[0] = None
        return (None, *gradients[:3], None, None, None, *gradients[3:])


class Biased(torch.autograd.Function):
    """Fused attention with a bias that is learned: CUDA has a kernel for it, the CPU has not."""

    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, bias: Any, causal: bool, scale: Any) -> Any:
        out = torch._C._nn.scaled_dot_product_attention(q, k, v, bias.detach(), 0.0, causal, scale=scale)
        ctx.save_for_backward(q, k, v, bias, out, q.new_zeros(q.shape[:-1]))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        q, k, v, bias, _, _ = ctx.saved_tensors
        gradients = [torch.zeros_like(each) for each in (q, k, v)]
        scores = q.new_zeros(*q.shape[:-1], k.shape[-2])
        return (*gradients, scores.sum_to_size(bias.shape), None, None)
