"""Which operations autocast runs in half precision, in single precision, or in the widest dtype of their operands.

The lists are those of CUDA in torch 2.13 (`aten/src/ATen/autocast_mode.h`), under the short names of `saved.names`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

# `lower`: operands are cast to the dtype of the context. `single`: to float32. `accumulate`: computed from the operands
# as they are, with a float32 result, unless a dtype is asked for. `promote`: all to the widest of theirs
Policy: TypeAlias = Literal["lower", "single", "accumulate", "promote"]

LOWER = """
    conv conv_transpose conv_tbc prelu addmm addmv addr matmul einsum mm mv vecdot linear addbmm baddbmm bmm
    chain_matmul multi_dot lstm_cell gru_cell rnn_cell sdpa
    lstm gru rnn multihead_attention
"""
SINGLE = """
    acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow square softplus layer_norm
    rms_norm group_norm cosine_similarity poisson_nll_loss cosine_embedding_loss nll_loss hinge_embedding_loss kl_div
    l1_loss smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss
    triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits dist pdist cdist renorm logsumexp interpolate
"""
ACCUMULATE = "normalize prod softmax softmin log_softmax cumprod cumsum norm matrix_norm sum pairwise_distance"
PROMOTE = "addcdiv addcmul atan2 bilinear cross dot vdot grid_sample index_put tensordot scatter_add"

POLICIES: dict[str, Policy] = {
    **dict.fromkeys(LOWER.split(), "lower"),
    **dict.fromkeys(SINGLE.split(), "single"),
    **dict.fromkeys(ACCUMULATE.split(), "accumulate"),
    **dict.fromkeys(PROMOTE.split(), "promote"),
}
# those that have no kernel for bfloat16 operands and a float32 result: the operand is copied first
# (aten/src/ATen/native/SoftMax.cpp; float16 has one)
COPIED_BFLOAT16 = frozenset({"softmax", "softmin", "log_softmax", "cumsum", "cumprod"})
