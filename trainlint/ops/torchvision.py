"""torchvision: transforms act on tags, datasets give images, pretrained models mean RGB images, channels first."""

from __future__ import annotations

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.registry import OpCall, alias, called, kind, op
from trainlint.analysis.values import Array, Const, Obj, Seq, Sym, Unknown, Value, is_none, known, number
from trainlint.ops.layers import first_array, use

alias("torchvision.transforms.", "torchvision.transforms.transforms.", "torchvision.transforms.v2.")
alias("torchvision.models.", "torchvision.models.resnet.", "torchvision.models.vgg.", "torchvision.models.densenet.")
alias(
    "torchvision.datasets.",
    "torchvision.datasets.mnist.",
    "torchvision.datasets.cifar.",
    "torchvision.datasets.folder.",
)
kind("transform", "torchvision.transforms.*")
kind("dataset", "torchvision.datasets.*")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# dataset → (training images, test images, channels, classes): torchvision 0.24 documentation
DATASETS: dict[str, tuple[int, int, int, int]] = {
    "MNIST": (60000, 10000, 1, 10),
    "FashionMNIST": (60000, 10000, 1, 10),
    "KMNIST": (60000, 10000, 1, 10),
    "QMNIST": (60000, 60000, 1, 10),
    "CIFAR10": (50000, 10000, 3, 10),
    "CIFAR100": (50000, 10000, 3, 100),
    "SVHN": (73257, 26032, 3, 10),
    "STL10": (5000, 8000, 3, 10),
}


@called("torchvision.transforms.Compose")
def compose(call: OpCall) -> Value | None:
    """Applies its transforms in order."""
    steps = call.receiver.arg(0, "transforms") if isinstance(call.receiver, Obj) else None
    if not isinstance(steps, Seq) or steps.items is None or not call.args:
        return Unknown("a transformed image")
    value: Value = call.args[0]
    for step in steps.items:
        if is_none(step):
            continue
        value = invoke(call.run, call.scope, step, [value], {}, call.node)
    return value


@called("torchvision.transforms.ToTensor")
def to_tensor(call: OpCall) -> Value | None:
    """HWC 0–255 → CHW 0–1; grey images get a channel axis."""
    image = first_array(call)
    if image is None:
        return Array(layout="CHW", range="unit", grad=False)
    layout = image.layout
    if layout in ("HWC", "HW") and (image.lib in ("pil", "numpy")):
        layout = "CHW"
    elif layout is not None and image.lib == "numpy" and len(layout) == 3:
        # ToTensor moves the last axis to the front, whatever it is
        layout = layout[2] + layout[:2]
    else:
        layout = None
    range_ = "unit" if image.range == "255" and (image.lib == "pil" or image.dtype == "uint8") else image.range
    # bytes are scaled to floats, other arrays keep their type
    dtype = "float32" if image.lib == "pil" or image.dtype == "uint8" else image.dtype
    origin = call.step("`ToTensor`: CHW", image)
    return image.but(lib="torch", layout=layout, range=range_, shape=None, dtype=dtype, origin=origin)


@op("torchvision.transforms.functional.to_tensor")
def f_to_tensor(call: OpCall) -> Value | None:
    return to_tensor(call)


@called("torchvision.transforms.PILToTensor", "torchvision.transforms.ToImage")
def pil_to_tensor(call: OpCall) -> Value | None:
    image = first_array(call)
    base = image if image is not None else Array(range="255")
    return base.but(lib="torch", layout="CHW", shape=None, grad=False)


@called("torchvision.transforms.ToPILImage")
def to_pil(call: OpCall) -> Value | None:
    """An ndarray is taken for HWC, a tensor for CHW."""
    image = first_array(call)
    if image is None:
        return Array("pil", "HWC", grad=False)
    return image.but(lib="pil", layout="HWC", range="255", shape=None, dtype="uint8")


@called("torchvision.transforms.Normalize")
def normalize(call: OpCall) -> Value | None:
    obj = call.receiver
    if not isinstance(obj, Obj):
        return None
    return normalised(call, obj.arg(0, "mean"), obj.arg(1, "std"))


@op("torchvision.transforms.functional.normalize")
def f_normalize(call: OpCall) -> Value | None:
    return normalised(call, call.arg(1, "mean"), call.arg(2, "std"))


def normalised(call: OpCall, mean: Value | None, std: Value | None) -> Value | None:
    """ImageNet statistics mean RGB images, channels first, 0–1."""
    image = first_array(call)
    numbers = statistics(mean)
    if image is None:
        return Array(layout="CHW", range="norm", grad=False)
    wants = {"layout": "CHW"}
    sink = "`Normalize`"
    if is_imagenet(numbers):
        wants["colour"] = "RGB"
        wants["range"] = "unit"
        sink = "`Normalize` with ImageNet statistics"
    use(call, image, sink, wants)
    return image.but(range="norm", origin=call.step(sink, image))


def statistics(value: Value | None) -> list[float] | None:
    if not isinstance(value, Seq) or value.items is None:
        return None
    result = [number(item) for item in value.items]
    return [float(r) for r in result if r is not None] if None not in result else None


def is_imagenet(mean: list[float] | None) -> bool:
    """Are these the means of ImageNet in RGB order, to two digits?"""
    if mean is None or len(mean) != 3:
        return False
    return all(abs(a - b) < 0.006 for a, b in zip(mean, IMAGENET_MEAN, strict=True))


@called("torchvision.transforms.Grayscale", "torchvision.transforms.RandomGrayscale")
def grayscale(call: OpCall) -> Value | None:
    image, obj = first_array(call), call.receiver
    if image is None or not isinstance(obj, Obj) or call.name.endswith("RandomGrayscale"):
        return image
    count = known(obj.arg(0, "num_output_channels")) or 1
    if count == 3:
        return image.but(channels=3)
    layout = "HW" if image.lib == "pil" else image.layout
    return image.but(channels=1, colour="GRAY", layout=layout)


@called("transform")
def any_transform(call: OpCall) -> Value | None:
    """Resize, crops, flips, jitter: the tags stay. User functions inside Lambda are called."""
    obj = call.receiver
    value = call.args[0] if call.args else None
    if isinstance(obj, Obj) and obj.name.endswith(".Lambda"):
        function = obj.arg(0, "lambd")
        return invoke(call.run, call.scope, function, call.args, {}, call.node) if function is not None else None
    if isinstance(obj, Obj) and obj.name.rpartition(".")[2] in KEEPING:
        return value.but(shape=None) if isinstance(value, Array) else value
    return Array(lib=value.lib, grad=False) if isinstance(value, Array) else Unknown("a transformed image")


KEEPING = frozenset(
    [
        "Resize",
        "CenterCrop",
        "RandomCrop",
        "RandomResizedCrop",
        "RandomHorizontalFlip",
        "RandomVerticalFlip",
        "RandomRotation",
        "ColorJitter",
        "RandomAffine",
        "Pad",
        "RandomErasing",
        "RandomPerspective",
        "GaussianBlur",
        "RandomInvert",
        "RandomPosterize",
        "RandomSolarize",
        "RandomAdjustSharpness",
        "RandomAutocontrast",
        "RandomEqualize",
        "AutoAugment",
        "RandAugment",
        "TrivialAugmentWide",
        "AugMix",
        "RandomApply",
        "RandomChoice",
        "RandomOrder",
        "Identity",
        "ElasticTransform",
        "Scale",
        "RandomSizedCrop",
    ]
)


@called("torchvision.transforms.ConvertImageDtype", "torchvision.transforms.ToDtype")
def convert_dtype(call: OpCall) -> Value | None:
    image, obj = first_array(call), call.receiver
    if image is None or not isinstance(obj, Obj):
        return None
    scaled = call.name.endswith("ConvertImageDtype") or known(obj.kwargs.get("scale")) is True
    return image.but(range="unit" if scaled and image.range == "255" else image.range)


def dataset_length(obj: Obj) -> Value | None:
    """The number of samples of a torchvision dataset."""
    entry = DATASETS.get(obj.name.rpartition(".")[2])
    if entry is None:
        return Sym(f"len({obj.name.rpartition('.')[2]})")
    train = obj.arg(1, "train")
    split = known(obj.kwargs.get("split"))
    if train is None and split is None:
        return Const(entry[0])
    flag = known(train)
    if isinstance(flag, bool):
        return Const(entry[0] if flag else entry[1])
    if split in ("train", "test"):
        return Const(entry[0] if split == "train" else entry[1])
    return None


def dataset_item(call: OpCall, obj: Obj) -> Value:
    """(image, label) of a torchvision dataset, after its transform."""
    short = obj.name.rpartition(".")[2]
    entry = DATASETS.get(short)
    if entry is not None and entry[2] == 1:
        image: Value = Array("pil", "HW", 1, "GRAY", "255", "uint8", grad=False, origin=call.step(f"`{short}`: grey"))
    elif entry is not None or short in ("ImageFolder", "ImageNet", "CelebA", "Places365", "FakeData", "Flowers102"):
        image = Array("pil", "HWC", 3, "RGB", "255", "uint8", grad=False, origin=call.step(f"`{short}`: RGB"))
    else:
        return Unknown("a sample")
    transform = obj.kwargs.get("transform")
    if transform is None and short == "ImageFolder" and len(obj.args) > 1:
        transform = obj.args[1]
    if transform is None and short in DATASETS and len(obj.args) > 2:
        transform = obj.args[2]
    if obj.spilled or "loader" in obj.kwargs or "transforms" in obj.kwargs:
        return Unknown("a sample")
    if transform is not None and not is_none(transform):
        image = invoke(call.run, call.scope, transform, [image], {}, call.node)
    return Seq("tuple", [image, Unknown("label")])
