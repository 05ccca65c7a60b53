"""How many parameters a model has: named models with exchanged parts, symbols as sizes, what is only partly known."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

import trainlint.ops
from trainlint.analysis import dims
from trainlint.analysis.parameters import buffers_of, parameters_of, size_in_bytes
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Value
from trainlint.syntax.document import Document

assert trainlint.ops
HEAD = "import timm, torch, torchvision\nfrom torch import nn\nfrom torchvision import models\n"


def model(code: str, **sizes: int) -> Value:
    """The value of `m`; the names of `sizes` are symbols that usually have these sizes."""
    program = Program("/project/a.py", Document(HEAD + code), MemoryWorkspace({}))
    for name, size in sizes.items():
        program.file.scope.names[name] = dims.symbol(name, value=Const(size))
    program.interpret()
    return program.file.scope.names["m"]


# counted with torchvision 0.29 and timm 1.0
@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("m = models.resnet18()", 11_689_512),
        ("m = models.resnet18(num_classes=10)", 11_181_642),
        ("m = models.resnet18(weights='DEFAULT')\nm.fc = nn.Linear(m.fc.in_features, 10)", 11_181_642),
        ("m = models.resnet18()\nm.fc = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 2))", 11_209_474),
        ("m = models.resnet18()\nm.fc = nn.Identity()", 11_176_512),
        ("m = models.resnet18()\nm.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)", 11_683_240),
        ("m = models.vgg16()\nm.classifier[6] = nn.Linear(4096, 10)", 134_301_514),
        ("m = models.vgg16()\nm.classifier = nn.Linear(25088, 10)", 14_965_578),
        ("m = models.vgg16()\nm.classifier.add_module('7', nn.Linear(1000, 2))", 138_359_546),
        ("m = models.mobilenet_v2()\nm.classifier[1] = nn.Linear(1280, 5)", 2_230_277),
        ("m = nn.Sequential(models.resnet18(), nn.Linear(1000, 2))", 11_691_514),
        ("m = timm.create_model('resnet50', num_classes=10)", 23_528_522),
    ],
)
def test_named_models(code: str, count: int) -> None:
    found = parameters_of(model(code))
    assert found.unknown == {}
    assert dims.usual(found.count) == count


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("m = models.resnet18()\nm.layer4 = nn.Identity()", "what `layer4` held before it was replaced is not known"),
        ("import other\nm = nn.Sequential(nn.Linear(2, 3), other.block())", "child 1 is not known"),
        ("m = models.detection.fasterrcnn_resnet50_fpn(trainable_backbone_layers=2)", "its arguments change what"),
    ],
)
def test_a_number_is_never_invented(code: str, why: str) -> None:
    found = parameters_of(model(code))
    assert dims.usual(found.count) is None
    assert any(reason.startswith(why) for reason in found.unknown.values()), found.unknown


def test_what_is_known_is_counted() -> None:
    found = parameters_of(model("import other\nm = nn.Sequential(nn.Linear(2, 3), other.block())"))
    assert dims.usual(found.least) == 9


def test_sizes_may_be_symbols() -> None:
    value = model("m = nn.Sequential(nn.Linear(d, 2 * d), nn.LayerNorm(2 * d))", d=8)
    found = parameters_of(value)
    assert dims.text(found.count) == "2*d*d+6*d"
    assert dims.usual(found.count) == 176
    assert dims.text(size_in_bytes(found.tensors)) == "8*d*d+24*d"


def test_one_of_two_layers_of_the_same_size() -> None:
    code = "import other\nm = nn.Sequential(nn.Linear(4, 4) if other.f() else nn.Linear(4, {}))"
    assert dims.usual(parameters_of(model(code.format(4))).count) == 20
    found = parameters_of(model(code.format(5)))
    assert found.unknown == {"0": "`0` is one of 2"}


def test_drop_path_or_nothing() -> None:
    code = "import other\nfrom timm.models.layers import DropPath\n"
    code += "m = nn.Sequential(nn.Linear(4, 4), DropPath(0.1) if other.f() else nn.Identity())"
    assert dims.usual(parameters_of(model(code)).count) == 20


def test_buffers_of_a_named_model() -> None:
    assert dims.usual(buffers_of(model("m = models.resnet18()")).count) == 9_620
