"""Attention: the fused kernel, the layer around it and the encoder layer around that."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.memory.saved.site import STATISTIC, Effect, Site, rule

HALF = 2


@rule("sdpa")
def fused(site: Site) -> Effect:
    """Flash attention keeps its operands, the result and the logarithms of the row sums; no matrix of weights.

    A mask is added to the scores inside of the kernel, and kept; where it has a gradient, as a learned bias of
    positions has, that has the size of all scores.
    """
    query, key = site.x, site.operands[1] if len(site.operands) > 1 else site.x
    rows = query.count // max(1, query.shape[-1])
    extra: tuple[int, ...] = (STATISTIC * rows,)
    keeps: tuple[str, ...] = ("input", "other", "third", "output")
    backward = tuple(site.operands[i].size for i in range(3) if not site.wants(i))
    if len(site.operands) > 3:
        mask = site.operands[3]
        if mask.floating:
            keeps = (*keeps, "fourth")
        else:
            # a bool mask is made a float one
            extra += (mask.count * query.itemsize,)
        scores = rows * key.shape[-2] * query.itemsize
        if site.wants(3) and scores != mask.size:
            backward += (scores,)
    return Effect("new", keeps, extra, backward=backward)


@dataclass(frozen=True, slots=True)
class Heads:
    """The sizes of an attention layer, in bytes of its dtype: `n` query, `m` key, `weights` the matrix of all heads.

    Under autocast that is the half precision of the projections.
    """

    n: int
    m: int
    weights: int
    average: int
    rows: int
    item: int


def heads(site: Site, count: int) -> Heads | None:
    query = site.x
    key = site.operands[1] if len(site.operands) > 1 and len(site.operands[1].shape) == len(query.shape) else query
    if len(query.shape) not in (2, 3) or not count:
        return None
    first = site.options.on("batch_first") and len(query.shape) == 3
    batch = 1 if len(query.shape) == 2 else query.shape[0 if first else 1]
    targets = query.count // max(1, batch * query.shape[-1])
    sources = key.count // max(1, batch * key.shape[-1])
    item = min(HALF, query.itemsize) if site.options.told("autocast") else query.itemsize
    matrix = batch * targets * sources * item
    return Heads(query.count * item, key.count * item, matrix * count, matrix, batch * targets * count, item)


def projections(site: Site, sizes: Heads, same: bool) -> list[int]:
    """The copies with the batch in the middle that the projections keep, and query, key and value."""
    first = site.options.on("batch_first") and len(site.x.shape) == 3
    copies = ([sizes.n] if same else [sizes.n, sizes.m]) if first else []
    return [*copies, *([3 * sizes.n] if same else [sizes.n, 2 * sizes.m])]


@rule("multihead_attention")
def layer(site: Site) -> Effect | None:
    """`same` says that query, key and value are one tensor; without it, equal shapes are taken for it."""
    sizes = heads(site, site.whole("num_heads", 0))
    if sizes is None:
        return None
    inputs = [each for each in site.operands[:3] if len(each.shape) == len(site.x.shape)]
    same = site.options.told("same", all(each.shape == site.x.shape for each in inputs))
    first = site.options.on("batch_first") and len(site.x.shape) == 3
    extra = projections(site, sizes, same)
    keeps = () if first else ("input",) if same else ("input", "other")
    dropout = site.options.number("dropout", 0) if site.training else 0
    if not site.options.on("need_weights", True):
        # the result of the fused kernel, in the layout that the last projection wants
        extra += [sizes.n, STATISTIC * sizes.rows, *merged_mask(site, sizes)]
        return Effect("new", keeps, tuple(extra), backward=(sizes.n,) * 4)
    if not same:
        # the projected query is scaled in a copy; it is no part of what the key and the value keep
        extra.remove(sizes.n)
    # the scaled query, the weights, and the attended values in the order of the input
    extra += [sizes.n, sizes.weights, sizes.n]
    if site.options.told("autocast"):
        wide = 2 * sizes.weights
        return Effect("new", keeps, (*extra, *in_single_precision(sizes, dropout > 0)), backward=(wide, wide, sizes.n))
    if dropout:
        extra += [sizes.weights // sizes.item, sizes.weights]
    spare = 0 if dropout else sizes.weights - 2 * sizes.n - (sizes.average if len(site.results) > 1 else 0)
    temporary = ((spare,) if spare > 0 else ()) + (() if same else (sizes.n,))
    return Effect("new", keeps, tuple(extra), temporary, (sizes.weights, sizes.weights, sizes.n))


def in_single_precision(sizes: Heads, dropout: bool) -> tuple[int, ...]:
    """Autocast: the softmax gives float32 and keeps it; the product with the values keeps a copy in half precision."""
    count = sizes.weights // sizes.item
    return (4 * count, count) if dropout else (4 * count,)


def merged_mask(site: Site, sizes: Heads) -> list[int]:
    """What masks become: one number for each key where only padding is masked, else one for each query too.

    `F.multi_head_attention_forward` repeats a padding mask for each head and adds it to that of the positions.
    """
    masks = [each for each in site.operands[1:] if len(each.shape) == 2 < len(site.x.shape) and not each.grad]
    weights = {sizes.weights // sizes.item // sizes.rows}
    square = [each for each in masks if each.shape[0] == each.shape[1] or each.shape[1] not in weights]
    if len(masks) > 1:
        return [sizes.weights]
    if not masks:
        return []
    heads = max(1, site.whole("num_heads", 1))
    batch = sizes.rows // heads
    return [masks[0].count * sizes.item] if square else [masks[0].count * heads * sizes.item if batch else 0]


@rule("transformer_encoder_layer")
def encoder_layer(site: Site) -> Effect | None:
    """Fused self-attention, two norms and two linear layers, with dropout after each part."""
    sizes = heads(site, site.whole("nhead", 0))
    if sizes is None:
        return None
    n, item = sizes.n, sizes.item
    width = site.x.shape[-1]
    middle = n // width * site.whole("dim_feedforward", 2048)
    statistics = 2 * STATISTIC * (n // (width * item))
    dropped = site.training and site.options.number("dropout", 0.1) > 0
    attention = [*projections(site, sizes, True), n, STATISTIC * sizes.rows]
    # ReLU keeps its result, which the second linear layer keeps as well where dropout does not copy it
    relu = site.options.value("activation", "relu") == "relu"
    hidden = [middle] if relu and not dropped else [middle, middle]
    masks = [n // item, middle // item, n // item] if dropped else []
    # the sums before the second norm (of a post-norm layer: before each), and the normalised inputs of linear layers
    first = site.options.on("batch_first") and len(site.x.shape) == 3
    pre = site.options.on("norm_first")
    # (float32, as are the norms, under autocast)
    sums = [site.n] if pre else [site.n, site.n]
    normals = ([] if first else [n]) + [n] if pre else [n]
    kept = ("input",) if pre or not first else ()
    extra = (*attention, *hidden, *masks, *sums, *normals, statistics, statistics)
    return Effect("new", kept, extra, backward=largest(n, middle))


def largest(n: int, middle: int) -> tuple[int, ...]:
    """The gradients that live together while the wide middle is differentiated."""
    return (n, middle, middle)
