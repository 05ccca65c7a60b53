"""`DistributedDataParallel` with one process against real steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch.distributed as dist
from test_estimate import HEAD, LOOP, OPTIMIZERS, estimated, measured

MODEL = """
net = nn.Sequential(nn.Flatten(), nn.Linear(768, 400), nn.ReLU(), nn.Linear(400, 1000), nn.ReLU(), nn.Linear(1000, 10))
"""


@pytest.fixture(scope="module", autouse=True)
def group() -> Iterator[None]:
    if not dist.is_gloo_available():
        pytest.skip("this build of torch has no gloo")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("options", ["", ", gradient_as_bucket_view=True", ", bucket_cap_mb=1", ", device_ids=None"])
def test_a_real_step(options: str) -> None:
    code = HEAD + MODEL + f"net = nn.parallel.DistributedDataParallel(net{options})\n" + OPTIMIZERS["momentum"] + LOOP
    alive, peak = measured(code)
    estimate = estimated(code)
    assert estimate.unknown == []
    cublas = 2 * 8_519_680
    assert estimate.terms["workspace"] - cublas == estimate.terms["parameters"] == estimate.terms["gradients"]
    parts = ("parameters", "buffers", "optimizer", "batch", "activations", "workspace")
    assert sum(estimate.terms[name] for name in parts) - cublas == pytest.approx(alive, abs=2048)
    assert estimate.peak.allocated - cublas == pytest.approx(peak, rel=0.02)


def test_what_is_not_known_is_said() -> None:
    wrapped = "import m\nnet = nn.parallel.DistributedDataParallel(net, bucket_cap_mb=m.cap)\n"
    estimate = estimated(HEAD + MODEL + wrapped + OPTIMIZERS["sgd"] + LOOP)
    assert [what for _, what in estimate.unknown] == ["the buckets of `DistributedDataParallel` are not known"]
