"""Weights of torchvision that change what is built: a classifier of other classes, an image of another size.

The shipped sources of torchvision's models (`ops/library`) ask `verify` what the weights that were given say. All other
weights have the classes and the image size that the model has anyway.
"""

from __future__ import annotations

from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Ext, Mapping, Obj, Seq, Unknown, Value, alternatives, is_none, truth

# the image size that position embeddings are made for, by the kind of weights and the last part of its name
SIZES = {
    ("ViT_B_16_Weights", "IMAGENET1K_SWAG_E2E_V1"): 384,
    ("ViT_L_16_Weights", "IMAGENET1K_SWAG_E2E_V1"): 512,
    ("ViT_H_14_Weights", "IMAGENET1K_SWAG_E2E_V1"): 518,
    ("ViT_H_14_Weights", "DEFAULT"): 518,
}
CLASSES = {"FCN": 21, "DeepLabV3": 21, "LRASPP": 21}


@op("torchvision.models._api.verify")
def verify(call: OpCall) -> Value:
    """`verify("ViT_B_16_Weights", weights, pretrained)`: None, or what the weights say in `meta`."""
    kind, weights, pretrained = call.const(0, "kind"), call.arg(1, "weights"), call.arg(2, "pretrained")
    if weights is None or is_none(weights):
        if pretrained is None or truth(pretrained) is False:
            return Const(None)
        weights = Const("IMAGENET1K_V1") if truth(pretrained) else pretrained
    told = [meta(str(kind), option) for option in alternatives(weights) if not is_none(option)]
    classes = next((n for name, n in CLASSES.items() if str(kind).startswith(name)), 1000)
    if any(size is None for size in told) or len(set(told)) != 1:
        return Unknown("weights")
    if str(kind).startswith("ViT") and told[0] == 224:
        return Const(None)
    if any(is_none(option) for option in alternatives(weights)):
        return Unknown("weights")
    side = Const(told[0])
    result = Obj("torchvision.models.Weights", "weights", call.node)
    result.attrs["meta"] = Mapping({"categories": Const(classes), "min_size": Seq("tuple", [side, side])}, False)
    return result


def meta(kind: str, weights: Value) -> int | None:
    """The image size of weights that were given as `Kind.NAME` or as "NAME"; None for anything else."""
    name = weights.name if isinstance(weights, Ext) else weights.value if isinstance(weights, Const) else None
    return SIZES.get((kind, name.rpartition(".")[2]), 224) if isinstance(name, str) else None
