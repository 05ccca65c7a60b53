"""Losses: which value of the input each expects, reported with the value it gets."""

from __future__ import annotations

from trainlint.analysis.facts import Loss
from trainlint.analysis.registry import OpCall, called, kind, op
from trainlint.analysis.values import Array, Const, Obj, Value
from trainlint.syntax import ir

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
for _name in CLASSES:
    kind("loss", _name)
kind(
    "loss", "timm.loss.*", "kornia.losses.*", "segmentation_models_pytorch.losses.*", "pytorch_metric_learning.losses.*"
)


@called("loss")
def loss_object(call: OpCall) -> Value | None:
    """`criterion(output, target)`."""
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    return report(call, CLASSES.get(obj.name, obj.name), obj)


@op(
    *(f"torch.nn.functional.{name}" for name in sorted(set(CLASSES.values()))), "torch.binary_cross_entropy_with_logits"
)
def loss_function(call: OpCall) -> Value | None:
    return report(call, call.name.rpartition(".")[2], None)


def report(call: OpCall, name: str, obj: Obj | None) -> Array:
    """Record the loss and give a scalar tensor that hangs on the input's graph."""
    inputs, target = call.arg(0, "input"), call.arg(1, "target")
    attached = isinstance(inputs, Array) and inputs.grad is False and isinstance(target, Array) and target.grad is False
    result = Array(range=None, grad=not attached and call.run.grad, origin=call.step(name))
    result.likely = isinstance(inputs, Array) and inputs.likely
    if isinstance(call.node, ir.Call):
        call.run.fact(Loss(name, call.node, call.scope.file, inputs, target, result, obj, call.kwargs))
    call.run.event(
        "loss", call.node, call.scope, obj if obj is not None else Const(name), result, tuple(call.args), name
    )
    return result
