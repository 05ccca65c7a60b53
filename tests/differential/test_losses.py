"""Losses against torch: every class and function, all reductions, targets and weights that fit and that do not."""

from __future__ import annotations

from agreement import agree, sound, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

MANY = settings(max_examples=120, deadline=None)
FEW = settings(max_examples=80, deadline=None)
SIZE = st.integers(1, 3)
SHAPE = st.lists(SIZE, min_size=0, max_size=3)
REDUCTION = st.sampled_from(["'mean'", "'sum'", "'none'", "'none'", None])
DTYPE = st.sampled_from(["float32"] * 6 + ["float64", "int64", "bool", "float16", "int32"])
# how a shape is changed into another one
CHANGE = st.sampled_from(["same"] * 5 + ["one", "less", "more", "drop", "grow"])


def changed(shape: list[int], change: str, at: int) -> list[int]:
    """Another shape: one axis of 1, one less or more, the first axis gone, another one in front."""
    result = list(shape)
    if change == "grow":
        return [2, *result]
    if not result or change == "same":
        return result
    index = at % len(result)
    if change == "drop":
        del result[index]
    else:
        result[index] = {"one": 1, "less": max(1, result[index] - 1), "more": result[index] + 1}[change]
    return result


def tensor(shape: list[int], dtype: str) -> str:
    return f"torch.ones({shape}, dtype=torch.{dtype})"


def computed(
    function: str, layer: str | None, tensors: list[str], options: dict[str, str | None], as_layer: bool
) -> str:
    """The loss as a function or as an object."""
    text = ", ".join(f"{name}={value}" for name, value in options.items() if value is not None)
    given = ", ".join(tensors)
    if as_layer and layer is not None:
        return f"y = nn.{layer}({text})({given})\n"
    return f"y = F.{function}({given}{', ' + text if text else ''})\n"


PLAIN = {
    "mse_loss": "MSELoss", "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss", "huber_loss": "HuberLoss",
    "soft_margin_loss": "SoftMarginLoss", "hinge_embedding_loss": "HingeEmbeddingLoss", "kl_div": "KLDivLoss",
    "poisson_nll_loss": "PoissonNLLLoss",
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PLAIN)), SHAPE, CHANGE, st.integers(0, 2), DTYPE, DTYPE, REDUCTION, st.booleans())
def test_elementwise(
    name: str, shape: list[int], change: str, at: int, first: str, second: str, reduction: str | None, as_layer: bool
) -> None:
    tensors = [tensor(shape, first), tensor(changed(shape, change, at), second)]
    agree(computed(name, PLAIN[name], tensors, {"reduction": reduction}, as_layer))


@FEW
@given(
    st.sampled_from(
        [
            ("smooth_l1_loss", {"beta": "0.0"}), ("smooth_l1_loss", {"beta": "-1.0"}), ("huber_loss", {"delta": "0.0"}),
            ("kl_div", {"log_target": "True"}), ("kl_div", {"reduction": "'batchmean'"}),
            ("poisson_nll_loss", {"log_input": "False"}), ("poisson_nll_loss", {"full": "True"}),
            ("mse_loss", {"reduction": "'batchmean'"}), ("mse_loss", {"reduce": "False"}),
            ("l1_loss", {"size_average": "False"}), ("hinge_embedding_loss", {"margin": "0.5"}),
        ]
    ),
    SHAPE, CHANGE, st.integers(0, 2), DTYPE, DTYPE, st.booleans(),
)  # fmt: skip
def test_options(
    case: tuple[str, dict[str, str | None]], shape: list[int], change: str, at: int, first: str, second: str, obj: bool
) -> None:
    name, options = case
    tensors = [tensor(shape, first), tensor(changed(shape, change, at), second)]
    agree(computed(name, PLAIN[name], tensors, options, obj))


@MANY
@given(
    st.sampled_from(["BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"]), SHAPE, CHANGE, st.integers(0, 2),
    DTYPE, DTYPE, REDUCTION, st.booleans(),
    st.none() | st.tuples(st.sampled_from(["weight", "pos_weight"]), CHANGE, st.integers(0, 2), DTYPE),
)  # fmt: skip
def test_binary(
    layer: str, shape: list[int], change: str, at: int, first: str, second: str, reduction: str | None, obj: bool,
    weighted: tuple[str, str, int, str] | None,
) -> None:  # fmt: skip
    function = {
        "BCELoss": "binary_cross_entropy", "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
        "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    }[layer]  # fmt: skip
    options: dict[str, str | None] = {"reduction": reduction}
    if weighted is not None:
        name, other, where, dtype = weighted
        name = name if layer == "BCEWithLogitsLoss" else "weight"
        options[name] = tensor(changed(shape, other, where), dtype)
    tensors = [tensor(shape, first), tensor(changed(shape, change, at), second)]
    agree(computed(function, layer, tensors, options, obj))


CLASS_LOSSES = st.sampled_from([("cross_entropy", "CrossEntropyLoss"), ("nll_loss", "NLLLoss")])
CLASS_DTYPE = st.sampled_from(["int64"] * 8 + ["uint8", "int32", "float32", "bool"])
FLOAT = st.sampled_from(["float32"] * 8 + ["float64", "float16", "int64"])


@settings(max_examples=250, deadline=None)
@given(
    CLASS_LOSSES, st.lists(SIZE, min_size=0, max_size=4), st.integers(1, 4), CHANGE, st.integers(0, 3), FLOAT,
    CLASS_DTYPE, REDUCTION, st.booleans(),
    st.none() | st.tuples(st.sampled_from([0, 0, 0, 1]), st.sampled_from(["float32", "float32", "float64"])),
    st.sampled_from([None, None, None, "0.1", "1.0", "1.5"]),
)  # fmt: skip
def test_class_numbers(
    loss: tuple[str, str], lead: list[int], classes: int, change: str, at: int, first: str, second: str,
    reduction: str | None, obj: bool, weight: tuple[int, str] | None, smoothing: str | None,
) -> None:  # fmt: skip
    """The target has the sizes of the input without its classes, or others."""
    shape = [*lead[:1], classes, *lead[1:]]
    target = f"torch.zeros({changed(lead, change, at)}, dtype=torch.{second})"
    options: dict[str, str | None] = {"reduction": reduction}
    if loss[0] == "cross_entropy":
        options["label_smoothing"] = smoothing
    if weight is not None:
        options["weight"] = tensor([classes + weight[0]], weight[1])
    agree(computed(*loss, [tensor(shape, first), target], options, obj))


@FEW
@given(
    st.lists(SIZE, min_size=0, max_size=4), CHANGE, st.integers(0, 3), FLOAT, FLOAT, REDUCTION, st.booleans(),
    st.none() | st.tuples(SIZE, st.sampled_from(["float32", "float64"])),
    st.sampled_from([None, None, "0.2", "2.0"]), st.sampled_from([None, None, "-1", "0"]),
)  # fmt: skip
def test_class_probabilities(
    shape: list[int], change: str, at: int, first: str, second: str, reduction: str | None, obj: bool,
    weight: tuple[int, str] | None, smoothing: str | None, ignored: str | None,
) -> None:  # fmt: skip
    options = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignored}
    if weight is not None:
        options["weight"] = tensor([weight[0]], weight[1])
    tensors = [tensor(shape, first), tensor(changed(shape, change, at), second)]
    agree(computed("cross_entropy", "CrossEntropyLoss", tensors, options, obj))


@MANY
@given(
    st.lists(SIZE, min_size=0, max_size=3), CHANGE, st.integers(0, 2), FLOAT,
    st.sampled_from(["int64"] * 6 + ["int32", "float32"]), REDUCTION, st.booleans(), st.booleans(),
    st.none() | st.tuples(SIZE, st.sampled_from(["float32", "float32", "float64"])),
    st.sampled_from([None, None, "2", "3"]),
)  # fmt: skip
def test_margins_of_classes(
    shape: list[int], change: str, at: int, first: str, second: str, reduction: str | None, obj: bool, many: bool,
    weight: tuple[int, str] | None, power: str | None,
) -> None:  # fmt: skip
    base = shape if many else shape[:-1]
    target = f"torch.zeros({changed(base, change, at)}, dtype=torch.{second})"
    if many:
        code = computed(
            "multilabel_margin_loss", "MultiLabelMarginLoss", [tensor(shape, first), target], {"reduction": reduction},
            obj,
        )  # fmt: skip
    else:
        options = {"reduction": reduction, "p": power}
        if weight is not None:
            options["weight"] = tensor([weight[0]], weight[1])
        code = computed("multi_margin_loss", "MultiMarginLoss", [tensor(shape, first), target], options, obj)
    agree(code)


@MANY
@given(
    st.sampled_from(
        [
            ("margin_ranking_loss", "MarginRankingLoss"), ("triplet_margin_loss", "TripletMarginLoss"),
        ]
    ),
    SHAPE, CHANGE, CHANGE, st.integers(0, 2), DTYPE, DTYPE, DTYPE, REDUCTION, st.booleans(),
)  # fmt: skip
def test_pairs(
    loss: tuple[str, str], shape: list[int], two: str, three: str, at: int, a: str, b: str, c: str,
    reduction: str | None, obj: bool,
) -> None:  # fmt: skip
    tensors = [tensor(shape, a), tensor(changed(shape, two, at), b), tensor(changed(shape, three, at + 1), c)]
    agree(computed(*loss, tensors, {"reduction": reduction}, obj))


@FEW
@given(
    st.lists(SIZE, min_size=1, max_size=3), CHANGE, CHANGE, st.integers(0, 2), DTYPE, DTYPE, DTYPE, REDUCTION,
    st.booleans(),
)  # fmt: skip
def test_cosine(
    shape: list[int], two: str, three: str, at: int, a: str, b: str, c: str, reduction: str | None, obj: bool
) -> None:
    tensors = [tensor(shape, a), tensor(changed(shape, two, at), b), tensor(changed(shape[:-1], three, at), c)]
    code = computed("cosine_embedding_loss", "CosineEmbeddingLoss", tensors, {"reduction": reduction}, obj)
    (agree if len(changed(shape, two, at)) == len(shape) else sound)(code)


@FEW
@given(SHAPE, CHANGE, CHANGE, st.integers(0, 2), DTYPE, REDUCTION, st.booleans())
def test_gaussian(
    shape: list[int], two: str, three: str, at: int, dtype: str, reduction: str | None, obj: bool
) -> None:
    tensors = [
        tensor(shape, dtype),
        tensor(changed(shape, two, at), "float32"),
        tensor(changed(shape, three, at), "float32"),
    ]
    sound(computed("gaussian_nll_loss", "GaussianNLLLoss", tensors, {"reduction": reduction}, obj))


@settings(max_examples=25, deadline=None)
@given(SIZE, st.integers(3, 5), SIZE, st.booleans(), REDUCTION, st.booleans())
def test_ctc(steps: int, classes: int, batch: int, batched: bool, reduction: str | None, obj: bool) -> None:
    scores = [steps + 2, batch, classes] if batched else [steps + 2, classes]
    lengths = f"({steps + 2},)" + (f" * {batch}" if batched else "")
    targets = f"torch.ones({[batch, 2] if batched else [2]}, dtype=torch.int64)"
    sound(
        computed(
            "ctc_loss", "CTCLoss",
            [f"torch.randn({scores}).log_softmax(-1)", targets, lengths, "(2,)" + (f" * {batch}" if batched else "")],
            {"reduction": reduction}, obj,
        )
    )  # fmt: skip


def test_batches() -> None:
    symbolic("y = F.cross_entropy(torch.zeros(B, 3), torch.zeros(B, dtype=torch.int64), reduction='none')\n", B=4)
    symbolic("y = F.cross_entropy(torch.zeros(B, 3, 2), torch.zeros(B, 2).long(), reduction='none')\n", B=4)
    symbolic("y = nn.MSELoss(reduction='none')(torch.zeros(B, 3), torch.zeros(B, 3))\n", B=4)
    symbolic("y = nn.BCELoss(reduction='none')(torch.zeros(B, 3), torch.zeros(B, 3))\n", B=4)


def test_what_is_assigned_later_counts() -> None:
    agree("loss = nn.MSELoss()\nloss.reduction = 'none'\ny = loss(torch.zeros(4, 2), torch.zeros(4, 2))\n")
    agree("loss = nn.NLLLoss()\nloss.reduction = 'none'\ny = loss(torch.zeros(4, 2), torch.zeros(4).long())\n")
