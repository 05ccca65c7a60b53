"""Losses of torch: what each expects of its input and target, the shape and dtype of the result, what is reported.

One handler for each loss, under the name of its function in `torch.nn.functional`; the classes of `torch.nn` call the
same ones with the options that they were built with. The handlers stand in `elementwise_losses`, `class_losses` and
`pair_losses`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Loss, ViolationKind
from trainlint.analysis.registry import OpCall, called, kind, op
from trainlint.analysis.values import Const, Obj, Unknown, Value, is_none
from trainlint.ops.broadcast import Shape, device_of, same_device
from trainlint.syntax import ir

LEGACY = "size_average reduce reduction"
# function → its tensors, its options in the order of the function; a class takes the same options without the tensors
PARAMETERS: dict[str, tuple[str, str]] = {
    "cross_entropy": ("input target", "weight size_average ignore_index reduce reduction label_smoothing"),
    "nll_loss": ("input target", "weight size_average ignore_index reduce reduction"),
    "binary_cross_entropy": ("input target", f"weight {LEGACY}"),
    "binary_cross_entropy_with_logits": ("input target", f"weight {LEGACY} pos_weight"),
    "mse_loss": ("input target", f"{LEGACY} weight"),
    "l1_loss": ("input target", f"{LEGACY} weight"),
    "smooth_l1_loss": ("input target", f"{LEGACY} beta"),
    "huber_loss": ("input target", "reduction delta weight"),
    "kl_div": ("input target", f"{LEGACY} log_target"),
    "soft_margin_loss": ("input target", LEGACY),
    "hinge_embedding_loss": ("input target", f"margin {LEGACY}"),
    "poisson_nll_loss": ("input target", "log_input full size_average eps reduce reduction"),
    "gaussian_nll_loss": ("input target var", "full eps reduction"),
    "multi_margin_loss": ("input target", f"p margin weight {LEGACY}"),
    "multilabel_margin_loss": ("input target", LEGACY),
    "multilabel_soft_margin_loss": ("input target", f"weight {LEGACY}"),
    "margin_ranking_loss": ("input1 input2 target", f"margin {LEGACY}"),
    "cosine_embedding_loss": ("input1 input2 target", f"margin {LEGACY}"),
    "triplet_margin_loss": ("anchor positive negative", f"margin p eps swap {LEGACY}"),
    "ctc_loss": ("log_probs targets input_lengths target_lengths", "blank reduction zero_infinity"),
}
CLASSES = {
    "torch.nn.CrossEntropyLoss": "cross_entropy",
    "torch.nn.NLLLoss": "nll_loss",
    "torch.nn.BCELoss": "binary_cross_entropy",
    "torch.nn.BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "torch.nn.MSELoss": "mse_loss",
    "torch.nn.L1Loss": "l1_loss",
    "torch.nn.SmoothL1Loss": "smooth_l1_loss",
    "torch.nn.HuberLoss": "huber_loss",
    "torch.nn.KLDivLoss": "kl_div",
    "torch.nn.MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "torch.nn.MultiLabelMarginLoss": "multilabel_margin_loss",
    "torch.nn.MultiMarginLoss": "multi_margin_loss",
    "torch.nn.SoftMarginLoss": "soft_margin_loss",
    "torch.nn.PoissonNLLLoss": "poisson_nll_loss",
    "torch.nn.GaussianNLLLoss": "gaussian_nll_loss",
    "torch.nn.CTCLoss": "ctc_loss",
    "torch.nn.TripletMarginLoss": "triplet_margin_loss",
    "torch.nn.CosineEmbeddingLoss": "cosine_embedding_loss",
    "torch.nn.MarginRankingLoss": "margin_ranking_loss",
    "torch.nn.HingeEmbeddingLoss": "hinge_embedding_loss",
    "torch.nn.LabelSmoothingCrossEntropy": "cross_entropy",
}
# the target is the last tensor, where it has another name
TARGETS = {"ctc_loss": "targets", "triplet_margin_loss": "positive"}
for _name in CLASSES:
    kind("loss", _name)
kind(
    "loss", "timm.loss.*", "kornia.losses.*", "segmentation_models_pytorch.losses.*", "pytorch_metric_learning.losses.*"
)


@dataclass(slots=True)
class Terms:
    """One computation of a loss: its tensors and options by name, wherever they were given."""

    call: OpCall
    name: str
    # the name that a message shows: `CrossEntropyLoss` or `cross_entropy`
    shown: str
    obj: Obj | None
    tensors: dict[str, Value]

    def tensor(self, name: str) -> Array | None:
        value = self.tensors.get(name)
        return value if isinstance(value, Array) else None

    def option(self, name: str, default: object = None) -> Value:
        """An option of the loss, its default where it was not given, Unknown where that is not certain."""
        names = PARAMETERS[self.name][1].split()
        if self.obj is not None:
            if name in self.obj.attrs:
                return self.obj.attrs[name]
            source: Obj | OpCall = self.obj
            index = names.index(name)
        else:
            source = self.call
            index = len(PARAMETERS[self.name][0].split()) + names.index(name)
        if name in source.kwargs:
            return source.kwargs[name]
        if "*" in source.kwargs:
            return Unknown(name)
        if index < len(source.args):
            return source.args[index]
        return Unknown(name) if "**" in source.kwargs else Const(default)

    def require(self, holds: bool | None, sort: ViolationKind, *values: Value, **names: Value | str) -> bool:
        """State a requirement of the loss; see `OpCall.require`."""
        return self.call.require(holds, sort, *values, op=self.shown, **names)


@dataclass(slots=True)
class Outcome:
    """What a loss makes of its tensors: the shape before the reduction (None: not known), the dtype of the result.

    `reductions` are the words that this loss takes.
    """

    shape: Shape | None = None
    dtype: str | None = None
    reductions: tuple[str, ...] = ("mean", "sum", "none", "elementwise_mean")
    # a mean or sum of one sample without a batch stays what it is
    single: bool = field(default=False)


Handler: TypeAlias = "Callable[[Terms], Outcome | None]"
# name of the function → what it does; None from a handler where a requirement is violated
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register what a loss makes of its tensors."""

    def register(function: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = function
        return function

    return register


@called("loss")
def loss_object(call: OpCall) -> Value | None:
    """`criterion(output, target)`."""
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    return report(call, CLASSES.get(obj.name, obj.name), obj)


@op(*(f"torch.nn.functional.{name}" for name in PARAMETERS), *(f"torch.{name}" for name in ("poisson_nll_loss",)))
def loss_function(call: OpCall) -> Value | None:
    return report(call, call.name.rpartition(".")[2], None)


@op("torch.binary_cross_entropy_with_logits", "torch.kl_div", "torch.ctc_loss")
def native_function(call: OpCall) -> Value | None:
    """The functions of `torch` itself, which take their options in another order."""
    return report(call, call.name.rpartition(".")[2], None, known=False)


def report(call: OpCall, name: str, obj: Obj | None, known: bool = True) -> Array:
    """Record the loss and give its value: one number, or one for each sample without a reduction."""
    terms = Terms(call, name, shown(name, obj), obj, tensors_of(call, name))
    result = computed(terms) if known and name in HANDLERS else Array()
    inputs = next(iter(terms.tensors.values()), None)
    target = terms.tensors.get("target", terms.tensors.get(TARGETS.get(name, "")))
    if name not in PARAMETERS:
        inputs, target = call.arg(0, "input"), call.arg(1, "target")
    plain = all(isinstance(v, Array) and v.grad is False for v in (inputs, target))
    result = result.but(tail=result.tail, range=None, grad=not plain and call.run.grad, origin=call.step(name))
    result.likely = isinstance(inputs, Array) and inputs.likely
    if isinstance(call.node, ir.Call):
        call.run.fact(Loss(name, call.node, call.scope.file, inputs, target, result, obj, call.kwargs))
    call.run.event(
        "loss", call.node, call.scope, obj if obj is not None else Const(name), result, tuple(call.args), name
    )
    return result


def shown(name: str, obj: Obj | None) -> str:
    return obj.name.rpartition(".")[2] if obj is not None else name


def tensors_of(call: OpCall, name: str) -> dict[str, Value]:
    """The tensors by name, those that were not given left out."""
    names = PARAMETERS[name][0].split() if name in PARAMETERS else []
    if "*" in call.kwargs:
        names = []
    result: dict[str, Value] = {}
    for index, tensor in enumerate(names):
        # the one class that calls its input otherwise
        value = call.arg(index, tensor) or (call.kwargs.get("log_input") if name == "poisson_nll_loss" else None)
        if value is not None:
            result[tensor] = value
    return result


def computed(terms: Terms) -> Array:
    """The value of a loss with its shape, dtype and device."""
    values = list(terms.tensors.values())
    # the lengths of sequences may stay on the CPU
    together = values[:1] if terms.name == "ctc_loss" else values
    if not same_device(terms.call, together, terms.shown):
        return Array()
    outcome = HANDLERS[terms.name](terms)
    if outcome is None:
        return Array()
    reduction = reduction_of(terms)
    if reduction is None:
        return Array(device=device_of(values))
    if not terms.require(reduction in outcome.reductions, "argument", what="reduction", got=repr(reduction)):
        return Array()
    if outcome.single or reduction != "none":
        return Array(shape=(), dtype=outcome.dtype, device=device_of(values))
    shape = outcome.shape
    if shape is None:
        return Array(dtype=outcome.dtype, device=device_of(values))
    sizes = None if shape.tail else shape.sizes
    tail = shape.sizes or None if shape.tail else None
    return Array(shape=sizes, tail=tail, dtype=outcome.dtype, device=device_of(values))


def reduction_of(terms: Terms) -> str | None:
    """`mean`, `sum`, `none` or another word that was given; None where it is not known.

    The old options `size_average` and `reduce` come before `reduction`.
    """
    names = PARAMETERS[terms.name][1].split()
    attribute = terms.obj is not None and "reduction" in terms.obj.attrs
    old = [terms.option(n) for n in ("size_average", "reduce") if n in names and not attribute]
    if any(not is_none(v) for v in old):
        if not all(isinstance(v, Const) for v in old):
            return None
        average, reduce = (v.value is None or bool(v.value) for v in old if isinstance(v, Const))
        return "none" if not reduce else "mean" if average else "sum"
    given = terms.option("reduction", "mean")
    return given.value if isinstance(given, Const) and isinstance(given.value, str) else None
