"""What cuDNN's convolutions ask for while they run: memory that PyTorch's allocator serves and gets back at once.

Which algorithm cuDNN runs is up to its heuristics, or to its trials with `torch.backends.cudnn.benchmark = True`, and
is not documented. Of the algorithms, the one that takes much is Winograd's in separate steps
(`CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED`): the input, the filters and the result stand in the workspace in their
transformed form. For filters of 3 x 3 in tiles of 4 x 4 that are 36 numbers for 16, so 2.25 times the input and the
result. The others take the index of an implicit matrix product (megabytes) or nothing.

Measured peaks speak for workspaces up to 7 GiB: VGG-16 at batch 128 takes one so large for its second convolution, and
with it the estimate is off by 2 %, without it by 30 %. What cuDNN does for convolutions that would ask for more nobody
published; they are counted with that much. It is never needed: where the allocator cannot serve a workspace, PyTorch
takes cuDNN's next algorithm (`try_plans` in ATen/native/cudnn/Conv_v8.cpp), which is slower.

Measured peaks say that this is what is taken: see `benchmarks/gpu_peaks.py`, where it takes the error down in families
of models that nothing was fitted on. There is no number in it to fit. What was tried and does not help: copies of the
input and the result with channels last, for all convolutions or those that are not 3 x 3; the same for grouped and for
1 x 1 convolutions; tiles of 2 x 2; filters of 5 x 5 too; a share of the size other than the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

TILE = 4
FILTER = 3
# the side of a transformed tile
SIDE = TILE + FILTER - 1
# bytes of the largest workspace that a measured peak speaks for: 64 channels into 64 of 128 images of 224 x 224
LARGEST = SIDE * SIDE * (128 * 56 * 56 * (64 + 64) + 64 * 64) * 4


def winograd(
    shape: Sequence[int],
    filters: Sequence[int],
    result: Sequence[int],
    stride: Sequence[int],
    groups: int,
    itemsize: int,
) -> int:
    """Bytes that Winograd's algorithm takes for a two-dimensional convolution; 0 for those that it is not for.

    The same for the forward and for both gradients. `shape` and `result` are (N, C, H, W), `filters` is (K, C, 3, 3).
    Only float32: half precision has tensor cores and takes other ways.
    """
    if len(shape) != 4 or len(result) != 4 or tuple(filters[2:]) != (FILTER, FILTER):
        return 0
    if groups != 1 or any(step != 1 for step in stride) or itemsize != 4:
        return 0
    count, channels = shape[:2]
    made = result[1]
    tiles = count * math.prod(-(-size // TILE) for size in result[2:])
    return min(SIDE * SIDE * (tiles * (channels + made) + channels * made) * itemsize, LARGEST)
