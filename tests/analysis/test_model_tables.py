"""The tables of named models: complete, well-formed, and with the numbers that the models are published with."""

from __future__ import annotations

import ast
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from trainlint.ops import zoo_tables

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "gen_models.py"
# torchvision's and timm's documentation, the papers' repositories
PUBLISHED = {
    ("torchvision", "alexnet"): 61_100_840,
    ("torchvision", "resnet18"): 11_689_512,
    ("torchvision", "resnet50"): 25_557_032,
    ("torchvision", "vgg16"): 138_357_544,
    ("torchvision", "mobilenet_v2"): 3_504_872,
    ("torchvision", "densenet121"): 7_978_856,
    ("torchvision", "efficientnet_b0"): 5_288_548,
    ("torchvision", "vit_b_16"): 86_567_656,
    ("torchvision", "convnext_tiny"): 28_589_128,
    ("torchvision", "regnet_y_400mf"): 4_344_144,
    ("timm", "resnet50"): 25_557_032,
    ("timm", "vit_base_patch16_224"): 86_567_656,
    ("timm", "efficientnet_b0"): 5_288_548,
    ("timm", "convnext_tiny"): 28_589_128,
}
TRANSFORMERS = {
    "BertModel bert-base-uncased": 109_482_240,
    "BertModel bert-large-uncased": 335_141_888,
    "DistilBertModel distilbert-base-uncased": 66_362_880,
    "RobertaModel roberta-base": 124_645_632,
    "GPT2LMHeadModel gpt2": 124_439_808,
    "GPT2LMHeadModel gpt2-medium": 354_823_168,
    "GPT2LMHeadModel gpt2-xl": 1_557_611_200,
    "T5ForConditionalGeneration t5-small": 60_506_624,
    "T5ForConditionalGeneration t5-base": 222_903_552,
    "ViTModel google/vit-base-patch16-224": 86_389_248,
}


@pytest.mark.parametrize(("library", "name"), PUBLISHED)
def test_parameters_are_those_published(library: str, name: str) -> None:
    entry = zoo_tables.entry(library, name)
    assert entry is not None
    assert entry["parameters"] == PUBLISHED[library, name]


@pytest.mark.parametrize("names", TRANSFORMERS)
def test_parameters_of_transformers_are_those_published(names: str) -> None:
    cls, name = names.split()
    entry = zoo_tables.entry("transformers", name)
    assert entry is not None
    assert entry["classes"][cls][0] == TRANSFORMERS[names]


def test_weights_have_the_parameters_that_torchvision_states() -> None:
    """The count of the built model is that of the weights, but for weights with other inputs and auxiliary heads."""
    different = set()
    for name, entry in zoo_tables.table("torchvision")["models"].items():
        if entry["default"] and entry["weights"][entry["default"]]["parameters"] != entry["parameters"]:
            different.add((entry["task"], name))
    assert {name for task, name in different if task == "classification"} == {"googlenet", "vit_h_14"}


def test_a_tag_brings_its_own_classes() -> None:
    plain, tagged = (zoo_tables.entry("timm", f"vit_base_patch16_224{tag}") for tag in ("", ".augreg_in21k"))
    assert plain is not None
    assert tagged is not None
    assert (plain["classes"], tagged["classes"]) == (1000, 21843)
    assert tagged["parameters"] - plain["parameters"] == 769 * (21843 - 1000)
    assert zoo_tables.entry("timm", "hf_hub:timm/vit_base_patch16_224.augreg_in21k") == tagged
    assert zoo_tables.entry("timm", "vit_base_patch16_224.no_such_tag") is None


def test_another_number_of_classes() -> None:
    resnet = zoo_tables.entry("timm", "resnet50")
    assert resnet is not None
    assert zoo_tables.parameters_of(resnet, 10) == 23_528_522
    assert zoo_tables.parameters_of(resnet, 0) == 23_508_032


def test_weights_by_the_name_of_their_enumeration() -> None:
    found = zoo_tables.weights("ResNet50_Weights.DEFAULT")
    assert found is not None
    assert (found["crop"], found["resize"], found["mean"]) == ([224], [232], [0.485, 0.456, 0.406])
    assert zoo_tables.weights("ResNet50_Weights.NO_SUCH") is None


def schema(name: str) -> Any:
    """A constant of the generator, read without running it (it needs the libraries)."""
    for node in ast.parse(GENERATOR.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            code = compile(ast.Expression(value), "schema", "eval")
            return eval(code, {})
    raise KeyError(name)


@pytest.mark.parametrize(("library", "least"), [("torchvision", 100), ("timm", 1300), ("transformers", 30)])
def test_a_table_is_complete_and_small(library: str, least: int) -> None:
    table = zoo_tables.table(library)
    assert len(table["models"]) >= least
    assert table["versions"][library]
    assert (files("trainlint.ops") / "tables" / f"{library}_models.json").stat().st_size < 300_000  # type: ignore[attr-defined]


def test_entries_have_the_keys_of_the_generator() -> None:
    timm = zoo_tables.table("timm")
    assert tuple(timm["fields"]) == tuple(schema("TIMM_FIELDS"))
    for name, row in timm["models"].items():
        entry = dict(zip(timm["fields"], row, strict=True))
        assert entry["parameters"] > 0, name
        assert 0 <= entry["preprocess"] < len(timm["preprocess"]), name
        assert len(entry["input"]) == 3, name
    for name, entry in zoo_tables.table("torchvision")["models"].items():
        assert entry.keys() <= set(schema("TORCHVISION_FIELDS")), name
        assert entry["parameters"] > 0, name
        if entry["task"] == "classification":
            assert entry["head"], name
            assert entry["features"], name
    for name, entry in zoo_tables.table("transformers")["models"].items():
        assert entry.keys() <= set(schema("TRANSFORMERS_FIELDS")), name
        assert entry["classes"], name


@pytest.mark.parametrize("name", ["resnet34", "densenet161", "mobilenet_v3_small", "efficientnet_b3", "swin_t"])
@pytest.mark.parametrize("classes", [10, 1000])
def test_torchvision_builds_what_the_table_says(name: str, classes: int) -> None:
    torch, models = pytest.importorskip("torch"), pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        model = getattr(models, name)(num_classes=classes)
    entry = zoo_tables.entry("torchvision", name)
    assert entry is not None
    assert zoo_tables.parameters_of(entry, classes) == sum(p.numel() for p in model.parameters())
    assert model.get_submodule(entry["head"]).in_features == entry["features"]


@pytest.mark.parametrize(
    "name",
    ["resnet26d", "tf_efficientnet_b1", "vit_small_patch16_224.augreg_in21k", "convnext_nano", "mixer_b16_224"],
)
@pytest.mark.parametrize("classes", [0, 7])
def test_timm_builds_what_the_table_says(name: str, classes: int) -> None:
    torch, timm = pytest.importorskip("torch"), pytest.importorskip("timm")
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False, num_classes=classes).eval()
        entry = zoo_tables.entry("timm", name)
        assert entry is not None
        result = model(torch.empty(2, entry["channels"], *entry["size"]))
    assert zoo_tables.parameters_of(entry, classes) == sum(p.numel() for p in model.parameters())
    assert tuple(result.shape) == (2, classes or entry["pooled"])
