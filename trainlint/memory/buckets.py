"""`DistributedDataParallel`: the buckets in which gradients are sent, on each device one more copy of them.

torch/nn/parallel/distributed.py and torch/csrc/distributed/c10d/reducer.cpp: parameters are taken from the last to the
first, a bucket is closed when it has reached its size, 1 MiB for the first and 25 MiB (`bucket_cap_mb`) for the others;
each dtype has buckets of its own. The buckets live as long as the wrapper. What NCCL takes is not among them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from trainlint.analysis.values import Obj, assumed_truth, number
from trainlint.memory.weights import Weight

MIB = 1 << 20
FIRST = MIB
CAP = 25
WRAPPERS = frozenset(
    {
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.distributed.DistributedDataParallel",
    }
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many bytes for the gradients of these parameters; `views`: the gradients live in it and nowhere else."""

    size: int
    keys: tuple[Hashable, ...]
    views: bool


def buckets(wrapper: Obj, weights: Sequence[tuple[Hashable, Weight]]) -> list[Bucket] | None:
    """The buckets of a wrapper around trained parameters, in their order; None where an option is not known."""
    # module, device_ids, output_device, dim, broadcast_buffers, init_sync, process_group, bucket_cap_mb
    asked = wrapper.kwargs.get("bucket_cap_mb", wrapper.args[7] if len(wrapper.args) > 7 else None)
    view = wrapper.kwargs.get("gradient_as_bucket_view")
    views = False if view is None else assumed_truth(view)
    cap = CAP if asked is None else number(asked)
    if views is None or cap is None:
        return None
    result: list[Bucket] = []
    open_ones: dict[int, list[tuple[Hashable, Weight]]] = {}
    for key, weight in reversed(weights):
        held = open_ones.setdefault(weight.itemsize, [])
        held.append((key, weight))
        if sum(each.size for _, each in held) >= (cap * MIB if result else FIRST):
            result.append(closed(open_ones.pop(weight.itemsize), views))
    return result + [closed(held, views) for held in open_ones.values()]


def closed(held: Sequence[tuple[Hashable, Weight]], views: bool) -> Bucket:
    return Bucket(sum(weight.size for _, weight in held), tuple(key for key, _ in held), views)
