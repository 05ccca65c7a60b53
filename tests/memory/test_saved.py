"""What layers and element-by-element functions keep for backward, against torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from saved_agreement import agree, rand
from torch import nn

from trainlint.memory.saved import Effect, Tensor, effect

IMAGE = (4, 16, 12, 10)
GRADS = [(True, True), (True, False), (False, True), (False, False)]


def image(grad: bool = True) -> torch.Tensor:
    return rand(*IMAGE, grad=grad)


def written() -> torch.Tensor:
    """A tensor in the middle of a graph, which may be written over."""
    return image() * 1


ACTIVATIONS = """relu sigmoid tanh relu6 hardtanh leaky_relu elu selu celu gelu silu mish softplus softsign hardswish
hardsigmoid hardshrink softshrink tanhshrink"""
IN_PLACE = "relu relu6 hardtanh leaky_relu elu selu celu silu mish hardswish hardsigmoid"
LAYERS = """ReLU Sigmoid Tanh ReLU6 Hardtanh LeakyReLU ELU SELU CELU GELU SiLU Mish Softplus Softsign Hardswish
Softmax2d Hardsigmoid Hardshrink Softshrink Tanhshrink Identity"""
FUNCTIONS = """exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal abs neg sin cos tan asin acos atan sinh
cosh erf erfc erfinv floor ceil round trunc frac sign lgamma digamma logit nan_to_num positive isnan clone"""
WRITTEN = "exp sqrt sigmoid neg log abs relu tanh rsqrt reciprocal square sin floor"


@pytest.mark.parametrize("name", ACTIVATIONS.split())
@pytest.mark.parametrize("grad", [True, False])
def test_activations(name: str, grad: bool) -> None:
    agree(f"torch.nn.functional.{name}", getattr(F, name), [image(grad)])


@pytest.mark.parametrize("name", LAYERS.split())
def test_activation_layers(name: str) -> None:
    agree(f"torch.nn.{name}", getattr(nn, name)(), [image()])


@pytest.mark.parametrize("name", IN_PLACE.split())
@pytest.mark.parametrize("grad", [True, False])
def test_activations_in_place(name: str, grad: bool) -> None:
    operand = written() if grad else image(False)
    agree(f"torch.nn.functional.{name}", lambda x: getattr(F, name)(x, inplace=True), [operand], {"inplace": True})


@pytest.mark.parametrize("name", FUNCTIONS.split())
@pytest.mark.parametrize("spelling", ["torch", "Tensor"])
def test_functions_of_one_tensor(name: str, spelling: str) -> None:
    agree(f"{spelling}.{name}", getattr(torch, name), [image()])


@pytest.mark.parametrize(
    "name",
    ["exp", "sqrt", "sigmoid", "neg", "log", "abs", "relu", "tanh", "rsqrt", "reciprocal", "square", "sin", "floor"],
)
def test_functions_in_place(name: str) -> None:
    agree(f"Tensor.{name}_", lambda x: getattr(x, f"{name}_")(), [written()])


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax(name: str) -> None:
    agree(f"torch.nn.functional.{name}", lambda x: getattr(F, name)(x, 1), [image()], {"dim": 1})


def test_other_activations() -> None:
    agree("torch.nn.functional.glu", lambda x: F.glu(x, 1), [image()])
    agree("torch.nn.functional.threshold", lambda x: F.threshold(x, 0.1, 0.0), [image()])
    # the CPU keeps exp(-|x|), CUDA computes it again
    agree("torch.nn.functional.logsigmoid", F.logsigmoid, [image()], ignore=image().nbytes)
    agree("torch.nn.functional.gumbel_softmax", F.gumbel_softmax, [image()])
    agree("torch.nn.functional.gumbel_softmax", lambda x: F.gumbel_softmax(x, hard=True), [image()], {"hard": True})
    agree("torch.nn.functional.rrelu", lambda x: F.rrelu(x, training=True), [image()])


@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize(("gx", "gw"), GRADS)
def test_prelu(channels: int, gx: bool, gw: bool) -> None:
    agree("torch.nn.functional.prelu", F.prelu, [image(gx), rand(channels, grad=gw)])


@pytest.mark.parametrize("bounds", [{"min": 0.0}, {"max": 0.5}, {"min": 0.2, "max": 0.5}])
def test_clamp(bounds: dict[str, float]) -> None:
    agree("torch.clamp", lambda x: x.clamp(**bounds), [image()], bounds)
    agree("Tensor.clamp_", lambda x: x.clamp_(**bounds), [written()], bounds)


TRAINED_DROPOUT = [("dropout1d", (4, 16, 20)), ("dropout2d", IMAGE), ("dropout3d", (2, 4, 5, 6, 7))]


@pytest.mark.parametrize(("name", "shape"), [*TRAINED_DROPOUT, ("feature_alpha_dropout", IMAGE)])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_of_channels(name: str, shape: tuple[int, ...], training: bool) -> None:
    agree(
        f"torch.nn.functional.{name}",
        lambda x: getattr(F, name)(x, training=training),
        [rand(*shape)],
        {"training": training},
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("grad", [True, False])
def test_dropout(dtype: torch.dtype, grad: bool) -> None:
    x = rand(*IMAGE, dtype=dtype, grad=grad)
    # what CUDA does in F.dropout
    agree("torch.nn.Dropout", lambda x: torch.native_dropout(x, 0.5, True)[0], [x], {"p": 0.5})
    agree("torch.nn.Dropout", nn.Dropout().eval(), [x], {"p": 0.5, "training": False})
    agree("torch.nn.functional.dropout", lambda x: F.dropout(x, 0.0), [x], {"p": 0.0})
    agree("torch.nn.functional.dropout", lambda x: F.dropout(x, 1.0), [x], {"p": 1.0})


def test_dropout_in_place() -> None:
    agree("torch.nn.Dropout", nn.Dropout(inplace=True), [written()], {"inplace": True})
    agree("torch.nn.AlphaDropout", nn.AlphaDropout(), [image()])


# ------------------------------------------------------------------------------------------------- two tensors


BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "fmod", "remainder", "atan2", "hypot"]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("first", "second"), GRADS)
@pytest.mark.parametrize("other", [IMAGE, (16, 1, 1)])
def test_two_tensors(name: str, first: bool, second: bool, other: tuple[int, ...]) -> None:
    agree(f"torch.{name}", getattr(torch, name), [image(first), rand(*other, grad=second)])


@pytest.mark.parametrize(("first", "second"), GRADS)
def test_powers_of_tensors(first: bool, second: bool) -> None:
    agree("operator.**", lambda a, b: a**b, [image(first), image(second)])


@pytest.mark.parametrize("exponent", [2, 3, 0.5, -1, 1, 0])
def test_powers(exponent: float) -> None:
    agree("operator.**", lambda x: x**exponent, [image()], {"exponent": exponent})


def test_scalars() -> None:
    for symbol, run in {
        "+": lambda x: x + 2,
        "-": lambda x: x - 2,
        "*": lambda x: x * 2,
        "/": lambda x: x / 2,
        "%": lambda x: x % 2,
        "<": lambda x: x < 2,
    }.items():
        agree(f"operator.{symbol}", run, [image()])
    agree("operator.neg", lambda x: -x, [image()])


def test_scalars_before_the_tensor() -> None:
    for symbol, run in {
        "+": lambda x: 2 + x,
        "-": lambda x: 2 - x,
        "*": lambda x: 2 * x,
        "/": lambda x: 2 / x,
        "**": lambda x: 2**x,
    }.items():
        agree(f"operator.{symbol}", run, [image()], {"reflected": True})


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("second", [True, False])
def test_two_tensors_in_place(name: str, second: bool) -> None:
    agree(f"Tensor.{name}_", lambda a, b: getattr(a, f"{name}_")(b), [written(), image(second)])
    agree(f"Tensor.{name}_", lambda a: getattr(a, f"{name}_")(2.0), [written()])


def test_a_tensor_times_itself() -> None:
    x = image()
    agree("operator.*", lambda a, b: a * b, [x, x], backward=False)


@pytest.mark.parametrize(("first", "second"), GRADS)
def test_three_tensors(first: bool, second: bool) -> None:
    a, b, mask = image(first), image(second), torch.rand(IMAGE) > 0.5
    agree("torch.where", torch.where, [mask, a, b])
    agree("Tensor.where", lambda x, m, y: x.where(m, y), [a, mask, b])
    agree("torch.lerp", lambda x, y: torch.lerp(x, y, 0.3), [a, b])
    for name in ("addcmul", "addcdiv"):
        agree(f"torch.{name}", getattr(torch, name), [image(), a, b])


def test_masked_fill() -> None:
    mask = torch.rand(IMAGE) > 0.5
    for each in (mask, mask[:1, :1].clone()):
        agree("Tensor.masked_fill", lambda x, m: x.masked_fill(m, 0.0), [image(), each])
        agree("Tensor.masked_fill_", lambda x, m: x.masked_fill_(m, 0.0), [written(), each])


def test_writing_over() -> None:
    agree("Tensor.zero_", lambda x: x.zero_(), [written()])
    agree("Tensor.fill_", lambda x: x.fill_(1.0), [written()])
    agree("Tensor.copy_", lambda x, y: x.copy_(y), [written(), image()])


# ------------------------------------------------------------------------------------------------- layers


def layer(module: nn.Module, *inputs: torch.Tensor, backward: bool = True, **options: object) -> None:
    """A layer with each combination of a gradient for its input and for its parameters."""
    names = [name for name, _ in module.named_parameters()]
    buffers = dict(module.named_buffers())
    for grad_x, grad_w in GRADS:
        given = [x.detach().requires_grad_(grad_x) if x.is_floating_point() else x for x in inputs]
        params = [p.detach().requires_grad_(grad_w) for p in module.parameters()]

        def run(*operands: torch.Tensor) -> Any:
            count = len(inputs)
            held = dict(zip(names, operands[count : count + len(names)], strict=True))
            rest = dict(zip(buffers, operands[count + len(names) :], strict=True))
            return torch.func.functional_call(module, {**held, **rest}, tuple(operands[:count]))

        # buffers are known storages, but no operands of the table
        agree_layer(module, run, given, params, [b.clone() for b in buffers.values()], options, backward)


def agree_layer(
    module: nn.Module,
    run: Callable[..., Any],
    inputs: list[torch.Tensor],
    params: list[torch.Tensor],
    buffers: list[torch.Tensor],
    options: dict[str, object],
    backward: bool,
) -> None:
    agree(
        f"torch.nn.{type(module).__name__}",
        run,
        [*inputs, *params, *buffers],
        {"training": module.training, **options},
        weights=len(params),
        buffers=len(buffers),
        backward=backward,
    )


SEQUENCE, VOLUME = (4, 16, 20), (2, 16, 5, 6, 7)


def modules() -> Iterable[Any]:
    yield nn.Conv1d(16, 32, 3), SEQUENCE, {}
    yield nn.Conv2d(16, 32, 3), IMAGE, {}
    yield nn.Conv2d(16, 32, 3, padding="same"), IMAGE, {"padding": "same", "kernel_size": 3}
    yield nn.Conv2d(16, 32, 4, padding="same"), IMAGE, {"padding": "same", "kernel_size": 4}
    yield (
        nn.Conv2d(16, 32, 3, padding=1, padding_mode="reflect"),
        IMAGE,
        {"padding": 1, "padding_mode": "reflect"},
    )
    yield nn.Conv2d(16, 32, 1, bias=False, stride=2), IMAGE, {}
    yield nn.Conv2d(16, 16, 3, groups=16, dilation=2), IMAGE, {}
    yield nn.Conv3d(16, 8, 3), VOLUME, {}
    yield nn.ConvTranspose1d(16, 8, 3), SEQUENCE, {}
    yield nn.ConvTranspose2d(16, 8, 2, stride=2), IMAGE, {}
    yield nn.ConvTranspose3d(16, 8, 2), VOLUME, {}
    yield nn.Linear(16, 32), (40, 16), {}
    yield nn.Linear(10, 32), IMAGE, {}
    yield nn.Linear(20, 32, bias=False), SEQUENCE, {}
    yield nn.BatchNorm1d(16), (40, 16), {}
    yield nn.BatchNorm1d(16), SEQUENCE, {}
    yield nn.BatchNorm2d(16), IMAGE, {}
    yield nn.BatchNorm2d(16, affine=False), IMAGE, {}
    yield nn.BatchNorm2d(16, track_running_stats=False), IMAGE, {"track_running_stats": False}
    yield nn.BatchNorm3d(16), VOLUME, {}
    yield nn.InstanceNorm2d(16), IMAGE, {}
    yield nn.InstanceNorm1d(16), SEQUENCE, {}
    yield nn.LayerNorm(10), IMAGE, {"normalized_shape": 10}
    yield nn.LayerNorm((12, 10)), IMAGE, {"normalized_shape": (12, 10)}
    yield nn.LayerNorm(10, bias=False), IMAGE, {"normalized_shape": 10}
    yield nn.LayerNorm(10, elementwise_affine=False), IMAGE, {"normalized_shape": 10}
    yield nn.GroupNorm(4, 16), IMAGE, {"num_groups": 4}
    yield nn.GroupNorm(16, 16, affine=False), IMAGE, {"num_groups": 16}
    yield nn.LocalResponseNorm(3), IMAGE, {"size": 3}
    yield nn.MaxPool1d(2), SEQUENCE, {}
    yield nn.MaxPool2d(2), IMAGE, {}
    yield nn.MaxPool2d(3, 2, 1), IMAGE, {}
    yield nn.MaxPool2d(2, return_indices=True), IMAGE, {"return_indices": True}
    yield nn.MaxPool3d(2), VOLUME, {}
    yield nn.AvgPool1d(2), SEQUENCE, {}
    yield nn.AvgPool2d(2), IMAGE, {}
    yield nn.AvgPool3d(2), VOLUME, {}
    yield nn.AdaptiveAvgPool1d(1), SEQUENCE, {}
    yield nn.AdaptiveAvgPool1d(4), SEQUENCE, {}
    yield nn.AdaptiveAvgPool2d(1), IMAGE, {}
    yield nn.AdaptiveAvgPool2d((3, 2)), IMAGE, {}
    yield nn.AdaptiveAvgPool3d(1), VOLUME, {}
    yield nn.AdaptiveAvgPool3d(2), VOLUME, {}
    yield nn.AdaptiveMaxPool1d(4), SEQUENCE, {}
    yield nn.AdaptiveMaxPool2d(3), IMAGE, {}
    yield nn.LPPool2d(2, 2), IMAGE, {}
    yield nn.FractionalMaxPool2d(2, output_size=5), IMAGE, {}
    yield nn.Upsample(scale_factor=2), IMAGE, {}
    yield nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE, {"mode": "bilinear"}
    yield nn.UpsamplingBilinear2d(scale_factor=2), IMAGE, {}
    yield nn.PixelShuffle(2), IMAGE, {}
    yield nn.PixelUnshuffle(2), IMAGE, {}
    yield nn.ChannelShuffle(2), IMAGE, {}
    yield nn.Unfold(3), IMAGE, {}
    yield nn.Fold((6, 6), 2, stride=2), (4, 16, 9), {}
    yield nn.Flatten(), IMAGE, {}
    yield nn.Unflatten(1, (4, 4)), IMAGE, {}
    yield nn.ZeroPad2d(1), IMAGE, {}
    yield nn.ConstantPad1d(1, 2.0), SEQUENCE, {}
    yield nn.ReflectionPad2d(1), IMAGE, {}
    yield nn.ReplicationPad2d(1), IMAGE, {}
    yield nn.PReLU(16), IMAGE, {}
    yield nn.GLU(1), IMAGE, {}


MODULES = list(modules())


@pytest.mark.parametrize("case", MODULES, ids=[repr(module) for module, _, _ in MODULES])
@pytest.mark.parametrize("training", [True, False])
def test_layers(case: Any, training: bool) -> None:
    module, shape, options = case
    layer(module.train(training), rand(*shape), **options)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_instance_norm(affine: bool, tracked: bool, training: bool) -> None:
    module = nn.InstanceNorm2d(16, affine=affine, track_running_stats=tracked).train(training)
    layer(module, image(), affine=affine, track_running_stats=tracked, backward=False)


@pytest.mark.parametrize("affine", [True, False])
def test_rms_norm_of_the_cpu(affine: bool) -> None:
    module = nn.RMSNorm(10, elementwise_affine=affine)
    layer(module, image(), normalized_shape=10, composite=True)


def test_rms_norm_of_cuda() -> None:
    x, weight = Tensor((8, 20, 64), grad=True), Tensor((64,), grad=True)
    found = effect("torch.nn.RMSNorm", [x, weight], x, {"normalized_shape": 64})
    assert found == Effect("new", ("input", "weight"), (8 * 20 * 4,))


def test_layers_of_indices() -> None:
    indices = torch.randint(0, 50, (8, 20))
    layer(nn.Embedding(50, 16), indices)
    layer(nn.EmbeddingBag(50, 16), indices, backward=False)


def test_bilinear() -> None:
    layer(nn.Bilinear(16, 12, 8), rand(40, 16), rand(40, 12))


@pytest.mark.parametrize(("first", "second"), GRADS)
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_of_a_turned_input(first: bool, second: bool, bias: bool) -> None:
    x = rand(4, 16, 10, grad=first).transpose(1, 2)
    x = x.detach().requires_grad_(first)
    weights = [rand(32, 16, grad=second), *([rand(32, grad=second)] if bias else [])]
    agree("torch.nn.Linear", F.linear, [x, *weights], weights=len(weights))
