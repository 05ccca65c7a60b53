"""Programs whose models or optimizers are shared by processes: as they are written, and as they run on the CPU."""

from __future__ import annotations

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
ZERO = {
    "Adam": "ZeroRedundancyOptimizer(net.parameters(), optimizer_class=torch.optim.Adam, lr=0.1, foreach=True)",
    "SGD": "ZeroRedundancyOptimizer(net.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9, foreach=True)",
}


def written(shard: str, optimizer: str = ADAM, loop: str = LOOP) -> str:
    text = PROGRAM.replace("OPTIMIZER", optimizer).replace("SHARD\n", shard.replace("PLACE", "") + "\n")
    return text.replace("LOOP", loop).replace("(net, )", "(net)")


def on_cpu(shard: str, optimizer: str = ADAM) -> str:
    text = PROGRAM.replace("OPTIMIZER", optimizer).replace("SHARD\n", shard.replace("PLACE", ON_CPU) + "\n")
    return text.replace("LOOP", "").replace('device = "cuda"', 'device = "cpu"').replace("(net, ,", "(net,")


def programs() -> dict[str, str]:
    """The programs by name, for real processes."""
    found = {name: on_cpu(shard) for name, shard in SHARDED.items()}
    return found | {name: on_cpu("", optimizer) for name, optimizer in ZERO.items()}
