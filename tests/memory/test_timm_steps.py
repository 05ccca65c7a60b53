"""Estimates of timm's models against recorded steps, and their parameters against the table.

`timm_steps.json` is written by `tools/record_steps.py` from timm 1.0.31 and torch 2.13.
"""

from __future__ import annotations

import statistics
from typing import Any

import pytest
import recorded

from trainlint.memory.estimate import Estimate
from trainlint.ops.timm_models import NAMES
from trainlint.ops.zoo_tables import entry

STEPS = recorded.steps("timm")
LIGHT = ("resnet34", "resnet101", "resnext50_32x4d")
BY_SIZE = ["vit_large_patch16_224", "vit_small_patch16_384", "deit_tiny_patch16_224", "swin_base_patch4_window12_384"]


def of(model: str, **changes: Any) -> Estimate:
    row = {"model": model, "options": "", "optimizer": "SGD", "batch": 2, **changes}
    return recorded.estimated("timm", row)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[dict[str, Any], Estimate]]:
    chosen = [row for row in STEPS if row["optimizer"] == "SGD" and row["model"] not in LIGHT]
    return [(row, recorded.estimated("timm", row)) for row in chosen]


def test_parameters_gradients_state_and_batch_are_exact(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    for row, found in pairs:
        assert found.complete, (row["model"], found.unknown)
        terms = [found.terms[name] for name in ("parameters", "gradients", "optimizer", "batch")]
        assert terms == [row[name] for name in ("parameters", "gradients", "state", "moved")], row["model"]


def test_activations_and_the_peak_are_near(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    activations, peaks = recorded.deviations(pairs)
    assert statistics.median(activations) <= 0.001
    assert activations[-1] <= 0.06
    assert statistics.median(peaks) <= 0.01
    assert peaks[-1] <= 0.05


@pytest.mark.parametrize("name", [*sorted(NAMES)[::4], *BY_SIZE])
def test_a_model_has_the_parameters_that_the_library_says(name: str) -> None:
    known = entry("timm", name)
    assert known is not None
    found = of(name, size=known["size"][0])
    assert (found.complete, found.parameters) == (True, known["parameters"])


def test_options_that_change_the_model() -> None:
    plain, deep = of("vit_tiny_patch16_224"), of("vit_tiny_patch16_224", options=", drop_path_rate=0.1")
    assert deep.complete
    assert deep.parameters == plain.parameters
    assert deep.terms["activations"] > plain.terms["activations"]


def test_an_option_that_is_not_followed_is_said() -> None:
    found = of("resnet18", options=", output_stride=8")
    assert not found.complete
