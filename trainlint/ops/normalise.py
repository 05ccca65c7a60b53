"""Normalisation by mean and standard deviation: which images the numbers belong to."""

from __future__ import annotations

from collections.abc import Callable

from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import ImageUse
from trainlint.analysis.image_facts import Normalisation
from trainlint.analysis.registry import OpCall
from trainlint.analysis.values import Obj, Place, Seq, Step, Value, number

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Origin = Callable[[str, Array, str], Step]


def statistics(value: Value | None) -> tuple[float, ...] | None:
    """The numbers of a mean or standard deviation, None where one is not known."""
    single = number(value)
    if single is not None:
        return (float(single),)
    if not isinstance(value, Seq) or value.items is None:
        return None
    result = [number(item) for item in value.items]
    return tuple(float(r) for r in result if r is not None) if None not in result else None


def is_imagenet(mean: tuple[float, ...] | None) -> bool:
    """Are these the means of ImageNet in RGB order, to two digits?"""
    return mean is not None and close(mean, IMAGENET_MEAN)


def close(numbers: tuple[float, ...], others: tuple[float, ...], tolerance: float = 0.006) -> bool:
    return len(numbers) == len(others) and all(abs(a - b) < tolerance for a, b in zip(numbers, others, strict=True))


def normalised(
    call: OpCall, maker: Obj | None, image: Array, mean: Value | None, std: Value | None, step: Origin
) -> Array:
    """The image after a normalisation; ImageNet's statistics mean RGB images, channels first, 0–1."""
    means, deviations = statistics(mean), statistics(std)
    place = Place(maker.file, maker.node) if maker is not None and maker.node is not None and maker.file else None
    call.run.fact(Normalisation("Normalize", call.node, call.scope.file, means, deviations, image, place))
    wants = {"layout": "CHW"}
    name = "`Normalize`"
    if means is not None and all(-1 <= m <= 1 for m in means):
        wants["range"] = "unit"
    if is_imagenet(means):
        wants["colour"] = "RGB"
        name = "`Normalize` with ImageNet statistics"
    if image.lib != "?":
        inside = maker is not None and "[pipeline]" in maker.attrs
        call.run.fact(ImageUse(call.node, call.scope.file, image, name, wants, call.run.via, place, inside))
    origin = step(name, image, "range")
    stats = (means, deviations) if means is not None and deviations is not None else None
    if image.lib == "?":
        return Array(layout="CHW", range="norm", grad=False, stats=stats, origin=origin)
    return image.but(lib="torch", range="norm", stats=stats, origin=origin)
