"""Reading and writing at indices."""

from __future__ import annotations

from trainlint.memory.saved.site import INDEX, Effect, Site, rule


@rule("getitem")
def getitem(site: Site) -> Effect:
    """Numbers, slices and `None` give a view; a tensor or a list gives a copy and is kept.

    A list is a tensor on the host; `copies` says that there is one. The gradient of a part is a tensor of zeros.
    """
    if len(site.operands) > 1:
        return Effect("new", ("other", "third")[: len(site.operands) - 1], backward=(site.n,))
    if site.options.told("copies"):
        return Effect("new", backward=(site.n,))
    return Effect("view", passes=(0,) if site.result.count == site.x.count else ())


@rule("setitem", "index_put", "masked_scatter")
def setitem(site: Site) -> Effect:
    """The part that is written over loses its graph; index tensors and masks are kept."""
    kept = tuple(name for name, each in zip(("other", "third"), site.operands[1:], strict=False) if not each.floating)
    value = next((each for each in site.operands[1:] if each.floating), None)
    return Effect("inplace", kept, backward=(value.size,) if value is not None and value.grad else ())


@rule("index_select")
def index_select(site: Site) -> Effect:
    return Effect("new", ("other",), backward=(site.n,))


@rule("gather", "masked_select")
def gather(site: Site) -> Effect:
    """The input is kept for its size only."""
    return Effect("new", ("input", "other"), backward=(site.n,))


@rule("take_along_dim")
def take_along_dim(site: Site) -> Effect:
    return Effect("new", ("input",), (INDEX * site.operands[1].count,), backward=(site.n,))


@rule("scatter")
def scatter(site: Site) -> Effect:
    return Effect(site.output, ("other",))


@rule("scatter_add")
def scatter_add(site: Site) -> Effect:
    return Effect(site.output, ("other",), passes=(0,) if site.wants(0) else ())


@rule("index_add")
def index_add(site: Site) -> Effect:
    return Effect(
        site.output, ("other", "third") if site.wants(2) else ("other",), passes=(0,) if site.wants(0) else ()
    )


@rule("index_fill", "index_copy")
def index_fill(site: Site) -> Effect:
    return Effect(site.output, ("other",))
