"""From reserved bytes to what the device holds."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.memory.device import cublas_workspace, device_total
from trainlint.memory.gpus import MIB, everything, find

PEAKS = Path(__file__).resolve().parents[3] / "shared" / "gpu-peaks-dev.csv"
# a segment of the small pool, and one of the large pool that the workspace of cuBLAS makes
SMALL_NETWORK = 22 * MIB


@given(st.integers(0, 1 << 40), st.sampled_from([None, *everything()]), st.sampled_from([True, False, None]))
def test_the_band_is_ordered_and_moves_with_what_is_reserved(reserved: int, gpu: object, convolutions: object) -> None:
    none = device_total(0, gpu, convolutions)  # type: ignore[arg-type]
    some = device_total(reserved, gpu, convolutions)  # type: ignore[arg-type]
    assert 0 < none.low < none.expected < none.high or none.expected == none.high
    assert [some.low, some.expected] == [reserved + none.low, reserved + none.expected]
    assert some.high == reserved + none.high + (0 if convolutions is False else reserved // 10)
    assert some.why


def test_cudnn_takes_more() -> None:
    gpu = find("A100")
    linear, images = device_total(0, gpu, False), device_total(0, gpu, True)
    assert linear.expected < images.expected
    assert linear.high < images.high
    assert device_total(0, gpu, None) == images


def test_where_nothing_was_measured_it_says_so() -> None:
    gpu = find("RTX 4090")
    total = device_total(0, gpu)
    assert "RTX 4090" in total.why
    assert "not measured" in total.why
    # as far from one bound as from the other, as a factor
    assert total.expected / total.low == pytest.approx(total.high / total.expected, rel=1e-6)
    assert "A100" in device_total(0, find("A100 80GB")).why


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("RTX 3090", 8_519_680),
        ("A100", 8_519_680),
        ("T4", 8_519_680),
        ("H100", 32 * MIB),
        ("B200", 32 * MIB),
        ("RTX 5090", 32 * MIB),
        ("MI250X", 32 * MIB),
        ("MI300X", 128 * MIB),
        ("MI355X", 128 * MIB),
        ("RX 7900 XTX", 32 * MIB),
    ],
)
def test_workspace_of_cublas(name: str, size: int) -> None:
    assert cublas_workspace(find(name)) == size


def test_workspace_of_an_unknown_gpu() -> None:
    assert cublas_workspace(None) == 8_519_680


def test_a_small_network_on_a100() -> None:
    """GPUMemNet's networks of a few linear layers peak at 1451 to 1453 MiB on A100 40GB."""
    total = device_total(SMALL_NETWORK, find("A100 40GB"), convolutions=False)
    assert total.expected == 1451 * MIB


@pytest.mark.skipif(not PEAKS.exists(), reason="the published peaks lie beside the project, not in it")
def test_published_peaks() -> None:
    """All small networks meet the figure for linear layers; no published peak lies below the band for its GPU."""
    a100 = find("A100 40GB")
    with PEAKS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["gpu"] == "A100-40GB" and "SUSPECT" not in row["source"]]
    small = [row for row in rows if re.match(r"MLP ", row["model"]) and int(row["params"]) < 20_000]
    small = [row for row in small if int(row["batch"]) <= 512]
    assert len(small) > 40
    expected = device_total(SMALL_NETWORK, a100, convolutions=False).expected
    assert all(abs(int(row["peak_bytes"]) - expected) <= 2 * MIB for row in small)
    assert min(int(row["peak_bytes"]) for row in rows) >= device_total(0, a100).low
