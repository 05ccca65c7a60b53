"""Estimates of torchvision's models against recorded steps.

`torchvision_steps.json` is written by `tools/record_steps.py` from torchvision 0.28 and torch 2.13.
"""

from __future__ import annotations

import statistics
from typing import Any

import pytest
import recorded

from trainlint.memory.estimate import Estimate

STEPS = recorded.steps("torchvision")
CHOSEN = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v2",
    "regnet_y_400mf",
    "resnet50",
    "vgg16_bn",
    "vit_b_16",
)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[dict[str, Any], Estimate]]:
    return [(row, recorded.estimated("torchvision", row)) for row in STEPS if row["model"] in CHOSEN]


def test_parameters_gradients_state_and_batch_are_exact(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    for row, found in pairs:
        assert found.complete, (row["model"], found.unknown)
        terms = [found.terms[name] for name in ("parameters", "gradients", "optimizer", "batch")]
        assert terms == [row[name] for name in ("parameters", "gradients", "state", "moved")], row["model"]


def test_the_peak_is_near(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    _, peaks = recorded.deviations(pairs)
    assert statistics.median(peaks) <= 0.02
    assert peaks[int(0.9 * (len(peaks) - 1))] <= 0.06
