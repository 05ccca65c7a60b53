"""Layers with weights and the functions behind them: convolutions, linear, normalisation, embedding."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainlint.memory.saved.site import INDEX, STATISTIC, Effect, Site, rule
from trainlint.memory.saved.strides import merged
from trainlint.memory.workspaces import winograd


@rule("conv", "conv_transpose")
def convolution(site: Site) -> Effect:
    """Input and weight are kept whichever of them wants a gradient; padding that is not zeros is a copy."""
    spatial = len(site.operands[1].shape) - 2
    weight = site.weight()
    mode = site.options.value("padding_mode", "zeros")
    padding = site.options.value("padding", 0)
    if mode != "zeros" and padding != 0:
        copy = padded(site, both_sides(site, padding, spatial))
        kept = ("input",) if mode in ("reflect", "replicate") and site.wants(0) else ()
        return Effect("new", (*kept, weight), (copy,), backward=(copy - site.n,) if site.wants(0) else ())
    if padding == "same" and site.name == "conv":
        odd = [total % 2 for total in same_padding(site, spatial)]
        if any(odd):
            copy = padded(site, odd)
            return Effect("new", (weight,), (copy,), backward=(copy - site.n,) if site.wants(0) else ())
    return Effect("new", ("input", weight), workspace=workspace(site, spatial))


def workspace(site: Site, spatial: int) -> int:
    """What cuDNN may take; nothing is told of transposed convolutions."""
    if site.name != "conv" or not site.results:
        return 0
    stride = each(site.options.value("stride", 1), spatial)
    groups = site.whole("groups")
    return winograd(site.x.shape, site.operands[1].shape, site.result.shape, stride, groups, site.x.itemsize)


def padded(site: Site, more: Sequence[int]) -> int:
    """The bytes of the input with so many more elements along each of the last axes."""
    shape = site.x.shape
    lead = math.prod(shape[: len(shape) - len(more)])
    sizes = zip(shape[len(shape) - len(more) :], more, strict=True)
    return lead * math.prod(size + extra for size, extra in sizes) * site.x.itemsize


def same_padding(site: Site, spatial: int) -> list[int]:
    dilation = each(site.options.value("dilation", 1), spatial)
    return [d * (k - 1) for d, k in zip(dilation, site.operands[1].shape[2:], strict=True)]


def both_sides(site: Site, padding: object, spatial: int) -> list[int]:
    return same_padding(site, spatial) if padding == "same" else [2 * p for p in each(padding, spatial)]


def each(value: object, axes: int, default: int = 1) -> list[int]:
    """An option that is one number for all axes, or one for each."""
    if isinstance(value, int):
        return [value] * axes
    if isinstance(value, (tuple, list)) and len(value) == axes and all(isinstance(v, int) for v in value):
        return list(value)
    return [default] * axes


@rule("linear")
def linear(site: Site) -> Effect:
    """The input is kept for the weight's gradient only, the weight for the input's.

    An input that cannot be flattened to rows is copied for the weight's gradient; its bias is added in a second step.
    """
    copied = len(site.x.shape) > 2 and not merged(site.x.shape, site.x.strides, 1)
    bias = len(site.operands) > 2
    keeps = [site.weight()] if site.wants(0) else []
    twice = (site.out,) if copied and bias else ()
    if not site.wants(1):
        return Effect("new", tuple(keeps), temporary=twice)
    if copied:
        return Effect("new", tuple(keeps), (site.n,), twice)
    return Effect("new", ("input", *keeps))


@rule("bilinear")
def bilinear(site: Site) -> Effect:
    weight = "weight" if site.layer else "third"
    return Effect("new", ("input", "other", weight), temporary=(site.out,) if len(site.operands) > 3 else ())


@rule("batch_norm", "sync_batch_norm")
def batch_norm(site: Site) -> Effect:
    """In training the statistics of the batch are kept; cuDNN's small reserve is not counted."""
    shape = site.x.shape
    channels = shape[1] if len(shape) > 1 else 1
    kept = ("input", "weight") if len(site.operands) > 1 and site.layer else ("input",)
    batch = site.training or site.options.value("track_running_stats") is False
    statistics = (STATISTIC * channels,) * 2 if batch else ()
    return Effect("new", kept, statistics)


@rule("instance_norm")
def instance_norm(site: Site) -> Effect:
    """A batch norm over samples and channels together; what is given for the channels is repeated."""
    shape = site.x.shape
    batched = len(shape) > 2
    rows = shape[0] * shape[1] if batched else shape[0]
    tracked = site.options.on("track_running_stats")
    affine = site.layer and len(site.operands) > 1
    extra = [STATISTIC * rows] * (2 if not tracked or site.training else 0)
    extra += [STATISTIC * rows] * (2 if tracked else 0)
    extra += [rows * site.x.itemsize] if affine else []
    return Effect("new", ("input",), tuple(extra), (rows * site.x.itemsize,) if affine else ())


@rule("layer_norm")
def layer_norm(site: Site) -> Effect:
    rows = site.x.count // max(1, normalised(site))
    kept = ("input", "weight") if site.layer and len(site.operands) > 1 else ("input",)
    return Effect("new", kept, (STATISTIC * rows,) * 2)


def normalised(site: Site) -> int:
    """The elements that are normalised together."""
    shape = site.options.value("normalized_shape")
    if isinstance(shape, int):
        return shape
    if isinstance(shape, (tuple, list)) and shape and all(isinstance(size, int) for size in shape):
        return math.prod(shape)
    if len(site.operands) > 1:
        return site.operands[1].count
    return site.x.shape[-1] if site.x.shape else 1


@rule("rms_norm")
def rms_norm(site: Site) -> Effect:
    """Fused on CUDA: the input and one number a row. The CPU composes it (`composite`) and keeps a normalised copy."""
    rows = site.x.count // max(1, normalised(site))
    affine = len(site.operands) > 1
    keeps = ("input", "weight") if affine and site.layer else ("input",)
    if not site.options.told("composite"):
        return Effect("new", keeps, (STATISTIC * rows,))
    row = rows * site.x.itemsize
    if affine and not site.wants(0):
        return Effect("new", (), (site.n,) if site.wanted else (), (row,) if site.wanted else (site.n, row), (site.n,))
    copy = (site.n,) if affine and site.wants(1) else ()
    temporary = (row,) if not affine else () if copy else (site.n,)
    backward = (site.n, site.n, site.n, site.n - row)
    return Effect("new", keeps, (row, *copy), temporary, backward)


@rule("group_norm")
def group_norm(site: Site) -> Effect:
    groups = site.whole("num_groups")
    kept = ("input", "weight") if site.layer and len(site.operands) > 1 else ("input",)
    return Effect("new", kept, (STATISTIC * site.x.shape[0] * groups,) * 2)


@rule("local_response_norm")
def local_response_norm(site: Site) -> Effect:
    """input / (k + alpha * mean of squares over neighbouring channels) ** beta, step by step."""
    channels = site.x.shape[1]
    squares = site.n // channels * (channels + site.whole("size") - 1)
    if not site.wanted:
        return Effect("new", temporary=(site.n,) * 2)
    return Effect("new", ("input",), (squares, site.n, site.n), backward=(site.n,) * 3)


@rule("embedding")
def embedding(site: Site) -> Effect:
    """Only the indices are kept, for the weight's gradient, which is dense and as large as the weight."""
    return Effect("new", ("input",) if site.wants(1) else ())


@rule("embedding_bag")
def embedding_bag(site: Site) -> Effect | None:
    if len(site.x.shape) != 2 or site.options.value("mode", "mean") == "max":
        return None
    bags, length = site.x.shape
    extra = (INDEX * (bags * length + 1), INDEX * bags, INDEX * bags, INDEX * bags)
    if not site.wants(1):
        return Effect("new", temporary=extra)
    return Effect("new", ("input",), extra)
