"""State and temporaries of optimizers, beside those of torch's own optimizers on the CPU, to the byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live_storages import peak_of

from trainlint.memory.optimizer_steps import MULTI, SINGLE
from trainlint.memory.optimizers import Weight, shared, state, temporaries

DTYPES = {2: torch.bfloat16, 4: torch.float32, 8: torch.float64}
SETTLED = 7
"""Steps before measuring: RAdam rectifies from the sixth."""

FLAG = st.booleans()
DECAY = st.sampled_from([0, 0.1])
COMMON = {"maximize": FLAG, "weight_decay": DECAY}
OPTIONS: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "SGD": {**COMMON, "momentum": st.sampled_from([0, 0.9]), "nesterov": FLAG},
    "Adam": {**COMMON, "amsgrad": FLAG, "decoupled_weight_decay": FLAG},
    "AdamW": {**COMMON, "amsgrad": FLAG},
    "Adamax": COMMON,
    "NAdam": {**COMMON, "decoupled_weight_decay": FLAG},
    "RAdam": {**COMMON, "decoupled_weight_decay": FLAG},
    "RMSprop": {**COMMON, "momentum": st.sampled_from([0, 0.9]), "centered": FLAG},
    "Adagrad": COMMON,
    "Adadelta": COMMON,
    "Rprop": {"maximize": FLAG},
    "ASGD": COMMON,
    "Adafactor": COMMON,
    "Muon": {"nesterov": FLAG, "ns_steps": st.integers(1, 3)},
}
CAPTURABLE = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adadelta", "Rprop", "ASGD")
FUSED = ("SGD", "Adam", "AdamW", "Adagrad")

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)
MATRICES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def optimizers(draw: st.DrawFn, names: list[str]) -> tuple[str, dict[str, object], list[Weight]]:
    """A name in torch.optim, options that it accepts, and weights of one or two dtypes."""
    name = draw(st.sampled_from(names))
    options = {option: draw(values) for option, values in OPTIONS[name].items()}
    if not options.get("momentum", True):
        options.pop("nesterov", None)
    sizes = [4, 8] if name == "Muon" else draw(st.sampled_from([[4], [2], [4, 8], [2, 4]]))
    weights = st.builds(Weight, MATRICES if name == "Muon" else SHAPES, st.sampled_from(sizes))
    return name, options, draw(st.lists(weights, min_size=1, max_size=6))


def made(name: str, options: dict[str, object], weights: list[Weight]) -> torch.optim.Optimizer:
    """The real optimizer over parameters with gradients."""
    parameters = [torch.nn.Parameter(torch.randn(w.shape, dtype=DTYPES[w.itemsize])) for w in weights]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    return getattr(torch.optim, name)(parameters, lr=1e-3, **options)


def parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[torch.nn.Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]


def kept(optimizer: torch.optim.Optimizer, parameter: torch.nn.Parameter, *, scalars: bool) -> list[int]:
    """Bytes of the state of a parameter; the counters `step` and `mu_product` are on the host without `scalars`."""
    found = {key: value for key, value in optimizer.state[parameter].items() if isinstance(value, torch.Tensor)}
    return sorted(
        value.untyped_storage().nbytes() for key, value in found.items() if scalars or key not in ("step", "mu_product")
    )


def bytes_or_fail(sizes: list[int] | None) -> list[int]:
    assert sizes is not None
    return sorted(sizes)


@settings(max_examples=150, deadline=None)
@given(optimizers(list(OPTIONS)))
def test_state(case: tuple[str, dict[str, object], list[Weight]]) -> None:
    name, options, weights = case
    optimizer = made(name, options, weights)
    optimizer.step()
    for weight, parameter in zip(weights, parameters_of(optimizer), strict=True):
        found = state(f"torch.optim.{name}", options, weight)
        assert bytes_or_fail(found) == kept(optimizer, parameter, scalars=name == "ASGD"), (name, options, weight)


@pytest.mark.parametrize("name", CAPTURABLE)
def test_capturable_counters_are_on_the_device(name: str) -> None:
    """On the CPU the step is refused, after the state was made."""
    optimizer = made(name, {"capturable": True}, [Weight((2, 3))])
    with pytest.raises(AssertionError, match="capturable"):
        optimizer.step()
    (parameter,) = parameters_of(optimizer)
    found = state(f"torch.optim.{name}", {"capturable": True}, Weight((2, 3)))
    assert bytes_or_fail(found) == kept(optimizer, parameter, scalars=True)


@pytest.mark.parametrize("name", FUSED)
def test_fused(name: str) -> None:
    options: dict[str, object] = {"fused": True, "weight_decay": 0.1}
    if name == "SGD":
        options |= {"momentum": 0.9, "nesterov": True}
    weights = [Weight((8, 4)), Weight((5,))]
    optimizer = made(name, options, weights)
    optimizer.step()
    for weight, parameter in zip(weights, parameters_of(optimizer), strict=True):
        found = state(f"torch.optim.{name}", options, weight)
        assert bytes_or_fail(found) == kept(optimizer, parameter, scalars=True)
    assert temporaries(f"torch.optim.{name}", options, weights) == measured(optimizer) == []


def test_sparse_adam() -> None:
    embedding = torch.nn.Embedding(5, 3, sparse=True)
    optimizer = torch.optim.SparseAdam(embedding.parameters())
    embedding(torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    found = state("torch.optim.SparseAdam", {}, Weight((5, 3)))
    assert bytes_or_fail(found) == kept(optimizer, embedding.weight, scalars=False)


@pytest.mark.parametrize("history", [2, 5])
def test_lbfgs_with_a_full_history(history: int) -> None:
    weights = [Weight((4, 3)), Weight((6,))]
    parameters = [torch.nn.Parameter(torch.randn(weight.shape)) for weight in weights]
    optimizer = torch.optim.LBFGS(parameters, lr=0.1, max_iter=4, history_size=history)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = sum((parameter**4 + parameter**2).sum() for parameter in parameters)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    (held,) = optimizer.state.values()
    tensors = [item for value in held.values() for item in (value if isinstance(value, list) else [value])]
    real = sum(tensor.untyped_storage().nbytes() for tensor in tensors if isinstance(tensor, torch.Tensor))
    options: dict[str, object] = {"history_size": history}
    own = sum(sum(bytes_or_fail(state("torch.optim.LBFGS", options, weight))) for weight in weights)
    assert own + sum(bytes_or_fail(shared("torch.optim.LBFGS", options, weights))) == real


def measured(optimizer: torch.optim.Optimizer) -> list[int]:
    """The peak of a step of the real optimizer, in bytes of each allocation."""
    states = [value for held in optimizer.state.values() for value in held.values() if isinstance(value, torch.Tensor)]
    parameters = list(parameters_of(optimizer))
    return peak_of(optimizer.step, [*parameters, *(parameter.grad for parameter in parameters), *states])


def compare_temporaries(name: str, options: dict[str, object], weights: list[Weight]) -> None:
    optimizer = made(name, options, weights)
    for _ in range(SETTLED):
        optimizer.step()
    found = temporaries(f"torch.optim.{name}", options, weights)
    assert sum(bytes_or_fail(found)) == sum(measured(optimizer)), (name, options, weights)


@settings(max_examples=200, deadline=None)
@given(optimizers(list(MULTI)))
def test_temporaries_of_the_multi_tensor_step(case: tuple[str, dict[str, object], list[Weight]]) -> None:
    name, options, weights = case
    compare_temporaries(name, {**options, "foreach": True}, weights)


@settings(max_examples=200, deadline=None)
@given(optimizers(list(SINGLE)))
def test_temporaries_of_the_loop(case: tuple[str, dict[str, object], list[Weight]]) -> None:
    name, options, weights = case
    compare_temporaries(name, options if name == "Muon" else {**options, "foreach": False}, weights)


@settings(max_examples=60, deadline=None)
@given(optimizers(list(MULTI)))
def test_the_first_step_needs_no_more(case: tuple[str, dict[str, object], list[Weight]]) -> None:
    """Beside the state that it creates, which stays."""
    name, options, weights = case
    optimizer = made(name, {**options, "foreach": True}, weights)
    parameters = list(parameters_of(optimizer))
    before = [value for held in optimizer.state.values() for value in held.values() if isinstance(value, torch.Tensor)]
    peak = peak_of(optimizer.step, [*parameters, *(parameter.grad for parameter in parameters), *before])
    states = [bytes_or_fail(state(f"torch.optim.{name}", options, weight)) for weight in weights]
    later = bytes_or_fail(temporaries(f"torch.optim.{name}", {**options, "foreach": True}, weights))
    assert sum(peak) <= sum(map(sum, states)) + sum(later)


def test_the_default_is_the_multi_tensor_step() -> None:
    weights = [Weight((10, 10)), Weight((100,))]
    adam = "torch.optim.Adam"
    assert temporaries(adam, {}, weights) == temporaries(adam, {"foreach": True}, weights) == [400, 400]
    assert temporaries(adam, {"foreach": False}, weights) == temporaries(adam, {"fused": False}, weights)
    assert temporaries(adam, {"foreach": False}, weights) == [400, 400, 400]
    adafactor = "torch.optim.Adafactor"
    assert temporaries(adafactor, {}, weights) == temporaries(adafactor, {"foreach": False}, weights)


@pytest.mark.parametrize(
    ("optimizer", "options", "shape", "expected"),
    [
        # a byte an element and a float32 maximum for each block of 256
        ("bitsandbytes.optim.Adam8bit", {}, (64, 64), [4096, 4096, 64, 64]),
        ("bitsandbytes.optim.AdamW", {"optim_bits": 8}, (64, 65), [4160, 4160, 68, 68]),
        ("bitsandbytes.optim.AdamW8bit", {}, (64, 63), [16128, 16128]),
        ("bitsandbytes.optim.AdamW8bit", {"min_8bit_size": 1 << 20}, (64, 64), [16384, 16384]),
        ("bitsandbytes.optim.Lion8bit", {}, (64, 64), [4096, 64]),
        ("bitsandbytes.optim.AdEMAMix8bit", {}, (64, 64), [8192, 4096, 128, 64]),
        ("bitsandbytes.optim.AdamW", {}, (64, 64), [16384, 16384]),
        ("bitsandbytes.optim.PagedAdamW8bit", {}, (64, 64), [4096, 4096, 64, 64]),
        ("bitsandbytes.optim.PagedAdamW8bit", {}, (1000, 1000), None),
        ("lion_pytorch.Lion", {}, (3, 5), [60]),
        ("transformers.optimization.Adafactor", {}, (3, 5), [12, 20, 4]),
        ("transformers.Adafactor", {"beta1": 0.9, "relative_step": False}, (7,), [28, 28, 4]),
        ("transformers.Adafactor", {}, (2, 3, 4), [24, 32, 4]),
        ("timm.optim.Lamb", {}, (3, 5), [60, 60]),
        ("timm.optim.adamw.AdamW", {"amsgrad": True}, (3, 5), [60, 60, 60]),
        ("timm.optim.Lars", {}, (3, 5), []),
        ("timm.optim.Lars", {"momentum": 0.9}, (3, 5), [60]),
        ("timm.optim.Adafactor", {"betas": (0.9, 0.999)}, (32, 8), [1024, 1024, 4]),
        ("timm.optim.Adafactor", {}, (32, 20), [128, 80, 4]),
        ("timm.optim.Adafactor", {}, (32, 20, 3, 3), [1152, 720, 4]),
        ("timm.optim.Adafactor", {}, (32, 8), [1024, 4]),
        ("torch_optimizer.Lamb", {}, (3, 5), [60, 60, 4, 4, 4]),
        ("torch_optimizer.AggMo", {}, (3, 5), [60, 60, 60]),
        ("apex.optimizers.FusedLAMB", {}, (3, 5), [60, 60]),
        ("schedulefree.AdamWScheduleFree", {}, (3, 5), [60, 60]),
    ],
)
def test_other_libraries(
    optimizer: str, options: dict[str, object], shape: tuple[int, ...], expected: list[int] | None
) -> None:
    found = state(optimizer, options, Weight(shape))
    assert found == expected if expected is None else bytes_or_fail(found) == sorted(expected)


def test_what_is_kept_in_float32() -> None:
    half = Weight((3, 5), 2)
    assert state("apex.optimizers.FusedAdam", {}, half) == [60, 60]
    assert state("transformers.Adafactor", {}, half) == [12, 20, 4]
    assert state("torch_optimizer.Adafactor", {}, half) == [6, 10, 2]
    assert state("torch_optimizer.RAdam", {}, half) == [60, 60]
    assert state("lion_pytorch.Lion", {}, half) == [30]


def test_quantile_maps_are_kept_once() -> None:
    big, small = Weight((64, 64)), Weight((64,))
    assert shared("bitsandbytes.optim.AdamW8bit", {}, [big, small, big]) == [1024, 1024]
    assert shared("bitsandbytes.optim.Lion8bit", {}, [big]) == [1024]
    assert shared("bitsandbytes.optim.AdamW8bit", {}, [small]) == []
    assert shared("torch.optim.AdamW", {}, [big]) == []


def test_temporaries_of_other_libraries() -> None:
    weights = [Weight((2, 3)), Weight((10,)), Weight((4,))]
    assert temporaries("lion_pytorch.Lion", {}, weights) == [40, 40]
    assert temporaries("bitsandbytes.optim.AdamW8bit", {}, weights) == []
    assert temporaries("timm.optim.AdamW", {}, weights) == [24, 40, 16]
    assert temporaries("timm.optim.Lamb", {}, weights) is None


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("mine.Optimizer", {}),
        ("torch.optim.lr_scheduler.StepLR", {}),
        ("torch.optim.Adam", {"amsgrad": object()}),
        ("torch.optim.SGD", {"momentum": object()}),
        ("bitsandbytes.optim.Adam", {"optim_bits": 4}),
        ("bitsandbytes.optim.Shampoo8bit", {}),
        ("torch.optim.Muon", {}),
        ("torch_optimizer.SWATS", {}),
        ("lion_pytorch.AdamW", {}),
    ],
)
def test_no_figure_is_made_up(optimizer: str, options: dict[str, object]) -> None:
    assert state(optimizer, options, Weight((128, 8, 8))) is None


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("mine.Optimizer", {}),
        ("torch.optim.Adam", {"weight_decay": object()}),
        ("torch.optim.Adam", {"capturable": True}),
        ("torch.optim.Adam", {"foreach": object()}),
        ("torch.optim.LBFGS", {}),
        ("torch.optim.SparseAdam", {}),
        ("torch.optim.Rprop", {"foreach": False}),
        ("lion_pytorch.Lion", {"use_triton": True}),
        ("bitsandbytes.optim.Unheard", {}),
    ],
)
def test_temporaries_that_are_not_known(optimizer: str, options: dict[str, object]) -> None:
    assert temporaries(optimizer, options, [Weight((16,))]) is None


def test_an_unknown_learning_rate_does_not_matter() -> None:
    options: dict[str, object] = {"lr": object(), "betas": object(), "weight_decay": 0.1}
    assert state("torch.optim.AdamW", options, Weight((4,))) == [16, 16]
    assert temporaries("torch.optim.AdamW", options, [Weight((4,))]) == [16]


def test_no_weights() -> None:
    assert temporaries("torch.optim.AdamW", {}, []) == []
    assert state("torch.optim.AdamW", {}, Weight(())) == [4, 4]
