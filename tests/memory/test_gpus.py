"""The table of GPUs: every name that a person may type, memory, instances."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.memory.gpus import GIB, MIB, everything, find, largest, matching, nearest, parse_memory


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("3090", "RTX 3090"),
        ("rtx3090", "RTX 3090"),
        ("RTX-3090", "RTX 3090"),
        ("3090 24GB", "RTX 3090"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("nvidia_rtx_3090", "RTX 3090"),
        ("nvidiartx3090", "RTX 3090"),
        ("2x 3090", "RTX 3090"),
        ("RTX 3090 x2", "RTX 3090"),
        ("3090ti", "RTX 3090 Ti"),
        ("1080 Ti", "GTX 1080 Ti"),
        ("4060ti", "RTX 4060 Ti"),
        ("RTX 4060 Ti (16GB)", "RTX 4060 Ti 16GB"),
        ("4060 ti 16g", "RTX 4060 Ti 16GB"),
        ("4060 Ti 8GB", "RTX 4060 Ti"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090 Laptop"),
        ("NVIDIA GeForce RTX 2070 with Max-Q Design", "RTX 2070"),
        ("A100", "A100 40GB"),
        ("a100-80gb", "A100 80GB"),
        ("A100_80G", "A100 80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB"),
        ("8xA100", "A100 40GB"),
        ("A10", "A10"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("V100 32GB", "V100 32GB"),
        ("Tesla V100S-PCIE-32GB", "V100 32GB"),
        ("Tesla P100-PCIE-16GB", "P100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("H100 PCIe", "H100"),
        ("NVIDIA H100 NVL", "H100 NVL"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("NVIDIA B300 SXM6 AC", "B300"),
        ("A6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("Quadro RTX 6000", "Quadro RTX 6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000"),
        ("AMD Instinct MI300X OAM", "MI300X"),
        ("mi250x", "MI250X"),
        ("AMD Radeon RX 7900 XTX", "RX 7900 XTX"),
        ("7900xt", "RX 7900 XT"),
        ("g5.xlarge", "A10G"),
        ("g5", "A10G"),
        ("ml.p4d.24xlarge", "A100 40GB"),
        ("a2-ultragpu-1g", "A100 80GB"),
        ("Standard_NC24ads_A100_v4", "A100 80GB"),
        ("ND96isr_H200_v5", "H200"),
        ("kaggle-p100", "P100"),
    ],
)
def test_a_name_that_a_person_types(text: str, name: str) -> None:
    gpu = find(text)
    assert gpu is not None
    assert gpu.name == name


@pytest.mark.parametrize("text", ["", "  ", "gpu", "cuda", "RTX", "RTX 6000", "n1", "3095", "M2 Max", "24GB", "nvidia"])
def test_what_is_no_single_gpu(text: str) -> None:
    assert find(text) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("GTX 3090", {"RTX 3090"}),
        ("RTX 6000", {"Quadro RTX 6000", "RTX 6000 Ada"}),
        ("rtx 4090 super", {"RTX 4090"}),
        ("h100 sxm 96", {"H100"}),
        ("7900", {"RX 7900 XT"}),
    ],
)
def test_the_nearest_names(text: str, names: set[str]) -> None:
    assert names <= set(nearest(text))
    assert len(nearest(text)) <= 3


def test_nothing_is_near_to_nonsense() -> None:
    assert nearest("") == []
    assert nearest("quantum computer") == []


@given(st.text(max_size=20))
def test_any_text_gets_an_answer(text: str) -> None:
    found = find(text)
    assert found is None or found in everything()
    assert all(find(name) is not None for name in nearest(text))


def test_names_are_unique_and_found() -> None:
    gpus = everything()
    assert [name for name, count in Counter(gpu.name for gpu in gpus).items() if count > 1] == []
    for gpu in gpus:
        assert find(gpu.name) is gpu
        assert find(f"{gpu.vendor} {gpu.name}") is gpu
        assert find(gpu.name.replace(" ", "").lower()) is gpu


def test_the_size_in_a_name_is_the_size() -> None:
    for gpu in everything():
        size = re.search(r"(\d+)GB$", gpu.name)
        assert size is None or int(size[1]) == gpu.gigabytes


def test_usable_memory_is_a_little_less_than_what_is_sold() -> None:
    for gpu in everything():
        share = gpu.usable / (gpu.gigabytes * GIB)
        assert 0.88 < share <= 1.0, f"{gpu.name}: {share:.3f}"
        if gpu.basis == "reported" and 8 <= gpu.gigabytes < 180 and gpu.name not in ("K80", "T4"):
            assert share > 0.94, f"{gpu.name}: {share:.3f}"


@pytest.mark.parametrize(
    ("name", "mebibytes"),
    [("RTX 3090", 24124), ("A100 40GB", 40338), ("T4", 15095), ("H200", 143068), ("MI300X", 196285)],
)
def test_what_pytorch_reported(name: str, mebibytes: int) -> None:
    gpu = find(name)
    assert gpu is not None
    assert gpu.basis == "reported"
    assert gpu.usable == mebibytes * MIB


def test_what_was_not_reported_is_estimated_within_the_band_of_the_cards_that_were() -> None:
    """The rule for cards without a report, on the consumer cards with one and a driver of 2024 or later."""
    seen = {"RTX 3060": 12288, "RTX 3090": 24576, "RTX 4080 Super": 16376, "RTX 4090": 24564, "RTX 5090": 32607}
    for name, total in seen.items():
        gpu = find(name)
        assert gpu is not None
        assert abs(gpu.usable // MIB - (total - 330 - total // 200)) <= 70, name


def test_targets_and_capabilities() -> None:
    for gpu in everything():
        if gpu.vendor == "NVIDIA":
            capability = gpu.capability
            assert capability is not None
            assert (3, 7) <= capability <= (12, 0)
            assert gpu.target == f"sm_{capability[0]}{capability[1]}"
        else:
            assert gpu.vendor == "AMD"
            assert gpu.target.startswith("gfx")
            assert gpu.capability is None
    # one target is one architecture
    pairs = {(gpu.target, gpu.architecture) for gpu in everything()}
    assert len(pairs) == len({target for target, _ in pairs})


def test_every_instance_leads_to_its_gpu() -> None:
    gpus = everything()
    families = [instance for gpu in gpus for instance in gpu.instances]
    assert len(families) > 50
    for gpu in gpus:
        for instance in gpu.instances:
            for size, count in instance.sizes:
                assert 1 <= count <= 16
                assert find(size) is gpu, size


@pytest.mark.parametrize(("size", "name", "count"), [("p5.48xlarge", "H100", 8), ("g6e.12xlarge", "L40S", 4)])
def test_gpus_of_an_instance(size: str, name: str, count: int) -> None:
    gpu = find(size)
    assert gpu is not None
    assert gpu.name == name
    assert dict(pair for instance in gpu.instances for pair in instance.sizes)[size] == count


def test_every_row_of_the_data_is_used() -> None:
    """An instance with a misspelled GPU would be silently lost."""
    from trainlint.memory.gpus import _data

    data = _data()
    names = {entry["name"] for entry in data["gpus"]}
    assert {instance["gpu"] for instance in data["instances"]} <= names
    assert {instance["provider"] for instance in data["instances"]} <= set(data["sources"])
    assert {"gb", "smi", "reported", "target"} <= set(data["sources"])


def test_filter() -> None:
    assert {gpu.name for gpu in matching("aws hopper")} == {"H100", "H200"}
    assert {gpu.name for gpu in matching("kaggle")} == {"T4", "P100"}
    assert {gpu.name for gpu in matching("sm_100")} == {"B100", "B200", "GB200"}
    assert matching("voodoo") == []


def test_the_largest() -> None:
    assert largest().usable == max(gpu.usable for gpu in everything())
    assert largest().gigabytes == 288


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GiB", 24 * GIB),
        ("24 GiB", 24 * GIB),
        ("24gib", 24 * GIB),
        ("24GB", 24 * 10**9),
        ("24G", 24 * 10**9),
        ("24576MiB", 24 * GIB),
        ("1.5 TiB", 3 * 2**39),
        ("512", 512),
    ],
)
def test_a_size(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "24 apples", "-1GB", "0GB", "24GiB24", "1e9", "٣GB x"])
def test_what_is_no_size_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"24GiB .* 24GB .* 24576MiB"):
        parse_memory(text)
