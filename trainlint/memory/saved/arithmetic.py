"""Functions of two and three tensors that are broadcast together."""

from __future__ import annotations

from trainlint.memory.saved.site import OPERANDS, Effect, Site, rule


def narrow(site: Site, position: int) -> bool:
    """Is an operand repeated? Its gradient is made at full size first and summed then."""
    return position < len(site.operands) and site.operands[position].count < site.result.count


def summed(site: Site, *positions: int) -> tuple[int, ...]:
    """The gradients at full size of operands that are repeated; they follow each other."""
    return (site.out,) if any(site.wants(p) and narrow(site, p) for p in positions) else ()


def clone(site: Site, needed: bool) -> tuple[int, ...]:
    """The value of before, where it is overwritten and needed."""
    return (site.n,) if needed and site.inplace else ()


def original(site: Site, needed: bool) -> tuple[str, ...]:
    return ("input",) if needed and not site.inplace else ()


@rule("add", "sub", "rsub")
def add(site: Site) -> Effect:
    passes = [0] if site.wants(0) and not narrow(site, 0) and not site.options.told("reflected") else []
    if site.name == "rsub":
        return Effect(site.output)
    if site.name == "add" and site.wants(1) and not narrow(site, 1):
        passes.append(1)
    if site.name == "add" and site.options.told("reflected"):
        passes = [0]
    backward = summed(site, 1) if site.name == "sub" else ()
    return Effect(site.output, passes=tuple(passes), backward=backward)


@rule("mul")
def mul(site: Site) -> Effect:
    first, second = site.wants(0), site.wants(1)
    keeps = (*original(site, second), *(("other",) if first and len(site.operands) > 1 else ()))
    return Effect(site.output, keeps, clone(site, second), backward=summed(site, 0, 1))


@rule("div")
def div(site: Site) -> Effect:
    if site.options.told("reflected"):
        # the reciprocal, times the number
        return Effect("new", (), (site.n,), backward=(site.n,) * 3)
    second = site.wants(1)
    keeps = (*original(site, second), *(("other",) if len(site.operands) > 1 else ()))
    backward: tuple[int, ...] = ()
    if second:
        # -grad * (self / other) / other
        backward = (site.out,) * ((2 if site.wants(0) else 3) + bool(summed(site, 1)))
    return Effect(site.output, keeps, clone(site, second), backward=backward)


@rule("fmod", "remainder")
def remainder(site: Site) -> Effect:
    passes = (0,) if site.wants(0) and not narrow(site, 0) else ()
    if not site.wants(1):
        return Effect(site.output, passes=passes)
    backward = (site.out,) * (2 + bool(summed(site, 1)))
    return Effect("new", ("input", "other"), passes=passes, backward=backward)


@rule("pow")
def power(site: Site) -> Effect:
    if len(site.operands) > 1:
        count = 3 + site.wants(0) + bool(summed(site, 1))
        return Effect("new", ("input", "other", "output"), backward=(site.out,) * count + (site.out // 4,))
    if site.options.told("reflected"):
        return Effect("new", ("input", "output"), backward=(site.n,))
    backward = () if site.options.value("exponent", site.options.value("other")) == 0 else (site.n,) * 2
    return Effect(site.output, original(site, True), clone(site, site.wants(0)), backward=backward)


@rule("maximum", "minimum", "fmax", "fmin")
def maximum(site: Site) -> Effect:
    # a bool mask, and the gradient masked
    backward = (site.out, site.result.count, site.result.count, *summed(site, 0, 1))
    return Effect("new", ("input", "other"), backward=backward)


@rule("atan2")
def atan2(site: Site) -> Effect:
    count = 3 + (site.wants(0) and site.wants(1)) + site.wants(1) + bool(summed(site, 0, 1))
    return Effect("new", ("input", "other"), backward=(site.out,) * count)


@rule("hypot")
def hypot(site: Site) -> Effect:
    keeps = tuple(OPERANDS[i] for i in (0, 1) if site.wants(i))
    return Effect("new", (*keeps, "output"), backward=(site.out, *summed(site, 0, 1)))


@rule("lerp")
def lerp(site: Site) -> Effect | None:
    if len(site.operands) > 2:
        return None
    return Effect(site.output, backward=summed(site, 0, 1))


@rule("addcmul", "addcdiv")
def addcmul(site: Site) -> Effect:
    second, third = site.wants(1), site.wants(2)
    keeps = ["third"] if second or site.name == "addcdiv" else []
    if third:
        keeps.append("other")
    passes = (0,) if site.wants(0) and not narrow(site, 0) else ()
    count = 4 if third and site.name == "addcdiv" else 1
    made = (site.out,) * count if second or third else ()
    return Effect(site.output, tuple(keeps), passes=passes, backward=made)


@rule("where")
def where(site: Site) -> Effect:
    """The condition stands first in the function and second in the method; alone it gives indices."""
    if len(site.operands) == 1 and not site.x.floating and not site.results:
        return Effect("new")
    mask = next((i for i, each in enumerate(site.operands) if not each.floating), 0)
    return Effect("new", (OPERANDS[mask],), backward=summed(site, *range(len(site.operands))))


@rule("masked_fill")
def masked_fill(site: Site) -> Effect:
    return Effect(site.output, ("other",))


@rule("add_relu")
def add_relu(site: Site) -> Effect:
    return Effect("new", ("output",))


@rule("zero", "fill", "uniform", "normal", "bernoulli", "copy")
def overwrite(site: Site) -> Effect:
    """What is written over loses its graph. `copy_` hands the gradient to what it copied from."""
    passes = (1,) if site.name == "copy" and site.wants(1) and not narrow(site, 1) else ()
    return Effect(site.output, passes=passes)
