"""Models of timm that are followed by a shipped source (`ops/library/timm`), where a tape is kept."""

from __future__ import annotations

import re
from typing import Any

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Const, Func, Value, is_none

# what says which weights are read, not what is built
READING = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "model_name", "checkpoint_path"}
)
# width, depth and heads of the sizes of ViT and DeiT
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
NAMES: dict[str, str] = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), "residual"),
    **dict.fromkeys(("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"), "residual"),
    **dict.fromkeys(("wide_resnet50_2", "wide_resnet101_2"), "residual"),
    **dict.fromkeys(("densenet121", "densenet161", "densenet169", "densenet201"), "dense"),
    **{f"efficientnet_b{n}": "efficient" for n in range(5)},
    **{f"vgg{n}{norm}": "plain" for n in (11, 13, 16, 19) for norm in ("", "_bn")},
    "mobilenetv3_large_100": "mobile",
    **dict.fromkeys(("convnext_tiny", "convnext_small", "convnext_base", "convnext_large"), "convnext"),
}
WINDOWS = re.compile(r"(swin_(?:tiny|small|base|large))_patch4_window(\d+)_(\d+)")
# the options that are followed
OPTIONS = {
    "residual": {"in_chans", "drop_rate"},
    "dense": {"drop_rate"},
    "efficient": {"drop_rate", "drop_path_rate"},
    "plain": {"drop_rate"},
    "mobile": {"drop_rate"},
    "convnext": {"in_chans", "drop_rate", "drop_path_rate"},
    "shifted": {"in_chans", "drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"},
    "transformer": {
        *("img_size", "in_chans", "drop_rate", "pos_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"),
        "init_values",
    },
}


def inside(call: OpCall, name: str, found: dict[str, Any]) -> Value | None:
    """The model with its inside, None where it is not among the shipped ones or has other options."""
    if call.run.program.tape is None or "**" in call.kwargs or len(call.args) > 2:
        return None
    base = name.removeprefix("hf_hub:timm/").removeprefix("hf-hub:timm/").partition(".")[0]
    sizes, maker = transformer(base), NAMES.get(base)
    if sizes is not None:
        maker = "transformer"
    elif (shifted := WINDOWS.fullmatch(base)) is not None:
        maker, base = "shifted", shifted[1]
        sizes = {"window_size": Const(int(shifted[2])), "img_size": Const(int(shifted[3]))}
    if maker is None:
        return None
    kwargs = {key: value for key, value in call.kwargs.items() if key not in READING and not is_none(value)}
    classes = kwargs.pop("num_classes", None) or Const(found["classes"])
    if isinstance(pool := kwargs.get("global_pool"), Const) and pool.value == (
        "token" if maker == "transformer" else "avg"
    ):
        del kwargs["global_pool"]
    if kwargs.keys() - OPTIONS[maker] or not isinstance(classes, Const):
        return None
    module = "timm.swin" if maker == "shifted" else "timm.models"
    function = call.run.program.external(f"{module}.{maker}")
    if not isinstance(function, Func):
        return None
    given = {**(sizes or {}), **kwargs, "num_classes": classes}
    return invoke(call.run, call.scope, function, [Const(base)], given, call.node)


def transformer(name: str) -> dict[str, Value] | None:
    """The sizes of `vit_base_patch16_224` or `deit_small_patch16_224`, None for other names."""
    parts = name.split("_")
    if len(parts) != 4 or parts[0] not in ("vit", "deit") or parts[1] not in SIZES:
        return None
    patch, image = parts[2].removeprefix("patch"), parts[3]
    if not (parts[2].startswith("patch") and patch.isdigit() and image.isdigit()):
        return None
    width, depth, heads = SIZES[parts[1]]
    numbers = {"img_size": int(image), "patch_size": int(patch), "embed_dim": width, "depth": depth, "num_heads": heads}
    return {key: Const(value) for key, value in numbers.items()}
