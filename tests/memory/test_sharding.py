"""Models and optimizers that processes share, against a record of two real processes with gloo.

`sharding.json` is written by `tools/record_sharding.py`, which runs the same programs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace
from sharded import LOOP, SHARDED, ZERO, written

from trainlint.memory.estimate import Estimate
from trainlint.memory.plan import Plan
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

RECORD = json.loads((Path(__file__).parent / "sharding.json").read_text(encoding="utf-8"))
REAL: dict[str, dict[str, int]] = RECORD["steps"]
CUBLAS = 2 * 8_519_680


class Exact:
    """Gives what is asked for: the CPU's allocator neither rounds nor keeps."""

    reserved = 0

    def __init__(self, capacity: int | None = None) -> None:
        self.sizes: dict[int, int] = {}
        self.allocated = self.peak_reserved = 0

    def allocate(self, key: int, size: int) -> int:
        self.sizes[key] = size
        self.allocated += size
        return size

    def free(self, key: int) -> None:
        self.allocated -= self.sizes.pop(key)


def estimated(code: str, processes: int | None = 2) -> Estimate:
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code))
    assert found.step is not None
    return found.step.estimate(Plan(processes=processes))


@pytest.mark.parametrize("name", [*SHARDED, *ZERO])
def test_a_real_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlint.memory.timeline.CachingAllocator", Exact)
    found = estimated(written(SHARDED[name]) if name in SHARDED else written("", ZERO[name]))
    assert (found.unknown, found.assumed) == ([], [])
    assert found.parameters == 64 * 256 + 256 + 3 * (2 * 256 + 256 * 1024 + 1024 + 1024 * 256 + 256) + 2570
    assert found.terms["parameters"] == pytest.approx(REAL[name]["parameters"], rel=0.001)
    assert found.terms["optimizer"] == pytest.approx(REAL[name]["optimizer"], rel=0.001, abs=2048)
    assert found.peak.allocated - CUBLAS == pytest.approx(REAL[name]["peak"], rel=0.005)


SPAWNED = """
import torch.multiprocessing as mp


def main(rank, world_size):
    for _ in range(100):
        step()


mp.spawn(main, args=(COUNT,), nprocs=COUNT)
"""


@pytest.mark.parametrize(
    ("loop", "asked", "told"),
    [(LOOP, None, 8), (SPAWNED.replace("COUNT", "4"), None, 4), (SPAWNED.replace("COUNT", "4"), 16, 16)],
)
def test_how_many_processes(loop: str, asked: int | None, told: int) -> None:
    """The option wins over the program; where both are silent the figures are those of eight, and it is said."""
    code = written(SHARDED["each block and the model"], loop=loop)
    found = estimated(code, asked)
    assert found.terms == estimated(code, told).terms
    assert found.peak.allocated == estimated(code, told).peak.allocated
    text = "how many processes train is not known (`--world-size`): the figures are those of 8"
    assert found.assumed == ([] if loop != LOOP else [(None, text)])
    assert found.terms["parameters"] == pytest.approx(found.parameters * 4 / told, rel=0.01)


NOT_FOLLOWED = {
    "fully_shard(net, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))": (
        "mixed precision of `fully_shard` (`mp_policy`) is not counted"
    ),
    "fully_shard(net, offload_policy=CPUOffloadPolicy())": (
        "offloading of `fully_shard` (`offload_policy`) is not counted"
    ),
    "import m\nfully_shard(m.part(net))": "which modules `fully_shard` is called for is not known",
    "net = FSDP(net, sharding_strategy=ShardingStrategy.HYBRID_SHARD)": (
        "`sharding_strategy=HYBRID_SHARD` of `FullyShardedDataParallel` is not counted"
    ),
    "import m\nnet = FSDP(net, auto_wrap_policy=m.policy)": (
        "what `auto_wrap_policy` of `FullyShardedDataParallel` wraps is not known"
    ),
}


@pytest.mark.parametrize("shard", NOT_FOLLOWED)
def test_what_is_not_followed_is_said(shard: str) -> None:
    code = written("from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy\n" + shard)
    assert (None, NOT_FOLLOWED[shard]) in estimated(code).unknown
