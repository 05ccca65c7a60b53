"""Transforms and data sets against the real torchvision, where it is installed: shapes, dtypes, and what raises."""

from __future__ import annotations

import inspect
import itertools
import random
import warnings
from typing import Any

import pytest

torchvision = pytest.importorskip("torchvision")
pytest.importorskip("PIL")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from memory_workspace import MemoryWorkspace  # noqa: E402

import trainlint.ops  # noqa: E402
from trainlint.analysis import dims  # noqa: E402
from trainlint.analysis.arrays import Array  # noqa: E402
from trainlint.analysis.image_facts import Refusal  # noqa: E402
from trainlint.analysis.program import Program  # noqa: E402
from trainlint.analysis.values import Const, Seq, Value, known  # noqa: E402
from trainlint.ops.datasets import DATA  # noqa: E402
from trainlint.syntax.document import Document  # noqa: E402

assert trainlint.ops

HEAD = (
    "import numpy as np\nimport torch\nfrom PIL import Image\nfrom torchvision import datasets, transforms as T\n"
    "from torchvision.transforms import v2, functional as TF\n"
)
IMAGES = {
    "grey": 'Image.new("L", (40, 30))',
    "rgb": 'Image.new("RGB", (40, 30))',
    "array": 'np.array(Image.new("RGB", (40, 30)))',
    "tensor": 'T.PILToTensor()(Image.new("RGB", (40, 30)))',
    "floats": 'T.ToTensor()(Image.new("RGB", (40, 30)))',
}
STEPS = [
    "Resize(20)", "Resize((20, 24))", "Resize([20, 24])", "CenterCrop(16)", "CenterCrop((16, 18))", "RandomCrop(16)",
    "RandomCrop((16, 18), padding=2)", "RandomResizedCrop(16)", "Pad(2)", "Pad((1, 2))", "Pad((1, 2, 3, 4))",
    "Grayscale()", "Grayscale(3)", "RandomHorizontalFlip()", "RandomRotation(10)", "ColorJitter(0.1)", "ToTensor()",
    "GaussianBlur(3)", "PILToTensor()", "RandomErasing(p=1.0)", "ToPILImage()", "ConvertImageDtype(torch.float32)",
    "RandomApply([{m}.RandomVerticalFlip()])",
]  # fmt: skip
NEWER = ["ToImage()", "ToDtype(torch.float32, scale=True)", "ToDtype(torch.float32)"]


def executed(code: str) -> Any:
    names: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(HEAD + code, names)
    except Exception as error:
        return error
    return names["y"]


def interpreted(code: str) -> tuple[Value | None, list[Refusal]]:
    program = Program("/project/case.py", Document(HEAD + code), MemoryWorkspace({}))
    program.interpret()
    return program.file.scope.names.get("y"), [fact for fact in program.facts if isinstance(fact, Refusal)]


def agrees(code: str) -> None:
    """A refusal is a proof that it raises; a shape and dtype that are said are those of the result."""
    real = executed(code)
    value, refused = interpreted(code)
    if refused:
        # a random step may leave the image alone: one of many rounds raises
        raised = any(isinstance(executed(f"torch.manual_seed({seed})\n{code}"), Exception) for seed in range(30))
        assert raised, f"trainlint reports what torchvision accepts:\n{code}\n{refused[0].takes}"
        return
    if isinstance(real, Exception):
        return
    for theirs, mine in pairs(real, value):
        compare(theirs, mine, code)


def pairs(real: Any, value: Value | None) -> list[tuple[Any, Value | None]]:
    if isinstance(real, (tuple, list)):
        items = value.items if isinstance(value, Seq) and value.items is not None else [None] * len(real)
        return list(zip(real, items, strict=True))
    return [(real, value)]


def compare(real: Any, value: Value | None, code: str) -> None:
    if not isinstance(value, Array):
        return
    lib = "torch" if isinstance(real, torch.Tensor) else "numpy" if isinstance(real, np.ndarray) else "pil"
    assert value.lib in (lib, "?"), f"{value!r} is not of {lib}\n{code}"
    shape = tuple(real.shape) if lib != "pil" else np.array(real).shape
    if value.shape is not None:
        assert len(value.shape) == len(shape), f"{value!r} is not {shape}\n{code}"
        for mine, theirs in zip(value.shape, shape, strict=True):
            assert dims.same(mine, Const(theirs)) is not False, f"{value!r} is not {shape}\n{code}"
    if value.dtype is not None and lib != "pil":
        assert value.dtype == str(real.dtype).removeprefix("torch."), f"{value!r} is not {real.dtype}\n{code}"
    if value.range == "unit" and lib == "torch":
        assert float(real.max()) <= 1.0, f"{value!r} goes up to {float(real.max())}\n{code}"


def cases() -> list[str]:
    """Every step on every image, and pipelines of three drawn by a fixed seed."""
    single = [
        f"x = {image}\ny = {module}.{step.format(m=module)}(x)"
        for image in IMAGES.values()
        for module, steps in (("T", STEPS), ("v2", STEPS + NEWER))
        for step in steps
    ]
    chooser = random.Random(0)
    triples = []
    for _ in range(400):
        module = chooser.choice(["T", "v2"])
        steps = ", ".join(f"{module}.{s.format(m=module)}" for s in chooser.sample(STEPS, 3))
        triples.append(f"x = {chooser.choice(list(IMAGES.values()))}\ny = {module}.Compose([{steps}])(x)")
    return single + triples


@pytest.mark.parametrize("part", range(8))
def test_transforms(part: int) -> None:
    for code in itertools.islice(cases(), part, None, 8):
        agrees(code)


@pytest.mark.parametrize(
    "call",
    [
        "TF.resize(x, (20, 24))", "TF.resize(x, [20])", "TF.center_crop(x, (16, 18))", "TF.crop(x, 1, 2, 10, 12)",
        "TF.resized_crop(x, 1, 2, 10, 12, (6, 8))", "TF.pad(x, (1, 2))", "TF.hflip(x)", "TF.five_crop(x, (8, 9))",
        "TF.rotate(x, 90)", "TF.rgb_to_grayscale(x)", "TF.rgb_to_grayscale(x, 3)", "TF.adjust_gamma(x, 0.5)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("image", ["rgb", "tensor", "floats"])
def test_functions(call: str, image: str) -> None:
    agrees(f"x = {IMAGES[image]}\ny = {call}")


def test_the_shape_is_known_where_torchvision_has_one() -> None:
    """Exact answers for what most programs write."""
    steps = "T.Resize(20), T.CenterCrop(16), T.ToTensor(), T.Normalize((0.5,), (0.5,))"
    value, _ = interpreted(f"y = T.Compose([{steps}])({IMAGES['rgb']})")
    assert isinstance(value, Array)
    assert value.shape is not None
    assert [known(size) for size in value.shape] == [3, 16, 16]
    assert (value.layout, value.dtype, value.range) == ("CHW", "float32", "norm")


def test_weights_bring_their_transforms() -> None:
    code = (
        "from torchvision.models import {0}\n"
        'y = {0}.DEFAULT.transforms()(Image.new("RGB", (400, 300)))'
    )  # fmt: skip
    for name in ("ResNet18_Weights", "Inception_V3_Weights", "EfficientNet_B4_Weights", "ViT_B_16_Weights"):
        real = executed(code.format(name))
        value, _ = interpreted(code.format(name))
        assert isinstance(value, Array)
        assert value.shape is not None
        assert tuple(known(size) for size in value.shape) == tuple(real.shape), name


def test_arguments_stand_where_the_table_says() -> None:
    """The positions of `transform` and of `train` or `split` in the signatures."""
    for name, data in DATA.items():
        parameters = list(inspect.signature(getattr(torchvision.datasets, name).__init__).parameters)[1:]
        if data.transform >= 0:
            assert parameters[data.transform] == "transform", name
        if data.split[1]:
            assert parameters[data.split[0]] == data.split[1], name
            default = inspect.signature(getattr(torchvision.datasets, name).__init__).parameters[data.split[1]].default
            assert name == "EMNIST" or default == data.split[2], name


@pytest.mark.parametrize("size", [(1, 28, 28), (3, 20, 24)])
def test_fake_data_through_a_loader(size: tuple[int, int, int]) -> None:
    for batch, drop in ((4, True), (4, False), (5, False)):
        code = (
            f"data = datasets.FakeData(12, {size}, 7, transform=T.ToTensor())\n"
            f"loader = torch.utils.data.DataLoader(data, batch_size={batch}, drop_last={drop})\n"
            "n = len(loader)\ny = next(iter(loader))"
        )
        if size[0] == 1:
            # FakeData makes grey images with three axes, which PIL refuses
            continue
        real = executed(code)
        value, _ = interpreted(code)
        assert isinstance(value, Seq)
        assert value.items is not None
        image, label = value.items
        assert isinstance(image, Array)
        assert image.shape is not None
        assert [dims.usual(axis) for axis in image.shape] == list(real[0].shape)
        assert isinstance(label, Array)
        assert label.dtype == str(real[1].dtype).removeprefix("torch.")
        assert known(label.classes) == 7
