"""Losses over pairs and triples of vectors, and the CTC loss over sequences."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Const, Unknown, number
from trainlint.ops.broadcast import Shape, shape_of
from trainlint.ops.dtypes import as_float, promoted, real_type, result_type
from trainlint.ops.elementwise_losses import refused, together
from trainlint.ops.losses import Outcome, Terms, handles


def arrays_of(terms: Terms, count: int) -> list[Array]:
    """The tensors of the loss where all of them are known, else none."""
    arrays = [v for v in terms.tensors.values() if isinstance(v, Array) and v.lib == "torch"]
    return arrays if len(arrays) == count else []


def same_rank(terms: Terms, arrays: list[Array]) -> bool:
    """State that all have the same number of axes."""
    ranks = [len(a.shape) if a.shape is not None else None for a in arrays]
    known = [r for r in ranks if r is not None]
    if len(set(known)) > 1:
        return terms.require(False, "rank", *arrays, got=Const(known[-1]), wanted=str(known[0]))
    return True


@handles("margin_ranking_loss")
def margin_ranking(terms: Terms) -> Outcome | None:
    """The target is 1 or -1 for each pair of scores."""
    arrays = arrays_of(terms, 3)
    if not arrays:
        return Outcome()
    if not same_rank(terms, arrays) or any(refused(terms, a, "bc") for a in arrays):
        return None
    shape = together(terms, *arrays)
    return Outcome(shape, as_float(result_type(list(arrays)))) if shape is not None else None


@handles("cosine_embedding_loss")
def cosine_embedding(terms: Terms) -> Outcome | None:
    """`(N, D)` twice with a target `(N,)`, or `(D,)` twice with one number."""
    arrays = arrays_of(terms, 3)
    if not arrays:
        return Outcome()
    first, second, target = arrays
    if refused(terms, first, "c") or refused(terms, second, "c"):
        return None
    dtype = promoted(as_float(first.dtype), as_float(second.dtype))
    if target.shape is None:
        return Outcome(dtype=dtype)
    rank = len(target.shape)
    if not terms.require(rank <= 1, "rank", target, got=Const(rank), wanted="0 or 1"):
        return None
    if first.shape is not None:
        got = Const(len(first.shape))
        if not terms.require(len(first.shape) == rank + 1, "rank", first, got=got, wanted=str(rank + 1)):
            return None
    if second.shape is not None:
        got = Const(len(second.shape))
        if not terms.require(len(second.shape) > rank, "rank", second, got=got, wanted=str(rank + 1)):
            return None
    shape = together(terms, first, second)
    if shape is None:
        return None
    if shape.tail or first.shape is None or second.shape is None or len(second.shape) != rank + 1:
        return Outcome(dtype=dtype)
    both = together(terms, Array(shape=shape.sizes[:rank]), target)
    return Outcome(both, dtype) if both is not None else None


@handles("triplet_margin_loss")
def triplet(terms: Terms) -> Outcome | None:
    """The last axis is that of the vectors."""
    margin = number(terms.option("margin", 1.0))
    if margin is not None and not terms.require(margin > 0, "argument", what="margin", got=Const(margin)):
        return None
    arrays = arrays_of(terms, 3)
    if not arrays:
        return Outcome()
    if not same_rank(terms, arrays) or any(refused(terms, a, "b") for a in arrays):
        return None
    anchor, positive, negative = arrays
    near, far = together(terms, anchor, positive), together(terms, anchor, negative)
    if near is None or far is None:
        return None
    if near.tail or far.tail:
        return Outcome()
    # each distance is computed on its own
    distances = [real_type(as_float(result_type([anchor, other]))) for other in (positive, negative)]
    dtype = promoted(*distances)
    both = together(terms, Array(shape=near.sizes[:-1]), Array(shape=far.sizes[:-1]))
    return Outcome(both, dtype) if both is not None else None


@handles("ctc_loss")
def ctc(terms: Terms) -> Outcome | None:
    """`(T, N, C)` gives one number for each of the N sequences."""
    first = terms.tensor("log_probs")
    if first is None:
        return Outcome()
    if refused(terms, first, "bic"):
        return None
    shape = shape_of(first)
    if shape.tail:
        return Outcome(dtype=first.dtype)
    rank = len(shape.sizes)
    if not terms.require(rank in (2, 3), "rank", first, got=Const(rank), wanted="2 or 3"):
        return None
    return Outcome(Shape(shape.sizes[1:2]) if rank == 3 else Shape((Unknown(),), True), first.dtype)
