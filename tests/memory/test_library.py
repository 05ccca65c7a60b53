"""Models of torchvision by their shipped sources: what they are made of, and whose lines their memory is billed to."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.ops.zoo_tables import entry
from trainlint.rules.engine import Analyser, interpret
from trainlint.syntax.document import Document

PATH = "/project/train.py"
SCRIPT = """
import torch
import torch.nn.functional as F
from torch import nn, optim
import torchvision
from torchvision import models

model = {model}
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step in range(100):
    images = torch.randn({batch}, 3, {size}, {size}).to("cuda")
    labels = torch.randint(0, 10, ({batch},)).to("cuda")
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
"""


def estimated(model: str, batch: int = 4, size: int = 224) -> Estimate:
    workspace = MemoryWorkspace({"train.py": SCRIPT.format(model=model, batch=batch, size=size)})
    (found,) = Analyser(workspace).memory(PATH, workspace.document(PATH))
    return found


FAMILIES = [
    *("resnet18", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "vit_b_32", "efficientnet_b0"),
    *("regnet_y_400mf", "convnext_tiny", "mnasnet0_5", "vgg11", "alexnet"),
]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_has_the_parameters_that_the_library_says(name: str) -> None:
    known = entry("torchvision", name)
    assert known is not None
    found = estimated(f"models.{name}()")
    assert (found.complete, found.parameters) == (True, known["parameters"])


def test_a_model_is_asked_for_by_its_name() -> None:
    found = estimated("models.get_model('resnet18', num_classes=10)")
    assert (found.complete, found.parameters) == (True, 11_181_642)


def test_what_happens_inside_is_billed_to_the_line_of_the_program() -> None:
    found = estimated("models.resnet18(weights=models.ResNet18_Weights.DEFAULT)")
    lines = {line for path, line in found.lines if path == PATH}
    assert {path for path, _ in found.lines} == {path for path, _ in found.parameter_lines} == {PATH}
    assert lines == {11, 12, 14}
    assert set(found.parameter_lines) == {(PATH, 8)}
    assert found.lines[PATH, 14].saved > 100 << 20


def test_a_linter_run_does_not_look_inside() -> None:
    workspace = MemoryWorkspace({"train.py": SCRIPT.format(model="models.resnet18()", batch=4, size=224)})
    assert interpret(PATH, workspace.document(PATH), workspace).files.keys() == {PATH}
    assert isinstance(workspace.document(PATH), Document)
