"""Views, copies and changes of dtype."""

from __future__ import annotations

from trainlint.memory.saved.site import Effect, Site, rule
from trainlint.memory.saved.strides import is_contiguous, viewed

# the gradient of a whole view is a view of the gradient; that of a part is a tensor of zeros with the part filled in
WHOLE = ("view", "transpose", "permute", "unsqueeze", "squeeze", "view_as", "unflatten", "real")
PART = ("select", "narrow", "diagonal", "unfold", "as_strided", "slice")


@rule(*WHOLE)
def view(site: Site) -> Effect:
    return Effect("view", passes=(0,))


@rule(*PART)
def part(site: Site) -> Effect:
    return Effect("view")


@rule("expand", "expand_as", "broadcast_to")
def expand(site: Site) -> Effect:
    """The gradient is summed over the repeated axes."""
    same = site.result.count == site.x.count
    return Effect("view", passes=(0,) if same else ())


@rule("reshape", "flatten", "ravel", "reshape_as")
def reshape(site: Site) -> Effect:
    """A view where the strides allow it, otherwise a copy. `copies` says it, where the strides are not known."""
    fits = viewed(site.x.shape, site.x.strides, site.result.shape) is not None
    return Effect("new" if site.options.told("copies", not fits) else "view", passes=(0,))


@rule("contiguous")
def contiguous(site: Site) -> Effect:
    in_order = is_contiguous(site.x.shape, site.x.strides) and "memory_format" not in site.options
    return Effect("new" if site.options.told("copies", not in_order) else "view", passes=(0,))


@rule("clone")
def clone(site: Site) -> Effect:
    return Effect("new", passes=(0,))


@rule("to")
def to(site: Site) -> Effect:
    """The tensor itself where it has the dtype already; a gradient takes the way back."""
    same = site.result.itemsize == site.x.itemsize and site.result.floating == site.x.floating
    copy = "copy" in site.options and site.options.on("copy")
    return Effect("new" if copy or not same else "view", passes=(0,) if same else ())


@rule("create", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like")
def create(site: Site) -> Effect:
    return Effect("new")


@rule("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor", "one_hot", "bernoulli_like", "multinomial")
def new(site: Site) -> Effect:
    return Effect("new")


@rule("item", "tolist", "numpy", "size", "dim", "numel", "stride", "is_contiguous", "data_ptr", "backward")
def number(site: Site) -> Effect:
    return Effect("none")
