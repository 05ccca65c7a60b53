"""Reductions, sorting, running sums and norms."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.memory.saved.site import Effect, Site, rule


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a reduction keeps, and the share of the input's bytes that its backward makes beside the gradient."""

    keeps: tuple[str, ...] = ()
    backward: float = 0


TABLE = {
    "mean": Reduction(),
    "prod": Reduction(("input", "output"), 5),
    "norm": Reduction(("input", "output"), 1),
    "std": Reduction(("input", "output"), 1),
    "var": Reduction(("input",), 1),
    "var_mean": Reduction(("input",), 2),
    "std_mean": Reduction(("input", "output"), 2),
    "logsumexp": Reduction(("input", "output"), 2),
    "nansum": Reduction(("input",), 0.5),
    "cumsum": Reduction((), 2),
    "cumprod": Reduction(("input", "output"), 8),
    "logcumsumexp": Reduction(("input", "output"), 7),
    "cummax": Reduction(("input", "indices"), 1),
    "cummin": Reduction(("input", "indices"), 1),
    "diff": Reduction((), 2),
    **dict.fromkeys(("sort", "topk", "kthvalue", "mode", "argsort"), Reduction(("indices",), 1)),
    **dict.fromkeys(("argmax", "argmin", "all", "any", "count_nonzero", "bincount", "nonzero", "unique"), Reduction()),
}


@rule(*TABLE)
def reduction(site: Site) -> Effect:
    entry = TABLE[site.name]
    if site.name == "argsort":
        # the sorted values go at once
        return Effect("new", (), temporary=(site.n,))
    size = int(site.n * entry.backward)
    return Effect(site.output, entry.keeps, backward=(size,) if size else ())


@rule("sum")
def total(site: Site) -> Effect:
    """The gradient is expanded: a view."""
    return Effect("new", passes=(0,))


@rule("max", "min", "median", "nanmedian")
def extreme(site: Site) -> Effect:
    """Over all elements, along an axis with the indices, or of two tensors."""
    if len(site.operands) > 1:
        backward = (site.out, site.result.count, site.result.count)
        return Effect("new", ("input", "other"), backward=backward)
    if len(site.results) > 1:
        return Effect("new", ("indices",), backward=(site.n,))
    return Effect("new", ("input", "output"), backward=(site.x.count, site.n // 2))


@rule("amax", "amin")
def amax(site: Site) -> Effect:
    # the mask of where the extreme is, and how often it is there
    return Effect("new", ("input", "output"), backward=(site.x.count, 3 * site.out))


@rule("normalize")
def normalize(site: Site) -> Effect:
    """input / norm: the norm before and after it is kept away from zero."""
    axis = site.whole("dim", 1)
    rows = site.n // max(1, site.x.shape[axis])
    return Effect("new", ("input",), (rows, rows), backward=(site.n,) * 3)
