"""The data sets of torchvision: how many images, of which size and mode, how many classes, which arguments transform.

Numbers are those of the torchvision 0.24 documentation and of the pages of the data sets that it links.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.calls import call as invoke
from trainlint.analysis.registry import OpCall, alias, kind, method
from trainlint.analysis.values import Const, Obj, Place, Range, Seq, Step, Unknown, Value, is_none, known, number
from trainlint.ops.images import READ, new_size

alias(
    "torchvision.datasets.",
    *(f"torchvision.datasets.{module}." for module in ("mnist", "cifar", "folder", "svhn", "stl10", "fakedata", "voc")),
)
kind("dataset", "torchvision.datasets.*")


@dataclass(frozen=True)
class Data:
    """One data set. `side` is the height and width of all images, None where they differ; `length` the number of images
    by split; `at` the positions of the arguments `train` or `split` and `transform`."""

    grey: bool = False
    side: int | None = None
    classes: int | None = None
    length: dict[object, int] = field(default_factory=dict)
    split: tuple[int, str, object] = (-1, "", None)
    transform: int = -1
    target: str = "class"


def _trained(train: int, test: int) -> dict[object, int]:
    return {True: train, False: test}


_TRAIN = (1, "train", True)


def _mnist(classes: int = 10, train: int = 60000, test: int = 10000) -> Data:
    return Data(True, 28, classes, _trained(train, test), _TRAIN, 2)


_EMNIST = {"byclass": (697932, 62), "bymerge": (697932, 47), "balanced": (112800, 47), "letters": (124800, 27),
           "digits": (240000, 10), "mnist": (60000, 10)}  # fmt: skip

DATA: dict[str, Data] = {
    "MNIST": _mnist(),
    "FashionMNIST": _mnist(),
    "KMNIST": _mnist(),
    "QMNIST": Data(True, 28, 10, _trained(60000, 60000), (3, "train", True)),
    "EMNIST": Data(True, 28, None, {}, (1, "split", None)),
    "USPS": Data(True, 16, 10, _trained(7291, 2007), _TRAIN, 2),
    "SEMEION": Data(True, 16, 10, {None: 1593}, transform=1),
    "CIFAR10": Data(False, 32, 10, _trained(50000, 10000), _TRAIN, 2),
    "CIFAR100": Data(False, 32, 100, _trained(50000, 10000), _TRAIN, 2),
    "SVHN": Data(False, 32, 10, {"train": 73257, "test": 26032, "extra": 531131}, (1, "split", "train"), 2),
    "STL10": Data(False, 96, 10, {"train": 5000, "test": 8000, "unlabeled": 100000}, (1, "split", "train"), 3),
    "ImageNet": Data(False, None, 1000, {"train": 1281167, "val": 50000}, (1, "split", "train")),
    "ImageFolder": Data(transform=1),
    "FakeData": Data(transform=3),
    "CelebA": Data(length={"train": 162770, "valid": 19867, "test": 19962, "all": 202599}, split=(1, "split", "train"),
                   transform=3, target="other"),
    "Flowers102": Data(classes=102, length={"train": 1020, "val": 1020, "test": 6149}, split=(1, "split", "train"),
                       transform=2),
    "Food101": Data(classes=101, length={"train": 75750, "test": 25250}, split=(1, "split", "train"), transform=2),
    "OxfordIIITPet": Data(classes=37, length={"trainval": 3680, "test": 3669}, split=(1, "split", "trainval"),
                          transform=4),
    "Places365": Data(classes=365, split=(1, "split", "train-standard"), transform=4),
    "GTSRB": Data(classes=43, length={"train": 26640, "test": 12630}, split=(1, "split", "train"), transform=2),
    "DTD": Data(classes=47, length={"train": 1880, "val": 1880, "test": 1880}, split=(1, "split", "train"),
                transform=3),
    "EuroSAT": Data(False, 64, 10, {None: 27000}, transform=1),
    "StanfordCars": Data(classes=196, length={"train": 8144, "test": 8041}, split=(1, "split", "train"), transform=2),
    "FGVCAircraft": Data(split=(1, "split", "trainval"), transform=3, target="other"),
    "SUN397": Data(classes=397, length={None: 108754}, transform=1),
    "Country211": Data(classes=211, length={"train": 31650, "valid": 10550, "test": 21100},
                       split=(1, "split", "train"), transform=2),
    "PCAM": Data(False, 96, 2, {"train": 262144, "val": 32768, "test": 32768}, (1, "split", "train"), 2),
    "VOCSegmentation": Data(transform=4, target="mask"),
    "VOCDetection": Data(transform=4, target="other"),
    "CocoDetection": Data(transform=2, target="other"),
    "Cityscapes": Data(transform=4, target="other"),
}  # fmt: skip


# attributes whose assignment may rename or drop classes
RELABELLED = frozenset(["targets", "labels", "samples", "imgs", "class_to_idx", "classes", "train_labels", "data"])


def entry(obj: Obj) -> Data | None:
    """The table's entry of a data set object."""
    short = obj.name.rpartition(".")[2]
    data = DATA.get(short)
    if short == "EMNIST" and data is not None:
        split = known(obj.arg(1, "split"))
        if isinstance(split, str) and split in _EMNIST:
            train, classes = _EMNIST[split]
            tests = {"byclass": 116323, "bymerge": 116323, "balanced": 18800, "letters": 20800, "digits": 40000}
            return Data(True, 28, classes, _trained(train, tests.get(split, 10000)), (-1, "train", True))
    return data


def split_of(obj: Obj, data: Data) -> object:
    """`True`, `"test"` … as given or by default; `...` where it is not known."""
    index, name, default = data.split
    if not name:
        return None
    value = obj.arg(index, name)
    if value is None:
        return ... if obj.spilled else default
    return known(value) if isinstance(value, Const) else ...


def dataset_length(obj: Obj) -> Value:
    """The number of samples: known by the split, else a number of its own."""
    data = entry(obj)
    if obj.name.endswith(".FakeData"):
        size = obj.arg(0, "size")
        return Const(1000) if size is None else size
    if data is not None:
        split = split_of(obj, data)
        length = data.length.get(split) if split is not ... else None
        if length is not None:
            return Const(length)
    return dims.symbol(f"len({obj.name.rpartition('.')[2]})", key=("length", id(obj)), low=0)


def classes_of(obj: Obj) -> Value:
    """The number of classes."""
    data = entry(obj)
    if obj.name.endswith(".FakeData"):
        count = obj.arg(2, "num_classes")
        return Const(10) if count is None else count
    if data is not None and data.classes is not None:
        return Const(data.classes)
    return dims.symbol("classes", key=("classes", id(obj)))


def dataset_item(call: OpCall, obj: Obj) -> Value:
    """(image, label) of a torchvision data set, after its transforms."""
    data, short = entry(obj), obj.name.rpartition(".")[2]
    if data is None or obj.spilled or not plain(obj, "loader", "transforms"):
        return Unknown("a sample")
    image: Value = picture(obj, data, short)
    image = transformed(call, obj, image, "transform", data.transform)
    target: Value = Unknown("a target")
    if data.target == "class":
        classes = classes_of(obj) if not obj.attrs.keys() & RELABELLED else Unknown()
        top = number(classes)
        target = Range(0, top - 1) if isinstance(top, int) and top > 1 else dims.symbol("label", low=0)
    elif data.target == "mask":
        sizes = (new_size("H"), new_size("W"))
        target = Array("pil", "HW", 1, "P", None, "uint8", sizes, False, origin=made(obj, f"a mask of `{short}`"))
    target = transformed(call, obj, target, "target_transform", data.transform + 1 if data.transform > 0 else -1)
    return Seq("tuple", [image, target])


def plain(obj: Obj, *names: str) -> bool:
    """Are none of these arguments given?"""
    return all(name not in obj.kwargs or is_none(obj.kwargs[name]) for name in names)


def picture(obj: Obj, data: Data, short: str) -> Array:
    """The PIL image of a sample before its transforms."""
    side = Const(data.side) if data.side is not None else None
    height, width = (side, side) if side is not None else (new_size("H"), new_size("W"))
    if short == "FakeData":
        size = obj.arg(1, "image_size")
        items = size.items if isinstance(size, Seq) else [Const(3), Const(224), Const(224)] if size is None else None
        count = known(items[0]) if items is not None and len(items) == 3 else None
        if items is None or count not in (1, 3):
            return Array("pil", None, grad=False, origin=made(obj, "`FakeData`"))
        height, width = items[1], items[2]
        data = Data(grey=count == 1)
    if data.grey:
        return Array(
            "pil", "HW", 1, "GRAY", "255", "uint8", (height, width), False, origin=made(obj, f"grey, from `{short}`")
        )
    shape = (height, width, Const(3))
    return Array("pil", "HWC", 3, "RGB", "255", "uint8", shape, False, origin=made(obj, f"RGB, from `{short}`"))


def made(obj: Obj, text: str) -> Step | None:
    """An origin step where the data set was built."""
    return Step(Place(obj.file, obj.node), text, None, f"dataset {READ}") if obj.node is not None and obj.file else None


def transformed(call: OpCall, obj: Obj, value: Value, name: str, index: int) -> Value:
    transform = obj.kwargs.get(name)
    if transform is None and 0 <= index < len(obj.args):
        transform = obj.args[index]
    if transform is None or is_none(transform):
        return value
    return invoke(call.run, call.scope, transform, [value], {}, call.node)


@method("dataset", ".classes", ".class_to_idx")
def classes(call: OpCall) -> Value | None:
    """As many names as classes."""
    obj = call.receiver
    if not isinstance(obj, Obj) or not obj.name.startswith("torchvision."):
        return None
    result = Obj("torchvision.datasets.classes", "names", call.node)
    result.attrs["[length]"] = classes_of(obj)
    return result
