"""Writes the tables of named models below trainlint/ops/tables: torchvision, timm and transformers.

`python tools/gen_models.py [torchvision] [timm] [transformers]` needs an interpreter with those libraries. Nothing is
downloaded: models are built on the meta device from the libraries' own code and configurations, counted, and forgotten
(timm takes about ten minutes). The versions that were read stand in the tables; `trainlint/ops/zoo.py` reads them.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

OUT = Path(__file__).resolve().parent.parent / "trainlint" / "ops" / "tables"
# seconds that building one model may take
TIMEOUT = 60

# the keys of an entry; rows of the timm table have them in this order
TIMM_FIELDS = (
    "parameters",  # elements of all parameters
    "buffers",  # elements of all buffers
    "input",  # [channels, height, width] of the default configuration
    "classes",  # outputs of the classifier, 0 where there is none
    "per_class",  # parameters that one more class adds, null where that is not linear
    "headless",  # parameters with num_classes=0
    "head",  # path of the classifier, null where it is not one Linear or 1x1 Conv2d
    "features",  # in_features of the classifier
    "pooled",  # width of the output with num_classes=0
    "num_features",  # the attribute num_features
    "first",  # path of the first convolution
    "first_out",  # its output channels
    "per_channel",  # parameters that one more input channel adds
    "preprocess",  # index into the list of preprocessings: [mean, std, interpolation, crop fraction, crop mode]
    "strict",  # 1 where another input size raises
    "batched",  # 1 where an image without a batch axis raises
)
TAG_FIELDS = ("input", "classes", "preprocess")
TORCHVISION_FIELDS = frozenset(
    [
        *("task", "parameters", "buffers", "channels", "size", "classes", "per_class", "head", "features"),
        *("head_input", "layers", "first", "first_layer", "strict", "batched", "weights", "default", "enum", "aux"),
    ]
)
TRANSFORMERS_FIELDS = frozenset(["type", "config", "given", "dtype", "classes", "image", "also"])


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def built(make: Callable[[], nn.Module]) -> nn.Module:
    with limit(TIMEOUT), torch.device("meta"):
        return make()


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def buffers(model: nn.Module) -> int:
    return sum(b.numel() for b in model.buffers())


def write(name: str, table: dict[str, Any]) -> None:
    """One entry a line, so that a new version of a library gives a readable difference."""
    models = table.pop("models")
    head = json.dumps(table, separators=(",", ":"))[:-1]
    rows = ",\n".join(
        f"{json.dumps(key)}:{json.dumps(models[key], separators=(',', ':'), sort_keys=False)}" for key in sorted(models)
    )
    (OUT / f"{name}_models.json").write_text(f'{head},"models":{{\n{rows}\n}}}}\n', encoding="utf-8")
    print(f"{name}: {len(models)} models", file=sys.stderr)


def layer(module: nn.Module) -> list[Any]:
    """A layer as its class and the arguments that fix its sizes; one without an entry keeps its class only."""
    kind = type(module).__name__
    if isinstance(module, nn.Linear):
        return ["Linear", module.in_features, module.out_features, module.bias is not None]
    if isinstance(module, (nn.Conv2d, nn.Conv3d)):
        sizes = [list(module.kernel_size), list(module.stride), list(module.padding)]
        return [kind, module.in_channels, module.out_channels, *sizes, module.bias is not None, module.groups]
    if isinstance(module, (nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)):
        return [kind, module.output_size]
    if type(module).__module__.startswith("torch.nn.") and not list(module.parameters()):
        return [kind]
    if type(module) is nn.LayerNorm:
        return ["LayerNorm", list(module.normalized_shape)]
    return ["?", parameters(module)]


# --- torchvision -----------------------------------------------------------------------------------------------------


def torchvision_table() -> dict[str, Any]:
    import torchvision
    from torchvision.models import regnet

    original = regnet.BlockParams.from_init_params.__func__

    def on_cpu(cls: type, *args: Any, **kwargs: Any) -> Any:
        with torch.device("cpu"):  # RegNets compute their widths with tensors
            return original(cls, *args, **kwargs)

    regnet.BlockParams.from_init_params = classmethod(on_cpu)
    models = {}
    for name in torchvision.models.list_models():
        builder = torchvision.models.get_model_builder(name)
        parts = builder.__module__.removeprefix("torchvision.models.").split(".")
        task = parts[0] if len(parts) > 1 else "classification"
        if task == "quantization":
            continue
        models[name] = torchvision_entry(name, task)
    return {"versions": {"torch": torch.__version__, "torchvision": torchvision.__version__}, "models": models}


def torchvision_entry(name: str, task: str) -> dict[str, Any]:
    import torchvision

    builder = torchvision.models.get_model_builder(name)
    plain: dict[str, Any] = {"weights": None}
    if task in ("detection", "segmentation"):
        plain["weights_backbone"] = None
    model = built(lambda: builder(**plain))
    enum = torchvision.models.get_model_weights(name)
    first = next((path, m) for path, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Conv3d)))
    entry: dict[str, Any] = {
        "task": task,
        "parameters": parameters(model),
        "buffers": buffers(model),
        "channels": first[1].in_channels,
        "first": first[0],
        "first_layer": layer(first[1]),
        "enum": enum.__name__,
        "weights": {member.name: weights_entry(member) for member in enum},
        "default": enum.DEFAULT.name if len(enum) else None,
    }
    if task in ("classification", "video", "segmentation"):
        entry.update(torchvision_head(model, built(lambda: builder(**plain, num_classes=10))))
    if task == "classification":
        entry.update(torchvision_run(model, entry))
    return entry


def weights_entry(member: Any) -> dict[str, Any]:
    transforms = member.transforms()
    result: dict[str, Any] = {
        "parameters": member.meta["num_params"],
        "classes": len(member.meta.get("categories") or ()),
    }
    for ours, theirs in (("mean", "mean"), ("std", "std"), ("crop", "crop_size"), ("resize", "resize_size")):
        value = getattr(transforms, theirs, None)
        if value is not None:
            result[ours] = list(value)
    if hasattr(transforms, "interpolation"):
        result["interpolation"] = transforms.interpolation.value
    return result


def torchvision_head(model: nn.Module, small: nn.Module) -> dict[str, Any]:
    """The layers that num_classes changes: the classifier, and auxiliary ones."""
    changed = []
    for (path, a), (_, b) in zip(model.named_modules(), small.named_modules(), strict=True):
        out = [getattr(m, "out_features", getattr(m, "out_channels", None)) for m in (a, b)]
        if isinstance(a, (nn.Linear, nn.Conv2d, nn.Conv3d)) and out[0] != out[1]:
            changed.append((path, a, out[0]))
    main = [c for c in changed if not c[0].lower().startswith("aux")]
    if not main:
        return {}
    path, module, classes = main[-1]
    result: dict[str, Any] = {
        "classes": classes,
        "per_class": (parameters(model) - parameters(small)) // (classes - 10),
        "head": path,
        "features": getattr(module, "in_features", getattr(module, "in_channels", None)),
        "aux": [c[0] for c in changed if c not in main],
    }
    outer = path.partition(".")[0]
    children = list(model.get_submodule(outer).named_children())
    if children and "." in path:
        result["layers"] = {name: layer(child) for name, child in children}
    else:
        result["layers"] = {"": layer(module)}
    return result


def torchvision_run(model: nn.Module, entry: dict[str, Any]) -> dict[str, Any]:
    """What goes into the head for one image, whether another size or a missing batch axis raises."""
    crop = entry["weights"][entry["default"]]["crop"][0]
    if hasattr(model, "image_size"):
        crop = model.image_size
    model.eval()
    seen: list[list[int]] = []
    outer = model.get_submodule(entry["head"].partition(".")[0])
    hook = outer.register_forward_pre_hook(lambda module, args: seen.append(list(args[0].shape[1:])))
    result = model(torch.empty(2, entry["channels"], crop, crop, device="meta"))
    assert result.shape == (2, entry["classes"]), (result.shape, entry["classes"])
    hook.remove()
    return {
        "size": crop,
        "head_input": seen[0],
        "strict": raises(model, (1, entry["channels"], crop + 32, crop + 32)) and hasattr(model, "image_size"),
        "batched": raises(model, (entry["channels"], crop, crop)),
    }


def raises(model: nn.Module, shape: tuple[int, ...]) -> bool:
    try:
        model(torch.empty(shape, device="meta"))
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return True
    return False


# --- timm ------------------------------------------------------------------------------------------------------------


def timm_table() -> dict[str, Any]:
    import timm
    from timm.models import get_pretrained_cfg

    preprocess: list[list[Any]] = []

    def preprocess_of(config: dict[str, Any]) -> int:
        row = [list(config["mean"]), list(config["std"]), config["interpolation"], config["crop_pct"]]
        row.append(config.get("crop_mode") or "center")
        if row not in preprocess:
            preprocess.append(row)
        return preprocess.index(row)

    models, failed = {}, []
    for name in timm.list_models():
        try:
            models[name] = timm_row(name, preprocess_of)
        except Exception as error:  # any failure of one model leaves that model out
            failed.append(f"{name}: {type(error).__name__}: {str(error)[:80]}")
    print("\n".join(failed), file=sys.stderr)
    tags: dict[str, list[Any]] = {}
    at = {field: index for index, field in enumerate(TIMM_FIELDS)}
    for full in timm.list_models(pretrained=True):
        name = full.partition(".")[0]
        config = get_pretrained_cfg(full)
        if name not in models or config is None:
            continue
        row = [list(config.input_size), config.num_classes, preprocess_of(config.to_dict())]
        same = [models[name][at[field]] for field in TAG_FIELDS]
        tags[full] = row if row != same else []
    return {
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
        "fields": TIMM_FIELDS,
        "tag_fields": TAG_FIELDS,
        "preprocess": preprocess,
        "models": models,
        # tagged weights, empty where they are as the model's own configuration
        "tags": grouped(tags),
    }


def grouped(tags: dict[str, list[Any]]) -> dict[str, dict[str, list[Any]]]:
    result: dict[str, dict[str, list[Any]]] = {}
    for full, row in tags.items():
        name, _, tag = full.partition(".")
        result.setdefault(name, {})[tag] = row
    return result


def timm_row(name: str, preprocess_of: Callable[[dict[str, Any]], int]) -> list[Any]:
    import timm

    model = built(lambda: timm.create_model(name, pretrained=False))
    config = model.default_cfg
    count, classes = parameters(model), model.num_classes
    head = single(model, config.get("classifier"))
    first = single(model, config.get("first_conv"))
    if not isinstance(first, nn.Conv2d):
        first = None  # patches that are flattened first
    row = [count, buffers(model), list(config["input_size"]), classes]
    features = getattr(head, "in_features", getattr(head, "in_channels", None))
    strict = bool(getattr(getattr(model, "patch_embed", None), "strict_img_size", False))
    batched = strict or any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    per_channel = first.weight.numel() // first.in_channels if first is not None and first.groups == 1 else None
    head_path = config["classifier"] if head is not None else None
    pooled, wide = getattr(model, "head_hidden_size", None), model.num_features
    per_class, headless = slopes(model, count, classes)
    row += [per_class, headless, head_path, features, pooled, wide]
    row += [config["first_conv"] if first is not None else None, getattr(first, "out_channels", None), per_channel]
    return [*row, preprocess_of(config), int(strict), int(batched)]


def single(model: nn.Module, path: object) -> nn.Module | None:
    """The one layer at a path, None where there are several or it is no plain layer."""
    if not isinstance(path, str):
        return None
    try:
        module = model.get_submodule(path)
    except AttributeError:
        return None
    return module if type(module) is nn.Linear or isinstance(module, nn.Conv2d) else None


def slopes(model: nn.Module, count: int, classes: int) -> tuple[int | None, int | None]:
    """(parameters a class, parameters without a classifier), after the model's own reset_classifier."""
    try:
        with torch.device("meta"):
            model.reset_classifier(10)
            ten = parameters(model)
            model.reset_classifier(20)
            per_class, rest = divmod(parameters(model) - ten, 10)
            model.reset_classifier(0)
            none = parameters(model)
    except (AttributeError, TypeError, AssertionError, NotImplementedError, RuntimeError):
        return None, None
    if rest or (classes and count != ten + per_class * (classes - 10)):
        return None, None
    return per_class, none


# --- transformers ----------------------------------------------------------------------------------------------------


def transformers_table() -> dict[str, Any]:
    import transformers
    from transformers_names import HALF, NAMES

    models = {}
    for name, (family, also, given) in NAMES.items():
        config_class = getattr(transformers, f"{family}Config")
        classes = {}
        for suffix in SUFFIXES:
            cls = getattr(transformers, family + suffix, None)
            if cls is not None and suffix != "":
                counted = transformers_count(cls, config_class, given)
                if counted is not None:
                    classes[family + suffix] = counted
        models[name] = {
            "type": family,
            "also": also,
            "config": sizes_of(config_class(**given)),
            "given": given,
            "classes": classes,
        }
        if name in HALF:
            models[name]["dtype"] = HALF[name]
        if family in ("ViT", "DeiT", "Swin", "ConvNext", "Dinov2", "Beit"):
            models[name]["image"] = IMAGES.get(family, IMAGENET)
    return {"versions": {"torch": torch.__version__, "transformers": transformers.__version__}, "models": models}


SUFFIXES = (
    *("Model", "LMHeadModel", "ForCausalLM", "ForMaskedLM", "ForConditionalGeneration", "ForPreTraining"),
    *("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"),
    *("ForImageClassification", "EncoderModel"),
)
CONFIG = (
    *("hidden_size", "vocab_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    *("max_position_embeddings", "type_vocab_size", "d_model", "d_ff", "n_positions", "n_embd", "dim", "image_size"),
    *("patch_size", "num_channels", "pad_token_id"),
)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
IMAGES = {"ViT": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}, "Beit": {"mean": [0.5] * 3, "std": [0.5] * 3}}


def sizes_of(config: Any) -> dict[str, int]:
    values = {key: getattr(config, key, None) for key in CONFIG}
    return {key: value for key, value in values.items() if isinstance(value, int) and not isinstance(value, bool)}


def transformers_count(cls: Any, config_class: Any, given: dict[str, Any]) -> list[int] | None:
    """[parameters with two labels, parameters that one more label adds]."""
    counts = []
    try:
        for labels in (2, 2) if cls.__name__.endswith("ForQuestionAnswering") else (2, 3):
            config = config_class(**given, num_labels=labels)
            counts.append(parameters(built(lambda: cls(config))))  # noqa: B023
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        print(f"{cls.__name__}: {error}", file=sys.stderr)
        return None
    return [counts[0], counts[1] - counts[0]]


TABLES = {"torchvision": torchvision_table, "timm": timm_table, "transformers": transformers_table}


def main() -> None:
    warnings.simplefilter("ignore")
    OUT.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or list(TABLES):
        write(name, TABLES[name]())


if __name__ == "__main__":
    main()
