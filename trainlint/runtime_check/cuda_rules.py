"""Where CUDA keeps or takes other memory than the CPU for the same call.

- Dropout keeps a mask of one byte an element (`native_dropout`), the CPU one as wide as the input.
- `scaled_dot_product_attention` uses a fused kernel with dropout too; the CPU's falls back to plain arithmetic.
- LSTM and GRU are one cuDNN call with a reserve space. Its size is not documented: `RESERVE` is an assumption, and the
  report says so.
- Optimizers work on all parameters at once (`foreach`) unless told otherwise.
- Autocast keeps norms, softmax, sums, powers and losses in float32 (docs, "CUDA Ops that can autocast to float32").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from .pretend import Pretend

# floats kept per step, sample, hidden unit, layer and direction
RESERVE = {"lstm": 6, "gru": 5}


def use_cuda_rules(pretend: Pretend, assumed: Callable[[str], None]) -> None:
    """Patch torch. `assumed` is told of what the figures rest on without proof."""
    _dropout_and_attention()
    _recurrent(assumed)
    _foreach()
    _cross_entropy()
    pretend.adapt = _autocast


def _dropout_and_attention() -> None:
    plain_dropout, plain_attention = F.dropout, F.scaled_dot_product_attention

    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        if not training or inplace or p <= 0.0 or p >= 1.0:
            return plain_dropout(input, p, training, inplace)
        return torch.native_dropout(input, p, True)[0]

    def attention(
        query: Any,
        key: Any,
        value: Any,
        attn_mask: Any = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **k: Any,
    ) -> Any:
        if attn_mask is not None and attn_mask.requires_grad and not k.get("enable_gqa"):
            return _BiasedAttention.apply(query, key, value, attn_mask, is_causal, k.get("scale"))
        return plain_attention(query, key, value, attn_mask, 0.0, is_causal, **k)

    functional: Any = F
    functional.dropout = torch.dropout = dropout
    functional.scaled_dot_product_attention = attention


class _BiasedAttention(torch.autograd.Function):
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


class _CudnnRnn(torch.autograd.Function):
    """One call of cuDNN: it keeps input, output, weights and the reserve space. The numbers in it are not computed."""

    @staticmethod
    def forward(
        ctx: Any, mode: str, x: Any, hx: Any, cx: Any, layers: int, directions: int, batch_first: bool, *weights: Any
    ) -> Any:
        by_time = x.transpose(0, 1).contiguous() if batch_first else x.contiguous()
        steps, batch = by_time.shape[:2]
        hidden = hx.shape[-1]
        out = by_time.new_zeros(steps, batch, directions * hidden)
        hy, cy = torch.zeros_like(hx), torch.zeros_like(cx) if cx is not None else None
        reserve = by_time.new_empty(RESERVE[mode] * steps * batch * hidden * layers * directions)
        ctx.save_for_backward(x, hx, cx, out, reserve, *weights)
        ctx.batch_first = batch_first
        return out.transpose(0, 1) if batch_first else out, hy, cy

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, hx, cx, _, _, *weights = ctx.saved_tensors
        if ctx.batch_first:
            # cuDNN wants time first: both are copied for the call
            copies = x.transpose(0, 1).contiguous(), gradients[0].transpose(0, 1).contiguous()
        gx = torch.zeros_like(x) if ctx.needs_input_grad[1] else None
        ghx = torch.zeros_like(hx)
        gcx = torch.zeros_like(cx) if cx is not None else None
        result = (None, gx, ghx, gcx, None, None, None, *[torch.zeros_like(each) for each in weights])
        if ctx.batch_first:
            del copies
        return result


def _recurrent(assumed: Callable[[str], None]) -> None:
    plain = {"lstm": torch._VF.lstm, "gru": torch._VF.gru}

    def of(mode: str) -> Callable[..., Any]:
        def call(x: Any, hx: Any, weights: Any, *rest: Any) -> Any:
            if isinstance(rest[0], (list, tuple)) or len(weights) == 0 or isinstance(weights, torch.Tensor):
                assumed("a recurrent layer over packed sequences is counted as the CPU computes it")
                return plain[mode](x, hx, weights, *rest)
            _, layers, _, _, both_ways, batch_first = rest
            assumed(
                f"cuDNN's reserve space for {mode.upper()} is assumed: {RESERVE[mode]} numbers a step, sample and unit"
            )
            h, c = hx if mode == "lstm" else (hx, None)
            out, hy, cy = _CudnnRnn.apply(mode, x, h, c, layers, 2 if both_ways else 1, batch_first, *weights)
            return (out, hy, cy) if mode == "lstm" else (out, hy)

        return call

    torch._VF.lstm, torch._VF.gru = of("lstm"), of("gru")


def _foreach() -> None:
    Optimizer: Any = torch.optim.Optimizer
    plain = Optimizer.__init__

    def init(self: Any, params: Any, defaults: Any) -> None:
        if "foreach" in defaults and defaults["foreach"] is None and not defaults.get("fused"):
            defaults = dict(defaults, foreach=True)
        plain(self, params, defaults)

    Optimizer.__init__ = init


def _cross_entropy() -> None:
    """Under CUDA's autocast the logarithms stay in half precision, the loss of them does not.

    `cross_entropy_loss` asks for the type of its input (ATen/native/LossNLL.cpp) and is itself in no list.
    """
    plain = F.cross_entropy

    def cross_entropy(input: Any, target: Any, weight: Any = None, *rest: Any, **named: Any) -> Any:
        half = isinstance(input, torch.Tensor) and input.dtype in (torch.float16, torch.bfloat16)
        spread = named.get("label_smoothing", 0.0) or len(rest) > 4 or target.is_floating_point()
        if not half or spread or not torch.is_autocast_enabled("cpu"):
            return plain(input, target, weight, *rest, **named)
        with torch.autocast("cpu", enabled=False):
            logarithms = torch.log_softmax(input, 0 if input.dim() == 1 else 1, dtype=input.dtype)
            return F.nll_loss(
                logarithms.float(), target, weight, *rest, **{k: v for k, v in named.items() if k != "label_smoothing"}
            )

    F.cross_entropy = cross_entropy


_T: Any = torch.Tensor
_FLOAT32 = frozenset(
    {
        *(F.layer_norm, F.group_norm, F.softmax, F.log_softmax, F.normalize, F.cross_entropy, F.nll_loss, F.mse_loss),
        *(F.l1_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits, F.cosine_similarity, F.kl_div, F.softplus),
        *(torch.softmax, torch.log_softmax, torch.sum, torch.exp, torch.pow, torch.log, torch.rsqrt, _T.softmax),
        *(_T.log_softmax, _T.sum, _T.exp, _T.pow, _T.__pow__, _T.log, _T.rsqrt, _T.norm),
    }
)


def _autocast(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    if func not in _FLOAT32 or not torch.is_autocast_enabled("cpu"):
        return args, kwargs
    return tuple(map(_as_float32, args)), {name: _as_float32(value) for name, value in kwargs.items()}


def _as_float32(value: Any) -> Any:
    half = isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value
