"""Data loaders and data sets: batches are fetched outside the modes; absent data sets give blank samples."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader, Dataset

from .after_import import AfterImport
from .modes import without_modes
from .steps import Steps
from .tracker import tensors_of

# what a sample of a torchvision data set is: image size (width, height), mode of Pillow, classes, training samples
FORMS: dict[str, tuple[tuple[int, int], str, int, int]] = {
    "MNIST": ((28, 28), "L", 10, 60_000),
    "FashionMNIST": ((28, 28), "L", 10, 60_000),
    "KMNIST": ((28, 28), "L", 10, 60_000),
    "QMNIST": ((28, 28), "L", 10, 60_000),
    "EMNIST": ((28, 28), "L", 47, 112_800),
    "USPS": ((16, 16), "L", 10, 7_291),
    "CIFAR10": ((32, 32), "RGB", 10, 50_000),
    "CIFAR100": ((32, 32), "RGB", 100, 50_000),
    "SVHN": ((32, 32), "RGB", 10, 73_257),
    "STL10": ((96, 96), "RGB", 10, 5_000),
    "LSUN": ((256, 256), "RGB", 10, 50_000),
    "ImageNet": ((500, 375), "RGB", 1000, 1_281_167),
    "ImageFolder": ((500, 375), "RGB", 1000, 10_000),
    "DatasetFolder": ((500, 375), "RGB", 1000, 10_000),
    "Food101": ((512, 384), "RGB", 101, 75_750),
    "Flowers102": ((500, 500), "RGB", 102, 1_020),
    "OxfordIIITPet": ((500, 375), "RGB", 37, 3_680),
    "StanfordCars": ((600, 400), "RGB", 196, 8_144),
    "Caltech101": ((300, 200), "RGB", 101, 8_677),
    "Caltech256": ((351, 351), "RGB", 257, 30_607),
    "Places365": ((256, 256), "RGB", 365, 1_803_460),
    "GTSRB": ((50, 50), "RGB", 43, 26_640),
    "DTD": ((500, 500), "RGB", 47, 1_880),
}


# these have paths of files in the place of an array
FOLDERS = frozenset({"ImageFolder", "DatasetFolder", "ImageNet", "LSUN", "Places365", "Food101"})
# blank images that came out of the program's transforms in the same form, before the last one is used again
ENOUGH = 8


def install(steps: Steps, fake_mode: Any, patches: AfterImport, note: Callable[[str], None]) -> None:
    """Patch loaders now and torchvision's data sets when they are imported."""
    _patch_loader(steps, fake_mode)
    if fake_mode is not None:
        _construct_for_real()
    patches.patch("torchvision.datasets", lambda module: _patch_datasets(module, note))


def _patch_loader(steps: Steps, fake_mode: Any) -> None:
    """One process loads, so that samples come as they are; a fake run makes fake tensors of them."""
    loader: Any = DataLoader
    plain_init, plain_iter = loader.__init__, loader.__iter__
    outside = without_modes if fake_mode is not None else contextlib.nullcontext

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        names = (
            "dataset",
            "batch_size",
            "shuffle",
            "sampler",
            "batch_sampler",
            "num_workers",
            "collate_fn",
            "pin_memory",
        )
        for name, value in zip(names, args, strict=False):
            kwargs[name] = value
        for name in ("persistent_workers", "prefetch_factor", "multiprocessing_context", "pin_memory_device"):
            kwargs.pop(name, None)
        kwargs["num_workers"], kwargs["pin_memory"] = 0, False
        with outside():
            plain_init(self, **kwargs)

    def batches(self: Any) -> Iterator[Any]:
        with without_modes():
            iterator = iter(plain_iter(self))
        while True:
            steps.loads(self.batch_size)
            try:
                with without_modes():
                    batch = next(iterator)
                    steps.on_batch(list(tensors_of(batch)))
            except StopIteration:
                return
            batch = _seen(batch, fake_mode)
            steps.loaded(list(tensors_of(batch)))
            yield batch
            # the loader holds no batch that the program has let go
            batch = None

    loader.__init__, loader.__iter__ = init, batches


def _seen(batch: Any, fake_mode: Any) -> Any:
    """The batch as the program gets it: fake tensors in a fake run; in a real one the tracker sees them with a view."""

    def one(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or isinstance(value, FakeTensor):
            return value
        return fake_mode.from_tensor(value) if fake_mode is not None else value

    return tree_map(one, batch)


def _construct_for_real() -> None:
    """Constructors of the program's data sets compute real numbers: what they look up later depends on them."""
    dataset: Any = Dataset

    def subclassed(cls: Any, /, **kwargs: Any) -> None:
        super(dataset, cls).__init_subclass__(**kwargs)
        plain = cls.__dict__.get("__init__")
        if plain is None:
            return

        @functools.wraps(plain)
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            with unset_fake_temporarily():
                plain(self, *args, **kwargs)

        cls.__init__ = init

    dataset.__init_subclass__ = classmethod(subclassed)


def _patch_datasets(module: ModuleType, note: Callable[[str], None]) -> None:
    for name, form in FORMS.items():
        found = getattr(module, name, None)
        if isinstance(found, type):
            _patch_dataset(found, form, note)


def _patch_dataset(dataset: Any, form: tuple[tuple[int, int], str, int, int], note: Callable[[str], None]) -> None:
    """The constructor never downloads; where the data is not here the object becomes one that gives blank samples."""
    plain = dataset.__dict__.get("__init__")
    if plain is None:
        return

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        offline = dict(kwargs, download=False) if "download" in kwargs else kwargs
        try:
            with without_modes():
                plain(self, *args, **offline)
        except (RuntimeError, OSError, ValueError, ImportError) as error:
            if not isinstance(self, torch.utils.data.Dataset):
                raise
            _become_blank(self, form, _by_name(plain, self, args, kwargs))
            size = "x".join(map(str, form[0]))
            reason = " ".join(str(error).split())[:100]
            note(f"{dataset.__name__} is not on this machine ({reason}): blank samples of {size} took its place")

    dataset.__init__ = init


def _by_name(function: Any, self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor by their names, whichever way they were given."""
    try:
        bound = inspect.signature(function).bind(self, *args, **kwargs).arguments
    except TypeError:
        return kwargs
    return {**bound, **bound.get("kwargs", {})}


def _settled(seen: list[Any]) -> bool:
    """Do the transforms give tensors of one form, whatever they draw?"""
    forms = {(tuple(each.shape), each.dtype) if isinstance(each, torch.Tensor) else None for each in seen[-ENOUGH:]}
    return len(seen) >= ENOUGH and len(forms) == 1 and None not in forms


def _become_blank(self: Any, form: tuple[tuple[int, int], str, int, int], options: dict[str, Any]) -> None:
    size, mode, classes, length = form
    kind = type(self)
    seen: list[Any] = []

    def item(self: Any, index: int) -> Any:
        # the library of the data set, which the program has imported with it
        pillow: Any = importlib.import_module("PIL.Image")
        if not -length <= index < length:
            raise IndexError(index)
        target: Any = index % classes
        image = seen[-1] if _settled(seen) else pillow.new(mode, size)
        if options.get("transform") is not None and not _settled(seen):
            image = options["transform"](image)
            seen.append(image)
        if options.get("target_transform") is not None:
            target = options["target_transform"](target)
        return image, target

    def data(self: Any) -> Any:
        shape = (length, size[1], size[0]) if mode == "L" else (length, size[1], size[0], 3)
        with without_modes():
            blank = torch.zeros(shape, dtype=torch.uint8)
            return blank if mode == "L" else blank.numpy()

    if kind.__name__ not in FOLDERS:
        kind = type(kind.__name__, (kind,), {"data": functools.cached_property(data)})
    members = {"__getitem__": item, "__len__": lambda self: length, "__module__": kind.__module__}
    self.__class__ = type(kind.__name__, (kind,), members)
    names = [str(each) for each in range(classes)]
    targets: Any = [index % classes for index in range(length)]
    if mode == "L":
        with without_modes():
            targets = torch.tensor(targets)
    for name, value in (
        *((each, options.get(each)) for each in ("transform", "target_transform", "transforms")),
        *(("classes", names), ("class_to_idx", dict(zip(names, range(classes), strict=True)))),
        *(("targets", targets), ("labels", targets), ("imgs", []), ("samples", [])),
    ):
        # some are computed by the class, from what it has
        with contextlib.suppress(AttributeError):
            setattr(self, name, value)
