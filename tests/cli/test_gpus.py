"""`trainlint gpus`."""

from __future__ import annotations

import re

import pytest

from trainlint.memory.gpus import everything

from .conftest import Shell


def test_the_table_is_aligned(shell: Shell) -> None:
    ran = shell.run("gpus")
    assert ran.code == 0
    assert ran.err == ""
    header, *rows = ran.out.split("\n\n")[0].splitlines()
    assert len(rows) == len(everything())
    assert header.split() == ["GPU", "memory", "usable", "architecture", "instances"]
    starts = {title: header.index(title) for title in ("architecture", "instances")}
    memory_ends, usable_ends = header.index("memory") + len("memory"), header.index("usable") + len("usable")
    for gpu, row in zip(everything(), rows, strict=True):
        assert row == row.rstrip()
        assert row.startswith(f"{gpu.name} ")
        assert row[:memory_ends].endswith(f"{gpu.gigabytes} GB")
        assert row[:usable_ends].endswith("GiB")
        assert row[starts["architecture"] :].startswith(f"{gpu.architecture} ({gpu.target})")
        assert not gpu.instances or row[starts["instances"] :].startswith(gpu.instances[0].provider)


def test_a_filter(shell: Shell) -> None:
    rows = shell.run("gpus", "aws l4").out.split("\n\n")[0].splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["L4", "L40S"]
    assert "AWS g6 ×1/4/8 · AWS gr6 · GCP g2-standard ×1/2/4/8" in rows[0]
    assert [row.split("  ")[0] for row in shell.run("gpus", "NVIDIA A100-SXM4-80GB").out.splitlines()[1:2]] == [
        "A100 80GB"
    ]


def test_an_estimate_is_marked(shell: Shell) -> None:
    out = shell.run("gpus", "RTX 3090").out
    assert re.search(r"^RTX 3090 +24 GB +23\.6 GiB ", out, re.M)
    assert re.search(r"^RTX 3090 Ti +24 GB +~23\.5 GiB ", out, re.M)
    assert "~ is an estimate" in out


def test_json(shell: Shell) -> None:
    gpus = shell.run("gpus", "--output-format", "json").json["gpus"]
    assert len(gpus) == len(everything())
    (a10g,) = [gpu for gpu in gpus if gpu["name"] == "A10G"]
    assert a10g["memory_gb"] == 24
    assert a10g["compute_capability"] == "8.6"
    assert a10g["usable_basis"] == "nvidia-smi"
    assert {"provider": "AWS", "name": "g5.48xlarge", "gpus": 8} in a10g["instances"]
    (mi300x,) = [gpu for gpu in gpus if gpu["name"] == "MI300X"]
    assert mi300x["compute_capability"] is None
    assert mi300x["target"] == "gfx942"


@pytest.mark.parametrize(
    ("text", "hint"), [("GTX 3090", "did you mean RTX 3090"), ("voodoo", "`trainlint gpus` lists them")]
)
def test_an_unknown_name(shell: Shell, text: str, hint: str) -> None:
    ran = shell.run("gpus", text)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"trainlint: no GPU matches '{text}'")
    assert hint in ran.err
    assert ran.err.count("\n") == 1


def test_a_terminal_without_the_characters(shell: Shell) -> None:
    ran = shell.run("gpus", "g6", PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert "AWS g6 ?1/4/8" in ran.out
