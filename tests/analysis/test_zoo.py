"""Named models: shapes of their output, their parameters, what replacing a head changes."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

import trainlint.ops
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Violation
from trainlint.analysis.parameters import parameters_of
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Value, known
from trainlint.syntax.document import Document

assert trainlint.ops

HEAD = """\
import timm, torch
from torch import nn
from torchvision import models
from torchvision.models import ResNet50_Weights
from transformers import AutoModel, AutoModelForSequenceClassification
x = torch.randn(8, 3, 224, 224)
"""


def run(code: str) -> tuple[dict[str, Value], list[Violation]]:
    program = Program("/project/case.py", Document(HEAD + code), MemoryWorkspace({}))
    program.interpret()
    return program.file.scope.names, [f for f in program.facts if isinstance(f, Violation)]


SHAPES = {
    "m = models.resnet50(weights=ResNet50_Weights.DEFAULT)": (8, 1000),
    "m = models.resnet50(); m.fc = nn.Linear(m.fc.in_features, 10)": (8, 10),
    "m = models.vgg16(); m.classifier[6] = nn.Linear(4096, 5)": (8, 5),
    "m = models.mobilenet_v2(); m.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 7))": (8, 7),
    "m = models.vit_b_16(); m.heads.head = nn.Linear(m.heads.head.in_features, 12)": (8, 12),
    "m = models.convnext_tiny(num_classes=4)": (8, 4),
    "m = models.get_model('resnet18', weights='DEFAULT')": (8, 1000),
    "m = timm.create_model('vit_base_patch16_224', pretrained=True, num_classes=100)": (8, 100),
    "m = timm.create_model('vit_base_patch16_224.augreg_in21k')": (8, 21843),
    "m = timm.create_model('convnext_tiny', num_classes=0)": (8, 768),
    "m = timm.create_model('resnet18'); m.reset_classifier(6)": (8, 6),
    "m = timm.create_model('resnet18'); m.fc = nn.Linear(m.num_features, 3)": (8, 3),
}


@pytest.mark.parametrize("code", SHAPES)
def test_the_output_has_the_classes_of_the_head(code: str) -> None:
    names, violations = run(f"{code}\ny = m(x)\n")
    result = names["y"]
    assert not violations
    assert isinstance(result, Array)
    assert result.shape is not None
    assert tuple(size.value if isinstance(size, Const) else None for size in result.shape) == SHAPES[code]
    assert result.range == "logits"


PARAMETERS = {
    "m = models.resnet50()": 25_557_032,
    "m = models.resnet50(weights='DEFAULT'); m.fc = nn.Linear(m.fc.in_features, 10)": 23_528_522,
    "m = models.vgg16(num_classes=10)": 134_301_514,
    "m = models.vgg16(); m.classifier[6] = nn.Linear(4096, 10)": 134_301_514,
    "m = timm.create_model('resnet50', num_classes=0)": 23_508_032,
    "m = timm.create_model('resnet50', in_chans=1)": 25_557_032 - 2 * 64 * 49,
    "m = AutoModel.from_pretrained('bert-base-uncased')": 109_482_240,
    "m = AutoModelForSequenceClassification.from_pretrained('bert-base-uncased', num_labels=3)": 109_484_547,
}


@pytest.mark.parametrize("code", PARAMETERS)
def test_parameters_follow_the_head(code: str) -> None:
    names, _ = run(code + "\n")
    assert known(parameters_of(names["m"]).count) == PARAMETERS[code]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("m = models.resnet50(); m.fc = nn.Linear(512, 10); m(x)", "features"),
        ("m = timm.create_model('resnet18', in_chans=1); m(x)", "channels"),
        ("m = models.resnet18(); m(torch.randn(3, 224, 224))", "rank"),
    ],
)
def test_what_pytorch_refuses(code: str, kind: str) -> None:
    assert [v.kind for v in run(code + "\n")[1]] == [kind]


@pytest.mark.parametrize(
    "code",
    [
        "m = models.resnet18(); m.conv1 = nn.Conv2d(1, 64, 7); m(torch.randn(2, 1, 64, 64))",
        "m = models.inception_v3(); y = m(x)",
        "m = timm.create_model(name); y = m(torch.randn(2, 1, 64, 64))",
        "m = timm.create_model('resnet18', features_only=True); y = m(x)",
        "m = models.detection.fasterrcnn_resnet50_fpn(); y = m([x[0]])",
        "m = models.resnet18(); m.fc = nn.Identity(); y = m(x)",
    ],
)
def test_what_pytorch_accepts(code: str) -> None:
    assert not run(code + "\n")[1]


def test_configuration_of_a_transformer() -> None:
    names, _ = run("m = AutoModel.from_pretrained('google-bert/bert-base-uncased')\nwidth = m.config.hidden_size\n")
    width = names["width"]
    assert isinstance(width, Const)
    assert width.value == 768


def test_the_range_of_the_output_is_that_of_the_head() -> None:
    """A head that ends in `LogSoftmax` gives log-probabilities, one that is not known anything."""
    head = "nn.Sequential(nn.Linear(1024, 2), nn.LogSoftmax(dim=1))"
    names, _ = run(f"m = models.densenet121(); m.classifier = {head}; y = m(torch.rand(8, 3, 224, 224))")
    plain, _ = run("m = models.densenet121(); y = m(torch.rand(8, 3, 224, 224))")
    unknown, _ = run("m = models.densenet121(); m.classifier = head(); y = m(torch.rand(8, 3, 224, 224))")
    assert [getattr(n["y"], "range", "") for n in (names, plain, unknown)] == ["logprob", "logits", None]


@pytest.mark.parametrize(
    ("code", "violated"),
    [
        ("m.features = nn.Sequential(*layers)", False),
        ("m.features = nn.Sequential(nn.Conv2d(3, 128, 3), nn.ReLU())", False),
        ("m.features[0] = nn.Conv2d(3, 64, 3, padding=1)", True),
        ("m.eval()", True),
    ],
)
def test_the_features_are_those_of_the_body_that_it_has(code: str, violated: bool) -> None:
    """A head for other features is wrong, unless the body was replaced as well."""
    _, found = run(f"m = models.vgg11()\n{code}\nm.classifier = nn.Linear(128 * 49, 10)\ny = m(x)\n")
    assert bool(found) == violated
