"""Pooling and the layers that only move or resize: padding, interpolation, shuffling of pixels."""

from __future__ import annotations

from trainlint.memory.saved.site import INDEX, Effect, Site, rule


@rule("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def max_pool(site: Site) -> Effect:
    """The input is kept for its size, with an int64 index for each element of the result."""
    if len(site.results) > 1:
        return Effect("new", ("input", "indices"))
    return Effect("new", ("input",), (INDEX * site.result.count,))


@rule("fractional_max_pool2d", "fractional_max_pool3d")
def fractional_max_pool(site: Site) -> Effect:
    samples = site.x.itemsize * site.x.shape[0] * site.x.shape[1] * (2 if site.name.endswith("2d") else 3)
    return Effect("new", ("input",), (INDEX * site.result.count,), (samples,))


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(site: Site) -> Effect:
    return Effect("new", ("input",))


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(site: Site) -> Effect:
    """To one element it is a mean, which keeps nothing."""
    spatial = int(site.name[-2])
    one = all(size == 1 for size in site.result.shape[-spatial:])
    return Effect("new", () if one else ("input",))


@rule("lp_pool1d", "lp_pool2d", "lp_pool3d")
def lp_pool(site: Site) -> Effect:
    if not site.wanted:
        return Effect("new", temporary=(site.n,))
    return Effect("new", ("input",), (site.n, *(site.out,) * 4), backward=(site.n, site.out))


@rule("max_unpool1d", "max_unpool2d", "max_unpool3d")
def max_unpool(site: Site) -> Effect:
    return Effect("new", ("other",))


@rule("interpolate")
def interpolate(site: Site) -> Effect:
    return Effect("new", ("input",) if site.options.value("mode") == "area" else ())


@rule("pad_with_input")
def pad_with_input(site: Site) -> Effect:
    return Effect("new", ("input",))


@rule("pad")
def pad(site: Site) -> Effect:
    """Reflection and replication keep the input; a circular pad is several copies, a constant one a copy."""
    mode = site.options.value("mode", "constant")
    return Effect("new", ("input",) if mode in ("reflect", "replicate") else ())


@rule("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "col2im", "affine_grid")
def rearranged(site: Site) -> Effect:
    return Effect("new")


@rule("grid_sample")
def grid_sample(site: Site) -> Effect:
    backward = () if site.wants(1) else (site.operands[1].size,)
    return Effect("new", ("input", "other"), backward=backward)
