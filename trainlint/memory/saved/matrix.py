"""Products of matrices. Operands whose axes cannot be merged without a copy are copied, and the copy is kept."""

from __future__ import annotations

import math

from trainlint.memory.saved.site import OPERANDS, Effect, Site, Tensor, broadcast, rule
from trainlint.memory.saved.strides import Shape, contiguous, expanded, merged, viewed


@rule("mm", "bmm", "mv", "dot", "vdot", "inner", "chain_matmul")
def product(site: Site) -> Effect:
    """Each operand is kept for the gradient of the other."""
    return Effect("new", crossed(site, 0, 1))


def crossed(site: Site, first: int, second: int) -> tuple[str, ...]:
    pairs = ((first, second), (second, first))
    return tuple(OPERANDS[kept] for kept, other in pairs if site.wants(other))


@rule("addmm", "baddbmm", "addmv", "addbmm")
def added(site: Site) -> Effect:
    passes = (0,) if site.wants(0) and site.x.count == site.result.count and site.options.number("beta", 1) == 1 else ()
    return Effect(site.output, crossed(site, 1, 2), passes=passes)


@rule("outer", "ger")
def outer(site: Site) -> Effect:
    return Effect("new", crossed(site, 0, 1), backward=(site.out,))


@rule("matmul")
def matmul(site: Site) -> Effect | None:
    if len(site.operands) != 2:
        return None
    a, b = site.operands
    if max(len(a.shape), len(b.shape)) <= 2:
        return Effect("new", crossed(site, 0, 1))
    if min(len(a.shape), len(b.shape)) <= 2:
        return folded(site, a, b)
    return batched(site, a, b)


def folded(site: Site, a: Tensor, b: Tensor) -> Effect:
    """One operand is a matrix or a vector: the other one's leading axes are made rows."""
    large, small = (0, 1) if len(a.shape) > len(b.shape) else (1, 0)
    tensor = site.operands[large]
    shape, strides = tensor.shape, tensor.strides
    if large == 1:
        # a matrix times a stack: (stack.mT @ matrix.mT).mT, which no stack that lies in order allows without a copy
        if not (site.wants(small) and len(site.operands[small].shape) == 2):
            return Effect("new", crossed(site, 0, 1))
        held = strides if strides is not None else contiguous(shape)
        shape, strides = (*shape[:-2], shape[-1], shape[-2]), (*held[:-2], held[-1], held[-2])
    if merged(shape, strides, 1):
        return Effect("new", crossed(site, 0, 1))
    turned = (site.out,) if large == 1 else ()
    keeps = tuple(name for name in crossed(site, 0, 1) if name != OPERANDS[large])
    copy = (tensor.size,)
    if site.wants(small):
        return Effect("new", keeps, copy, turned, turned)
    return Effect("new", keeps, (), (*copy, *turned), turned)


def batched(site: Site, a: Tensor, b: Tensor) -> Effect:
    """Two stacks: the leading axes are broadcast and merged."""
    batch = broadcast([a.shape[:-2], b.shape[:-2]])
    copies = [copied(a, batch), copied(b, batch)]
    crossed_names = crossed(site, 0, 1)
    keeps = tuple(OPERANDS[i] for i in (0, 1) if OPERANDS[i] in crossed_names and not copies[i])
    extra = tuple(copies[i] for i in (0, 1) if copies[i] and OPERANDS[i] in crossed_names)
    spare = tuple(copies[i] for i in (0, 1) if copies[i] and OPERANDS[i] not in crossed_names)
    return Effect("new", keeps, extra, spare)


def copied(tensor: Tensor, batch: Shape) -> int:
    """The bytes of the copy of an operand whose leading axes do not merge; 0 where they do."""
    shape = (*batch, *tensor.shape[-2:])
    strides = expanded(tensor.shape, tensor.strides, shape)
    flat = (math.prod(batch), *tensor.shape[-2:])
    return 0 if viewed(shape, strides, flat) is not None else math.prod(shape) * tensor.itemsize


@rule("einsum")
def einsum(site: Site) -> Effect | None:
    """Two operands become one product of stacks. One operand is summed or turned; more are not followed."""
    if len(site.operands) == 1:
        return Effect("new", passes=(0,))
    if len(site.operands) != 2:
        return None
    equation = site.options.value("equation")
    a, b = site.operands
    copies = einsum_copies(equation, a, b) if isinstance(equation, str) else (0, 0)
    if copies is None:
        return None
    crossed_names = crossed(site, 0, 1)
    keeps = tuple(OPERANDS[i] for i in (0, 1) if OPERANDS[i] in crossed_names and not copies[i])
    extra = tuple(copies[i] for i in (0, 1) if copies[i] and OPERANDS[i] in crossed_names)
    spare = tuple(copies[i] for i in (0, 1) if copies[i] and OPERANDS[i] not in crossed_names)
    return Effect("new", keeps, extra, spare)


def einsum_copies(equation: str, a: Tensor, b: Tensor) -> tuple[int, int] | None:
    """The copies that `bmm` needs: of each operand the axes become (shared, own, summed), each group merged.

    None for equations that are not understood (an ellipsis, a repeated letter).
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    first, _, second = left.partition(",")
    if not arrow or len(first) != len(a.shape) or len(second) != len(b.shape) or "." in equation:
        return None
    if len(set(first)) != len(first) or len(set(second)) != len(second):
        return None
    batch = [letter for letter in right if letter in first and letter in second]
    summed = [letter for letter in first if letter in second and letter not in right]
    if any(letter not in right and letter not in summed for letter in first + second):
        return None
    sizes = dict(zip(first + second, a.shape + b.shape, strict=True))
    own = [[letter for letter in right if letter in word and letter not in batch] for word in (first, second)]
    found = []
    for word, tensor, groups in (
        (first, a, (batch, own[0], summed)),
        (second, b, (batch, summed, own[1])),
    ):
        strides = dict(zip(word, tensor.strides or contiguous(tensor.shape), strict=True))
        letters = [letter for group in groups for letter in group]
        shape = tuple(sizes[letter] for letter in letters)
        flat = tuple(math.prod(sizes[letter] for letter in group) for group in groups)
        view = viewed(shape, tuple(strides[letter] for letter in letters), flat)
        found.append(0 if view is not None else tensor.size)
    return found[0], found[1]


@rule("cdist")
def cdist(site: Site) -> Effect:
    return Effect("new", ("input", "other", "output"), backward=(site.out,) * (2 if site.wants(1) else 0))


@rule("cosine_similarity")
def cosine_similarity(site: Site) -> Effect:
    """Each operand over its norm: the quotient and two numbers a row are kept with it."""
    axis = site.whole("dim", 1)
    rows = site.n // max(1, site.x.shape[axis])
    wanted = [i for i in (0, 1) if site.wants(i)]
    if len(wanted) == 1:
        other = site.operands[1 - wanted[0]].size
        return Effect("new", (OPERANDS[wanted[0]],), (other, rows, rows), (site.n,) * 2, (site.n,) * 4)
    return Effect("new", ("input", "other"), (site.n, site.n, rows, rows, rows, rows), (site.n,), (site.n,) * 3)


@rule("cosine_embedding_loss")
def cosine_embedding_loss(site: Site) -> Effect:
    """Products of the operands are summed at once; a few numbers a row are kept, and masks (ATen/native/Loss.cpp)."""
    rows = site.n // max(1, site.x.shape[-1])
    return Effect("new", ("input", "other"), (*(rows,) * 4, *(rows // site.x.itemsize,) * 3), (site.n,), (site.n,) * 2)


@rule("pairwise_distance")
def pairwise_distance(site: Site) -> Effect:
    return Effect("new", ("output",), (site.n,), (site.n,))
