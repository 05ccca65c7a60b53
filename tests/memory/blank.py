"""Stand-ins for what scripts import and tests need not have: blank images in place of downloads, plain progress bars.

Only sizes matter: an image is a blank array of bytes that the transforms resize and make a tensor of.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

# channels, height, width, classes
SETS = {
    "MNIST": (1, 28, 28, 10),
    "FashionMNIST": (1, 28, 28, 10),
    "KMNIST": (1, 28, 28, 10),
    "CIFAR10": (3, 32, 32, 10),
    "CIFAR100": (3, 32, 32, 100),
    "STL10": (3, 96, 96, 10),
    "SVHN": (3, 32, 32, 10),
}


def install(patch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torchvision") is None:
        for name, module in torchvision().items():
            patch.setitem(sys.modules, name, module)
    if importlib.util.find_spec("tqdm") is None:
        module = named("tqdm")
        module.tqdm = module.trange = Bar  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "tqdm", module)
        patch.setitem(sys.modules, "tqdm.auto", module)


def named(name: str) -> types.ModuleType:
    """An empty module; torch asks for the specification of what is imported."""
    module = types.ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    return module


class Bar:
    """`tqdm(...)`: what it is given, one after the other."""

    def __init__(self, inner: Any = (), *_: Any, **__: Any) -> None:
        self.inner = range(inner) if isinstance(inner, int) else inner

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def torchvision() -> dict[str, types.ModuleType]:
    names = ("torchvision", "torchvision.datasets", "torchvision.transforms")
    top, datasets, transforms = modules = [named(name) for name in names]
    for name, size in SETS.items():
        setattr(datasets, name, type(name, (Blank,), {"size": size}))
    for name in ("Compose", "ToTensor", "Normalize", "Resize", "RandomCrop", "CenterCrop", "RandomResizedCrop"):
        setattr(transforms, name, globals()[name])
    for name in ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "ColorJitter", "RandomErasing"):
        setattr(transforms, name, Same)
    top.datasets, top.transforms = datasets, transforms  # type: ignore[attr-defined]
    return dict(zip(names, modules, strict=True))


class Blank(Dataset[Any]):
    """A data set of 96 blank images."""

    size = (3, 32, 32, 10)

    def __init__(self, *args: Any, transform: Any = None, **_: Any) -> None:
        self.transform = transform or next((arg for arg in args if callable(arg)), None)

    def __len__(self) -> int:
        return 96

    def __getitem__(self, index: int) -> tuple[Any, int]:
        channels, height, width, classes = self.size
        image = torch.zeros(height, width, channels, dtype=torch.uint8)
        return (self.transform(image) if self.transform else image), index % classes


class Same:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return image


class Compose(Same):
    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        for part in self.parts:
            image = part(image)
        return image


class ToTensor(Same):
    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return image.permute(2, 0, 1).float()


class Normalize(Same): ...


class Resize(Same):
    """The size that is asked for; a single number is meant for square images."""

    def __init__(self, size: Any, *_: Any, **__: Any) -> None:
        self.height, self.width = (size, size) if isinstance(size, int) else size

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        last = image.dtype != torch.uint8
        shape = (*image.shape[:-2], self.height, self.width) if last else (self.height, self.width, image.shape[-1])
        return image.new_zeros(shape)


class RandomCrop(Resize): ...


class CenterCrop(Resize): ...


class RandomResizedCrop(Resize): ...
