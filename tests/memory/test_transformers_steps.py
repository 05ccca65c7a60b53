"""Estimates of transformers' models, followed by their shipped sources, against recorded steps.

`transformers_steps.json` is written by `tools/record_steps.py` from transformers 5.24 and torch 2.13.
"""

from __future__ import annotations

import statistics
from typing import Any

import pytest
import recorded

from trainlint.memory.estimate import Estimate

STEPS = recorded.steps("transformers")
# every kind of model once with each optimizer, the others with one
CHOSEN = [
    row
    for row in STEPS
    if row["optimizer"] == "SGD"
    or row["model"] in ("BertForMaskedLM", "GPT2LMHeadModel", "LlamaForCausalLM", "T5ForConditionalGeneration")
]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[dict[str, Any], Estimate]]:
    return [(row, recorded.estimated("transformers", row)) for row in CHOSEN]


def test_everything_inside_is_followed(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    assert [(row["model"], found.unknown) for row, found in pairs if not found.complete] == []


def test_parameters_gradients_state_and_batch_are_exact(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    for row, found in pairs:
        terms = [found.terms[name] for name in ("parameters", "gradients", "optimizer", "batch")]
        assert terms == [row[name] for name in ("parameters", "gradients", "state", "moved")], row["model"]


def test_activations_and_the_peak_are_those_of_the_step(pairs: list[tuple[dict[str, Any], Estimate]]) -> None:
    activations, peaks = recorded.deviations(pairs)
    assert statistics.median(activations) <= 0.001
    assert statistics.median(peaks) <= 0.001
    assert activations[-1] <= 0.02
    assert peaks[-1] <= 0.05
