"""Models and optimizers that processes share, against two real processes with gloo."""

from __future__ import annotations

import pytest
import torch.distributed as dist
from memory_workspace import MemoryWorkspace
from two_processes import measured

from trainlint.memory.estimate import Estimate
from trainlint.memory.plan import Plan
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

PROGRAM = """
import functools

import torch
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, ShardingStrategy, fully_shard
from torch.distributed.fsdp.wrap import ModuleWrapPolicy, size_based_auto_wrap_policy, transformer_auto_wrap_policy
from torch.distributed.optim import ZeroRedundancyOptimizer

device = "cuda"


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.a = nn.Linear(width, 4 * width)
        self.b = nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.b(torch.relu(self.a(self.norm(x))))


class Net(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


net = Net(256, 3).to(device)
SHARD
optimizer = OPTIMIZER


def step():
    optimizer.zero_grad()
    x = torch.randn(64, 64, device=device)
    net(x).sum().backward()
    optimizer.step()


LOOP
"""
LOOP = "for _ in range(100):\n    step()"
ADAM = "torch.optim.Adam(net.parameters(), foreach=True)"
BLOCKS = "for block in net.blocks:\n    fully_shard(block)\n"
ON_CPU = ", device_id=torch.device('cpu')"
SHARDED = {
    "each block and the model": BLOCKS + "fully_shard(net)",
    "the model alone": "fully_shard(net)",
    "gathered until backward": (
        "for block in net.blocks:\n    fully_shard(block, reshard_after_forward=False)\nfully_shard(net)"
    ),
    "the root given back": BLOCKS + "fully_shard(net, reshard_after_forward=True)",
    "by class": (
        "for part in net.modules():\n    if isinstance(part, Block):\n        fully_shard(part)\nfully_shard(net)"
    ),
    "two blocks together": "fully_shard([net.blocks[0], net.blocks[1]])\nfully_shard(net)",
    "FSDP by class": "net = FSDP(net, auto_wrap_policy=ModuleWrapPolicy({Block})PLACE)",
    "FSDP by layer": (
        "policy = functools.partial(transformer_auto_wrap_policy, transformer_layer_cls={Block})\n"
        "net = FSDP(net, auto_wrap_policy=policy, use_orig_params=TruePLACE)"
    ),
    "FSDP by size": (
        "policy = functools.partial(size_based_auto_wrap_policy, min_num_params=300_000)\n"
        "net = FSDP(net, auto_wrap_policy=policyPLACE)"
    ),
    "FSDP that shards gradients": (
        "net = FSDP(net, auto_wrap_policy=ModuleWrapPolicy({Block}),\n"
        "           sharding_strategy=ShardingStrategy.SHARD_GRAD_OPPLACE)"
    ),
    "FSDP as a whole": "net = FSDP(net, PLACE)",
}
CUBLAS = 2 * 8_519_680


def written(shard: str, optimizer: str = ADAM, loop: str = LOOP) -> str:
    text = PROGRAM.replace("OPTIMIZER", optimizer).replace("SHARD\n", shard.replace("PLACE", "") + "\n")
    return text.replace("LOOP", loop).replace("(net, )", "(net)")


def on_cpu(shard: str, optimizer: str = ADAM) -> str:
    text = PROGRAM.replace("OPTIMIZER", optimizer).replace("SHARD\n", shard.replace("PLACE", ON_CPU) + "\n")
    return text.replace("LOOP", "").replace('device = "cuda"', 'device = "cpu"').replace("(net, ,", "(net,")


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


ZERO = {
    "Adam": "ZeroRedundancyOptimizer(net.parameters(), optimizer_class=torch.optim.Adam, lr=0.1, foreach=True)",
    "SGD": "ZeroRedundancyOptimizer(net.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9, foreach=True)",
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    if not dist.is_gloo_available():
        pytest.skip("this build of torch has no gloo")
    scripts = {name: on_cpu(shard) for name, shard in SHARDED.items()}
    scripts |= {name: on_cpu("", optimizer) for name, optimizer in ZERO.items()}
    return measured(scripts, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("name", [*SHARDED, *ZERO])
def test_a_real_step(name: str, real: dict[str, dict[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlint.memory.timeline.CachingAllocator", Exact)
    found = estimated(written(SHARDED[name]) if name in SHARDED else written("", ZERO[name]))
    assert (found.unknown, found.assumed) == ([], [])
    assert found.parameters == 64 * 256 + 256 + 3 * (2 * 256 + 256 * 1024 + 1024 + 1024 * 256 + 256) + 2570
    assert found.terms["parameters"] == pytest.approx(real[name]["parameters"], rel=0.001)
    assert found.terms["optimizer"] == pytest.approx(real[name]["optimizer"], rel=0.001, abs=2048)
    assert found.peak.allocated - CUBLAS == pytest.approx(real[name]["peak"], rel=0.005)


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
