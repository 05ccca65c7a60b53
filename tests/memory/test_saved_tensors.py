"""What losses, products, reductions, views, joins and indexing keep for backward, against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from saved_agreement import agree, rand
from torch import nn

from trainlint.memory.saved import Effect, Tensor, effect
from trainlint.memory.saved.strides import viewed

IMAGE = (4, 16, 12, 10)
GRADS = [(True, True), (True, False), (False, True), (False, False)]
ROWS, CLASSES = 40, 30


def image(grad: bool = True) -> torch.Tensor:
    return rand(*IMAGE, grad=grad)


def written() -> torch.Tensor:
    return image() * 1


# ------------------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "name",
    [
        *["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"],
        *["binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss"],
    ],
)
@pytest.mark.parametrize("target", [True, False])
def test_losses(name: str, reduction: str, target: bool) -> None:
    operands = [rand(ROWS, CLASSES), rand(ROWS, CLASSES, grad=target)]
    # kl_div averages its gradient back in pieces
    exact = name not in ("kl_div",)
    options = {"reduction": reduction}
    run = getattr(F, name)
    agree(f"torch.nn.functional.{name}", lambda a, b: run(a, b, reduction=reduction), operands, options, backward=exact)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(), (6,), (6, 5)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(reduction: str, shape: tuple[int, ...], smoothing: float) -> None:
    logits, target = rand(8, CLASSES, *shape), torch.randint(0, CLASSES, (8, *shape))
    options = {"reduction": reduction, "label_smoothing": smoothing}
    loss = nn.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing)
    agree("torch.nn.CrossEntropyLoss", loss, [logits, target], options, backward=not smoothing)
    agree("torch.nn.NLLLoss", nn.NLLLoss(reduction=reduction), [logits, target], {"reduction": reduction})


def test_cross_entropy_of_probabilities_and_weights() -> None:
    logits, weight = rand(ROWS, CLASSES), rand(CLASSES, grad=False)
    agree("torch.nn.functional.cross_entropy", F.cross_entropy, [logits, rand(ROWS, CLASSES, grad=False)])
    classes = torch.randint(0, CLASSES, (ROWS,))
    agree("torch.nn.functional.cross_entropy", F.cross_entropy, [logits, classes, weight])


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_with_a_third_tensor(reduction: str) -> None:
    a, b, c = rand(ROWS, CLASSES), rand(ROWS, CLASSES, grad=False), rand(CLASSES, grad=False)
    options = {"reduction": reduction}
    agree(
        "torch.nn.functional.binary_cross_entropy_with_logits",
        lambda x, y, w: F.binary_cross_entropy_with_logits(x, y, pos_weight=w, reduction=reduction),
        [a, b, c],
        options,
    )
    agree(
        "torch.nn.functional.binary_cross_entropy",
        lambda x, y, w: F.binary_cross_entropy(x, y, w, reduction=reduction),
        [a, b, c],
        options,
    )
    rows = [rand(ROWS, CLASSES) for _ in range(3)]
    agree(
        "torch.nn.functional.triplet_margin_loss",
        lambda x, y, z: F.triplet_margin_loss(x, y, z, reduction=reduction),
        rows,
        options,
        backward=False,
    )
    agree(
        "torch.nn.functional.gaussian_nll_loss",
        lambda x, y, z: F.gaussian_nll_loss(x, y, z, reduction=reduction),
        [a, b, rand(ROWS, CLASSES)],
        options,
    )


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_of_classes(reduction: str) -> None:
    scores, classes = rand(ROWS, CLASSES), torch.randint(0, CLASSES, (ROWS,))
    options = {"reduction": reduction}
    agree("torch.nn.MultiMarginLoss", nn.MultiMarginLoss(reduction=reduction), [scores, classes], options)
    labels = torch.randint(0, CLASSES, (ROWS, CLASSES))
    agree("torch.nn.MultiLabelMarginLoss", nn.MultiLabelMarginLoss(reduction=reduction), [scores, labels], options)
    agree(
        "torch.nn.MultiLabelSoftMarginLoss",
        nn.MultiLabelSoftMarginLoss(reduction=reduction),
        [scores, rand(ROWS, CLASSES, grad=False)],
        options,
    )
    agree("torch.nn.SoftMarginLoss", nn.SoftMarginLoss(reduction=reduction), [scores, labels.float()], options)


def test_ctc_loss() -> None:
    lengths, targets = torch.full((4,), 20), torch.randint(1, 10, (4, 5))
    logs = torch.randn(20, 4, 10).log_softmax(-1).requires_grad_()
    agree(
        "torch.nn.functional.ctc_loss",
        lambda x, y: F.ctc_loss(x, y, lengths, torch.full((4,), 5), reduction="sum"),
        [logs, targets],
        {"reduction": "sum"},
        backward=False,
    )


# ------------------------------------------------------------------------------------------------- products


PRODUCTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((20,), (20,)),
    ((20, 30), (30,)),
    ((20,), (20, 30)),
    ((20, 30), (30, 40)),
    ((4, 20, 30), (30, 40)),
    ((4, 20, 30), (30,)),
    ((20, 30), (4, 30, 40)),
    ((4, 20, 30), (4, 30, 40)),
    ((4, 3, 20, 30), (4, 3, 30, 40)),
]


@pytest.mark.parametrize(("a", "b"), PRODUCTS)
@pytest.mark.parametrize(("first", "second"), GRADS)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...], first: bool, second: bool) -> None:
    agree("operator.@", torch.matmul, [rand(*a, grad=first), rand(*b, grad=second)])


@pytest.mark.parametrize(("first", "second"), GRADS)
def test_matmul_of_turned_stacks(first: bool, second: bool) -> None:
    """Heads that were split off by a transpose do not merge with the batch: both operands are copied."""
    a = rand(4, 20, 3, 30).transpose(1, 2).detach().requires_grad_(first)
    b = rand(4, 20, 3, 30).permute(0, 2, 3, 1).detach().requires_grad_(second)
    agree("torch.matmul", torch.matmul, [a, b])
    rows = rand(4, 30, 20).transpose(1, 2).detach().requires_grad_(first)
    agree("torch.matmul", torch.matmul, [rows, rand(30, 40, grad=second)], backward=False)


@pytest.mark.parametrize(("first", "second"), GRADS)
def test_products_by_name(first: bool, second: bool) -> None:
    agree("torch.mm", torch.mm, [rand(20, 30, grad=first), rand(30, 40, grad=second)])
    agree("torch.bmm", torch.bmm, [rand(4, 20, 30, grad=first), rand(4, 30, 40, grad=second)])
    agree("torch.outer", torch.outer, [rand(40, grad=first), rand(30, grad=second)], backward=False)
    agree("torch.addmm", torch.addmm, [rand(20, 40), rand(20, 30, grad=first), rand(30, 40, grad=second)])
    agree("torch.baddbmm", torch.baddbmm, [rand(4, 20, 40), rand(4, 20, 30, grad=first), rand(4, 30, 40, grad=second)])


EQUATIONS: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
    ("ij,jk->ik", (20, 30), (30, 40)),
    ("bij,bjk->bik", (4, 20, 30), (4, 30, 40)),
    ("bhqd,bhkd->bhqk", (4, 3, 20, 30), (4, 3, 20, 30)),
    ("bqhd,bkhd->bhqk", (4, 20, 3, 30), (4, 20, 3, 30)),
    ("bhqk,bkhd->bqhd", (4, 3, 20, 20), (4, 20, 3, 30)),
    ("bi,bi->b", (4, 20), (4, 20)),
    ("bnd,de->bne", (4, 20, 30), (30, 40)),
]


@pytest.mark.parametrize(("equation", "a", "b"), EQUATIONS)
@pytest.mark.parametrize(("first", "second"), GRADS)
def test_einsum(equation: str, a: tuple[int, ...], b: tuple[int, ...], first: bool, second: bool) -> None:
    operands = [rand(*a, grad=first), rand(*b, grad=second)]
    agree("torch.einsum", lambda x, y: torch.einsum(equation, x, y), operands, {"equation": equation}, backward=False)


@pytest.mark.parametrize(("first", "second"), GRADS)
def test_distances(first: bool, second: bool) -> None:
    operands = [rand(20, 30, grad=first), rand(20, 30, grad=second)]
    agree("torch.nn.functional.cosine_similarity", F.cosine_similarity, operands, backward=first or second)
    agree("torch.cdist", torch.cdist, operands, backward=False)


# ------------------------------------------------------------------------------------------------- attention


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_fused_attention(first: bool, second: bool) -> None:
    operands = [rand(4, 3, 20, 32, grad=first), rand(4, 3, 20, 32, grad=second), rand(4, 3, 20, 32)]
    agree("torch.nn.functional.scaled_dot_product_attention", F.scaled_dot_product_attention, operands)
    causal = {"is_causal": True}
    agree(
        "torch.nn.functional.scaled_dot_product_attention",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        operands,
        causal,
    )


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("cross", [True, False])
def test_multihead_attention(first: bool, weights: bool, cross: bool) -> None:
    module = nn.MultiheadAttention(16, 4, batch_first=first)
    names = [name for name, _ in module.named_parameters()]
    query, memory = rand(8, 20, 16), rand(8, 20, 16)
    inputs = [query, memory] if cross else [query]

    def run(*operands: torch.Tensor) -> Any:
        held = dict(zip(names, operands[len(inputs) :], strict=True))
        q, k = operands[0], operands[len(inputs) - 1]
        return torch.func.functional_call(module, held, (q, k, k), {"need_weights": weights})

    agree(
        "torch.nn.MultiheadAttention",
        run,
        [*inputs, *module.parameters()],
        {"num_heads": 4, "batch_first": first, "need_weights": weights, "same": not cross},
        weights=len(names),
        backward=False,
    )


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer(first: bool, norm_first: bool, activation: str) -> None:
    """Without dropout, whose masks are a quarter of the CPU's on CUDA."""
    module = nn.TransformerEncoderLayer(16, 4, 64, 0.0, activation, batch_first=first, norm_first=norm_first)
    names = [name for name, _ in module.named_parameters()]
    options = {
        "nhead": 4,
        "dim_feedforward": 64,
        "dropout": 0.0,
        "activation": activation,
        "batch_first": first,
        "norm_first": norm_first,
    }
    agree(
        "torch.nn.TransformerEncoderLayer",
        lambda x, *held: torch.func.functional_call(module, dict(zip(names, held, strict=True)), (x,)),
        [rand(8, 20, 16), *module.parameters()],
        options,
        weights=len(names),
        backward=False,
    )


# ------------------------------------------------------------------------------------------------- recurrent layers


def test_recurrent_layers_of_cudnn() -> None:
    """cuDNN's reserve cannot be measured here: only the arithmetic of the guess is held."""
    x, out = Tensor((8, 35, 16), grad=True), Tensor((8, 35, 32), grad=True)
    options = {"hidden_size": 32, "num_layers": 2, "batch_first": True}
    found = effect("torch.nn.LSTM", [x], [out], options)
    assert found is not None
    assert found.keeps == ("input", "output")
    assert found.extra == (6 * 35 * 8 * 32 * 2 * 4, 2 * 8 * 32 * 4, 2 * 8 * 32 * 4)
    assert found.temporary == (x.size,)
    found = effect("torch.nn.GRU", [x], [out], {**options, "batch_first": False, "bidirectional": True})
    assert found is not None
    assert found.extra == (5 * 35 * 8 * 32 * 2 * 2 * 4, 2 * 2 * 35 * 32 * 4)


# ------------------------------------------------------------------------------------------------- reductions


WHOLE = "sum mean prod norm std var max min amax amin median nansum argmax"
ALONG = """sum mean norm std var max min amax amin logsumexp nansum argmax argmin sort topk kthvalue cumsum cumprod
logcumsumexp cummax var_mean std_mean count_nonzero diff mode median"""


@pytest.mark.parametrize("name", WHOLE.split())
@pytest.mark.parametrize("grad", [True, False])
def test_reductions_to_a_number(name: str, grad: bool) -> None:
    agree(f"torch.{name}", getattr(torch, name), [image(grad)])


@pytest.mark.parametrize("name", ALONG.split())
def test_reductions_along_an_axis(name: str) -> None:
    arguments = {"topk": (3, 1), "kthvalue": (2, 1)}.get(name, ())
    options: dict[str, int] = {} if arguments else {"dim": 1}
    # the share of what is as large as the result, in backward
    exact = name not in ("std", "var", "norm", "cumprod")
    agree(f"torch.{name}", lambda x: getattr(torch, name)(x, *arguments, **options), [image()], options, backward=exact)


def test_norms_and_averages() -> None:
    agree("torch.nn.functional.normalize", F.normalize, [image()], {"dim": 1})
    agree("Tensor.mean", lambda x: x.mean((2, 3)), [image()], {"dim": (2, 3)})
    agree("Tensor.sum", lambda x: x.sum((2, 3), keepdim=True), [image()], {"dim": (2, 3)})
    agree("torch.linalg.norm", lambda x: torch.linalg.norm(x, dim=1), [image()], {"dim": 1}, backward=False)


# ------------------------------------------------------------------------------------------------- views and copies


VIEWS: dict[str, Callable[[torch.Tensor], Any]] = {
    "Tensor.view": lambda x: x.view(4, -1),
    "Tensor.reshape": lambda x: x.reshape(4, -1),
    "torch.flatten": lambda x: x.flatten(1),
    "Tensor.transpose": lambda x: x.transpose(1, 2),
    "Tensor.permute": lambda x: x.permute(0, 2, 3, 1),
    "Tensor.unsqueeze": lambda x: x.unsqueeze(1),
    "Tensor.squeeze": lambda x: x.squeeze(1),
    "Tensor.expand": lambda x: x.expand(3, *IMAGE),
    "Tensor.narrow": lambda x: x.narrow(1, 2, 3),
    "Tensor.select": lambda x: x.select(1, 2),
    "Tensor.mT": lambda x: x.mT,
    "torch.movedim": lambda x: x.movedim(1, -1),
    "Tensor.unfold": lambda x: x.unfold(2, 3, 1),
    "Tensor.diagonal": lambda x: x.diagonal(dim1=2, dim2=3),
    "Tensor.detach": lambda x: x.detach(),
    "Tensor.contiguous": lambda x: x.contiguous(),
    "Tensor.float": lambda x: x.float(),
    "Tensor.half": lambda x: x.half(),
    "Tensor.double": lambda x: x.double(),
    "Tensor.long": lambda x: x.long(),
    "Tensor.clone": lambda x: x.clone(),
    "Tensor.flip": lambda x: x.flip(1),
    "torch.roll": lambda x: x.roll(1, 1),
    "Tensor.repeat": lambda x: x.repeat(2, 1, 1, 1),
    "Tensor.repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "torch.tril": lambda x: x.tril(),
    "torch.split": lambda x: x.split(4, 1),
    "torch.chunk": lambda x: x.chunk(4, 1),
    "Tensor.unbind": lambda x: x.unbind(1),
    "torch.zeros_like": torch.zeros_like,
    "Tensor.new_zeros": lambda x: x.new_zeros(3, 4),
    "torch.nn.functional.pad": lambda x: F.pad(x, (1, 1)),
    "torch.nn.functional.interpolate": lambda x: F.interpolate(x, scale_factor=2),
    "torch.nn.functional.pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "torch.nn.functional.unfold": lambda x: F.unfold(x, 3),
    "Tensor.item": lambda x: x.sum().item(),
}


@pytest.mark.parametrize("op", list(VIEWS))
@pytest.mark.parametrize("grad", [True, False])
def test_views_and_copies(op: str, grad: bool) -> None:
    agree(op, VIEWS[op], [image(grad)])


def test_options_of_moving() -> None:
    agree("torch.nn.functional.pad", lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), [image()], {"mode": "reflect"})
    options = {"mode": "area"}
    agree("torch.nn.functional.interpolate", lambda x: F.interpolate(x, size=(6, 5), mode="area"), [image()], options)
    agree("Tensor.to", lambda x: x.to(torch.float32, copy=True), [image()], {"copy": True})


def test_turned_tensors_are_copied() -> None:
    turned = image().transpose(1, 2).detach().requires_grad_()
    agree("Tensor.contiguous", lambda x: x.contiguous(), [turned])
    agree("Tensor.reshape", lambda x: x.reshape(4, -1), [turned])
    agree("Tensor.flatten", lambda x: x.flatten(2), [turned])
    agree("Tensor.reshape", lambda x: x.reshape(4, 12, 4, 4, 10), [turned])


@pytest.mark.parametrize("seed", range(60))
def test_strides_of_views(seed: int) -> None:
    """Which reshapes are views, and how the views lie."""
    make = torch.Generator().manual_seed(seed)

    def pick(*choices: int) -> int:
        return choices[int(torch.randint(0, len(choices), (1,), generator=make))]

    shape = [pick(1, 2, 3, 4) for _ in range(pick(1, 2, 3, 4))]
    x = torch.zeros(shape).permute(*torch.randperm(len(shape), generator=make).tolist())
    if pick(0, 1):
        x = x[..., :: pick(1, 2)]
    left, new = x.numel(), []
    for prime in (2, 2, 3, 2, 3):
        if left % prime == 0 and pick(0, 1):
            new.append(prime)
            left //= prime
    new.insert(pick(0, len(new)), left)
    if pick(0, 1):
        new.insert(pick(0, len(new)), 1)
    try:
        wanted: tuple[int, ...] | None = x.view(new).stride()
    except RuntimeError:
        wanted = None
    assert viewed(tuple(x.shape), x.stride(), tuple(new)) == wanted, (x.shape, x.stride(), new)


# ------------------------------------------------------------------------------------------------- joins and indices


@pytest.mark.parametrize(("first", "second"), GRADS)
@pytest.mark.parametrize("name", ["cat", "stack"])
def test_joins(name: str, first: bool, second: bool) -> None:
    agree(f"torch.{name}", lambda a, b: getattr(torch, name)([a, b], 1), [image(first), image(second)])


def test_indexing() -> None:
    x = image()
    agree("operator.[]", lambda a: a[:, 0], [x])
    agree("operator.[]", lambda a: a[:, 2:5], [x])
    agree("operator.[]", lambda a: a[:, None], [x])
    agree("operator.[]", lambda a: a[:, [1, 2]], [x], {"copies": True})
    agree("operator.[]", lambda a, i: a[:, i], [x, torch.randint(0, 16, (5,))])
    agree("operator.[]", lambda a, m: a[m], [x, torch.arange(4) > 1])


def test_gathering() -> None:
    x, places = image(), torch.randint(0, 16, (4, 3, 12, 10))
    agree("Tensor.gather", lambda a, i: a.gather(1, i), [x, places])
    agree("torch.take_along_dim", lambda a, i: torch.take_along_dim(a, i, 1), [x, places])
    agree("torch.index_select", lambda a, i: a.index_select(1, i), [x, torch.randint(0, 16, (5,))])
    agree("torch.masked_select", torch.masked_select, [x, torch.rand(IMAGE) > 0.5])


def test_scattering() -> None:
    places, part = torch.randint(0, 16, (4, 3, 12, 10)), rand(4, 3, 12, 10)
    agree("Tensor.scatter", lambda a, i, s: a.scatter(1, i, s), [image(), places, part])
    agree("Tensor.scatter_", lambda a, i, s: a.scatter_(1, i, s), [written(), places, part])
    agree("Tensor.scatter_add", lambda a, i, s: a.scatter_add(1, i, s), [image(), places, part])
    rows = torch.randint(0, 16, (5,))
    agree("Tensor.index_add", lambda a, i, s: a.index_add(1, i, s), [image(), rows, rand(4, 5, 12, 10)])


def test_writing_at_an_index() -> None:
    def part(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a[:, 2:5] = b
        return a

    def masked(a: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        a[m] = 0
        return a

    agree("operator.[]=", part, [written(), rand(4, 3, 12, 10)])
    agree("operator.[]=", masked, [written(), torch.rand(IMAGE) > 0.5])


def test_sampling() -> None:
    grid = rand(4, 6, 5, 2)
    agree("torch.nn.functional.grid_sample", lambda a, g: F.grid_sample(a, g, align_corners=False), [image(), grid])


# ------------------------------------------------------------------------------------------------- the interface


def test_what_is_not_known() -> None:
    x = Tensor((2, 3), grad=True)
    assert effect("torch.nn.Transformer", [x], x, {}) is None
    assert effect("some.library.function", [x], x, {}) is None
    assert effect("torch.einsum", [x, x, x], x, {"equation": "ij,jk,kl->il"}) is None


def test_without_a_graph_nothing_is_kept() -> None:
    x, mask = Tensor((2, 3)), 6
    assert effect("torch.nn.Dropout", [x], x, {"p": 0.5}) == Effect("new", temporary=(mask,))


@pytest.mark.parametrize("op", ["torch.relu", "torch.nn.functional.relu", "torch.nn.ReLU", "Tensor.relu"])
def test_one_operation_has_many_names(op: str) -> None:
    x = Tensor((2, 3), grad=True)
    assert effect(op, [x], x, {}) == Effect("new", ("output",))
