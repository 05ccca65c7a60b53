"""Named models as data: what torchvision, timm and transformers build for a name (`tools/gen_models.py` writes it)."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any


@cache
def table(library: str) -> dict[str, Any]:
    """The table of `torchvision`, `timm` or `transformers`, read when a name is first looked up."""
    text = (files("trainlint.ops") / "tables" / f"{library}_models.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def entry(library: str, name: str) -> dict[str, Any] | None:
    """What is known of a model: `parameters`, `classes`, `channels`, `head`, `features`, `first`, ….

    The keys are those of `tools/gen_models.py`. timm names may have a tag (`resnet50.a1_in1k`) and the hub's prefix;
    `size` is (height, width), `mean`, `std`, `interpolation`, `crop` and `crop_mode` the preprocessing.
    """
    if library == "timm":
        return timm_entry(name)
    found: dict[str, Any] | None = table(library)["models"].get(name)
    if found is None and library == "transformers":
        return next((e for e in table(library)["models"].values() if name in e["also"]), None)
    return found


@lru_cache(maxsize=256)
def timm_entry(name: str) -> dict[str, Any] | None:
    for prefix in ("hf_hub:timm/", "hf-hub:timm/"):
        name = name.removeprefix(prefix)
    whole = table("timm")
    base, _, tag = name.partition(".")
    row = whole["models"].get(base)
    if row is None:
        return None
    result = dict(zip(whole["fields"], row, strict=True))
    if tag:
        changed = whole["tags"].get(base, {}).get(tag)
        if changed is None:
            return None
        retag(result, dict(zip(whole["tag_fields"], changed, strict=False)))
    keys = ("mean", "std", "interpolation", "crop", "crop_mode")
    result.update(zip(keys, whole["preprocess"][result.pop("preprocess")], strict=True))
    result["channels"], *result["size"] = result.pop("input")
    return result


def retag(result: dict[str, Any], changed: dict[str, Any]) -> None:
    """Weights of a tag bring their own number of classes and input; sizes of the inside stay."""
    classes = changed.get("classes", result["classes"])
    if classes != result["classes"]:
        before, after = (parameters_of(result, n) for n in (result["classes"], classes))
        result["parameters"] = after if before == result["parameters"] else None
    result.update(changed)


def parameters_of(model: dict[str, Any], classes: int) -> int | None:
    """Parameters with another number of classes, None where that is not known."""
    if classes == model["classes"]:
        count: int | None = model["parameters"]
        return count
    per_class = model.get("per_class")
    if per_class is None or model["parameters"] is None or (classes and not model["classes"]):
        return None
    if classes == 0:
        return model.get("headless")
    return int(model["parameters"]) + int(per_class) * (classes - int(model["classes"]))


def weights(name: str) -> dict[str, Any] | None:
    """The preprocessing of torchvision weights: `ResNet50_Weights.IMAGENET1K_V2` or `.DEFAULT`.

    Keys: `parameters`, `classes`, `mean`, `std`, `crop`, `resize`, `interpolation`, those that the weights have.
    """
    enum, _, member = name.rpartition("_Weights.")
    for model in table("torchvision")["models"].values():
        if model["enum"] == f"{enum}_Weights":
            found: dict[str, Any] | None = model["weights"].get(model["default"] if member == "DEFAULT" else member)
            return found
    return None
