"""Several ranks: two real processes over gloo, and the same program under fake tensors without an exchange."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.runtime_check.conftest import Lab

DDP = """import os

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("nccl")
rank, local = dist.get_rank(), int(os.environ["LOCAL_RANK"])
torch.cuda.set_device(local)
net = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10)).to(local)
net = DDP(net, device_ids=[local])
optimizer = torch.optim.Adam(net.parameters())
data = TensorDataset(torch.randn(256, 256), torch.randint(0, 10, (256,)))
loader = DataLoader(data, batch_size=16 * (rank + 1), sampler=DistributedSampler(data))
for x, y in loader:
    x, y = x.to(local, non_blocking=True), y.to(device=local)
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    total = loss.detach().clone()
    dist.all_reduce(total)
    parts = [torch.zeros(1000, device="cuda") for _ in range(2)]
    dist.all_gather(parts, torch.ones(1000, device=torch.device(local)))
    said = [None, None]
    dist.all_gather_object(said, {"rank": rank})
    assert None not in said
    if rank == 0:
        print("rank 0 of", dist.get_world_size(), total.item())
dist.destroy_process_group()
"""
# weights and biases of both layers
PARAMETERS = 4 * (256 * 512 + 512 + 512 * 10 + 10)


def report(lab: Lab, device: str) -> dict[str, Any]:
    lab.write(DDP)
    options = ("--device", device, "--rules", "cpu", "--nproc", "2", "--output-format", "json")
    done = lab.command("train.py", *options)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif("not __import__('torch').distributed.is_available()", reason="this torch has no process groups")
def test_every_rank_reports(lab: Lab) -> None:
    told = {device: report(lab, device) for device in ("cpu", "fake")}
    for each in told.values():
        assert [(rank["rank"], rank["batch_size"]) for rank in each["ranks"]] == [(0, 16), (1, 32)]
        assert all(rank["terms"]["gradients"] == PARAMETERS for rank in each["ranks"])
        assert each["rank"] == 1
        # the buckets in which gradients travel
        assert each["peak"]["terms"]["workspace"] >= PARAMETERS
        assert sum(each["peak"]["terms"].values()) == each["peak"]["allocated"]
    for real, fake in zip(told["cpu"]["ranks"], told["fake"]["ranks"], strict=True):
        assert fake["terms"] == real["terms"]
        assert fake["peak"]["terms"] == real["peak"]["terms"]
    (lab.folder / "m.json").write_text(json.dumps(told["cpu"]), encoding="utf-8")
    assert "  rank 0: peak " in lab.command("m.json").stdout.decode()


def test_a_rank_that_fails_ends_the_others(lab: Lab) -> None:
    lab.write("import os, time\nif os.environ['RANK'] == '1':\n    raise ValueError('odd')\ntime.sleep(60)\n")
    done = lab.command("train.py", "--device", "fake", "--nproc", "2")
    assert done.returncode == 1
    assert "rank 1: the program raised ValueError" in done.stderr.decode()
