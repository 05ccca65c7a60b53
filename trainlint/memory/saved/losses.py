"""Losses. Several keep their unreduced buffer under the scalar that they return."""

from __future__ import annotations

import math

from trainlint.memory.saved.site import INDEX, Effect, Site, broadcast, rule
from trainlint.memory.saved.strides import is_contiguous


def reduced(site: Site) -> bool:
    return site.options.value("reduction", "mean") != "none"


def full(site: Site) -> int:
    """The bytes of the loss before it is reduced: input and target broadcast together."""
    return math.prod(broadcast([each.shape for each in site.operands[:2]])) * site.x.itemsize


@rule("mse_loss", "smooth_l1_loss", "soft_margin_loss")
def buffered(site: Site) -> Effect:
    return Effect("new", ("input", "other"), storage=full(site) if reduced(site) else None)


@rule("binary_cross_entropy")
def binary_cross_entropy(site: Site) -> Effect:
    keeps = ("input", "other", *(("third",) if len(site.operands) > 2 else ()))
    backward = (full(site),) if site.wants(1) else ()
    return Effect("new", keeps, backward=backward, storage=full(site) if reduced(site) else None)


@rule("huber_loss", "multi_margin_loss")
def both(site: Site) -> Effect:
    return Effect("new", ("input", "other"))


@rule("l1_loss")
def l1_loss(site: Site) -> Effect:
    """|input - target|, then the mean: the difference is kept."""
    size = full(site)
    first = reduced(site)
    mean = first and site.options.value("reduction", "mean") == "mean"
    backward = (size,) * ((0 if site.wants(0) and site.wants(1) else 1) + mean)
    return Effect("new", (), (size,), (size,) if first else (), backward)


@rule("binary_cross_entropy_with_logits")
def with_logits(site: Site) -> Effect:
    keeps = ("input", "other", *(("third",) if len(site.operands) > 2 else ()))
    # composed of five functions where positives are weighted
    count = 5 if len(site.operands) > 2 else 1
    return Effect("new", keeps, backward=(full(site),) * count)


@rule("kl_div")
def kl_div(site: Site) -> Effect:
    size = full(site)
    spare = (size,) * 2 + ((size,) if reduced(site) and not site.options.on("log_target") else ())
    keeps = ("input", "other") if site.wants(1) else () if site.options.on("log_target") else ("other",)
    extra = (size,) if site.options.on("log_target") else ()
    return Effect("new", keeps, extra, spare, (size,) * (3 if site.wants(1) else 1))


@rule("poisson_nll_loss")
def poisson(site: Site) -> Effect:
    """exp(input) - target * input, with the exponential kept."""
    size = full(site)
    keeps = ("input", "other") if site.wants(1) else ("other",)
    return Effect("new", keeps, (size,), (size,) * (2 if reduced(site) else 1), (size,) * 2)


@rule("cross_entropy")
def cross_entropy(site: Site) -> Effect:
    """The logarithms of the softmax are kept with the target; their gradient is a second buffer of that size."""
    keeps: tuple[str, ...] = ("other", *(("third",) if len(site.operands) > 2 else ()))
    size = site.n
    target = site.operands[1] if len(site.operands) > 1 else None
    if target is not None and target.floating:
        return Effect("new", keeps, (size,), (size,), (size,))
    rows = site.x.count // max(1, site.x.shape[1 if len(site.x.shape) > 1 else 0]) * site.x.itemsize
    if site.options.number("label_smoothing", 0):
        # the smooth part masks what is ignored
        return Effect("new", keeps, (size, rows // site.x.itemsize), (rows,), (size, rows))
    return Effect("new", keeps, (size,), (), (size,))


@rule("nll_loss")
def nll_loss(site: Site) -> Effect:
    weights = ("third",) if len(site.operands) > 2 else ()
    if len(site.x.shape) not in (1, 2, 4) and not is_contiguous(site.x.shape, site.x.strides):
        # `nll_loss_nd` of aten/src/ATen/native/LossNLL.cpp makes it contiguous first
        return Effect("new", ("other", *weights), (site.n,))
    return Effect("new", ("input", "other", *weights))


@rule("ctc_loss")
def ctc_loss(site: Site) -> Effect | None:
    """The forward variables: steps × samples × (2 × longest target + 1), the likelihoods, both lengths."""
    if len(site.x.shape) != 3 or len(site.operands) < 2 or len(site.operands[1].shape) != 2:
        return None
    steps, samples, _ = site.x.shape
    states = 2 * site.operands[1].shape[1] + 1
    extra = (steps * samples * states * site.x.itemsize, samples * site.x.itemsize, INDEX * samples, INDEX * samples)
    return Effect("new", ("input", "other"), extra)


@rule("multilabel_margin_loss")
def multilabel_margin(site: Site) -> Effect:
    return Effect("new", ("input", "other"), (site.n,))


@rule("multilabel_soft_margin_loss")
def multilabel_soft_margin(site: Site) -> Effect:
    return Effect("new", ("input", "other"), (site.n,) * 4, (site.n,) * 3, (site.n,) * 2)


@rule("margin_ranking_loss")
def margin_ranking(site: Site) -> Effect:
    # -target * (input1 - input2) + margin, clamped: the difference is not kept, the product with the target is
    return Effect("new", (), (site.n,) * 2, (site.n,) * (2 if reduced(site) else 1))


@rule("triplet_margin_loss")
def triplet(site: Site) -> Effect:
    """Two distances, each with the difference of its tensors."""
    rows = site.n // max(1, site.x.shape[-1])
    return Effect("new", (), (site.n, site.n, rows, rows, rows), (site.n - rows,))


@rule("gaussian_nll_loss")
def gaussian(site: Site) -> Effect:
    return Effect("new", (), (site.n,) * 3, (site.n,) * (3 if reduced(site) else 2), (site.n,) * 4)
