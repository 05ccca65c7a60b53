"""Losses over classes: cross-entropy and the negative log-likelihood, the multi-class and multi-label margins."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Const, Value, is_none, number
from trainlint.ops.arguments import integer
from trainlint.ops.broadcast import Shape, shape_of
from trainlint.ops.dtypes import is_float, kind_of_dtype, promoted
from trainlint.ops.elementwise_losses import compares, every, refused, widened
from trainlint.ops.layers import autocast
from trainlint.ops.losses import Outcome, Terms


@compares("cross_entropy", "nll_loss")
def class_loss(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """Class numbers for each place, or (cross-entropy only) a probability for each class of it.

    The classes are axis 1 of the input, axis 0 where it has only one. A target with the sizes of the input holds
    probabilities.
    """
    if refused(terms, first, "bic"):
        return None
    if first.shape is None:
        return Outcome(dtype=None)
    if not terms.require(bool(first.shape), "rank", first, got=Const(0), wanted="at least 1"):
        return None
    classes = first.shape[1 if len(first.shape) > 1 else 0]
    likeness = as_probabilities(terms, first, target)
    if likeness is None:
        return Outcome()
    if likeness:
        return probabilities(terms, first, target, classes)
    return indices(terms, first, target, classes)


def as_probabilities(terms: Terms, first: Array, target: Array) -> bool | None:
    """Does the target have the sizes of the input, so that it is taken for probabilities? None: not decided."""
    if terms.name != "cross_entropy":
        return False
    if first.shape is None or target.shape is None:
        return None
    if len(first.shape) != len(target.shape):
        return False
    return every([dims.same(a, b) for a, b in zip(first.shape, target.shape, strict=True)])


def probabilities(terms: Terms, first: Array, target: Array, classes: Value) -> Outcome | None:
    """One probability for each class."""
    if refused(terms, target, "bic"):
        return None
    ignored = number(terms.option("ignore_index", -100))
    if ignored is not None and not terms.require(ignored < 0, "argument", what="ignore_index", got=Const(ignored)):
        return None
    smoothing = number(terms.option("label_smoothing", 0.0))
    if smoothing is not None and smoothing > 1:
        terms.require(False, "argument", what="label_smoothing", got=Const(smoothing))
        return None
    weight = terms.option("weight")
    if not weight_fits(terms, weight, classes):
        return None
    dtype = promoted(first.dtype, target.dtype)
    if isinstance(weight, Array):
        dtype = promoted(dtype, weight.dtype)
    elif not is_none(weight):
        dtype = None
    assert first.shape is not None
    at = 1 if len(first.shape) > 1 else 0
    return Outcome(Shape(first.shape[:at] + first.shape[at + 1 :]), widened(terms, dtype))


def weight_fits(terms: Terms, weight: Value, classes: Value) -> bool:
    """State that the weights are one for each class."""
    if not isinstance(weight, Array) or weight.shape is None:
        return True
    holds = dims.same(weight.shape[0], classes) if len(weight.shape) == 1 else False
    got = weight.shape[0] if len(weight.shape) == 1 else Const(len(weight.shape))
    return terms.require(holds, "loss", weight, what="weight", got=got, wanted=classes)


def indices(terms: Terms, first: Array, target: Array, classes: Value) -> Outcome | None:
    """One class number for each place."""
    assert first.shape is not None
    if target.dtype is not None:
        # bytes are taken for one class number a sample, not for maps of them
        holds = target.dtype == "int64" or (target.dtype == "uint8" and len(first.shape) < 3)
        if not terms.require(holds, "dtype", target, first, what="target", got=target.dtype, wanted="int64"):
            return None
    smoothing = number(terms.option("label_smoothing", 0.0)) if terms.name == "cross_entropy" else 0
    if smoothing is not None and smoothing > 1:
        terms.require(False, "argument", what="label_smoothing", got=Const(smoothing))
        return None
    if not places_fit(terms, first, target):
        return None
    weight = terms.option("weight")
    if isinstance(weight, Array):
        if not weight_fits(terms, weight, classes) or not same_width(terms, first, weight):
            return None
    if not numbers_fit(terms, target, classes):
        return None
    shape = Shape((first.shape[0], *first.shape[2:])) if len(first.shape) > 1 else shape_of(target)
    return Outcome(shape, widened(terms, first.dtype))


def same_width(terms: Terms, first: Array, weight: Array) -> bool:
    """State that the weights have the dtype of the input."""
    if first.dtype is None or weight.dtype is None:
        return True
    holds: bool | None = weight.dtype == first.dtype
    if holds is False and is_float(weight.dtype) and autocast(terms.call):
        holds = None
    return terms.require(holds, "dtype", first, weight, what="weight", got=weight.dtype, wanted=first.dtype)


def places_fit(terms: Terms, first: Array, target: Array) -> bool:
    """State that the target has the sizes of the input without its classes."""
    if first.shape is None or target.shape is None:
        return True
    rank, mine = len(first.shape), target.shape
    if rank == 1:
        holds = True if not mine else dims.same(mine[0], Const(1)) if len(mine) == 1 else False
        return terms.require(holds, "loss", first, target, what="one sample")
    wanted = (first.shape[0], *first.shape[2:])
    if len(mine) != len(wanted):
        names = {"got": Const(len(mine)), "wanted": Const(len(wanted))}
        return terms.require(False, "loss", first, target, what="rank", **names)
    for got, want in zip(mine, wanted, strict=True):
        if not terms.require(dims.same(got, want), "loss", first, target, what="places", got=got, wanted=want):
            return False
    return True


def numbers_fit(terms: Terms, target: Array, classes: Value) -> bool:
    """State that the class numbers lie between 0 and the number of classes."""
    bounds = target.bounds
    some = target.shape is not None and dims.at_least(dims.product(target.shape), Const(1)) is True
    ignored = integer(terms.option("ignore_index", -100)) if terms.name in ("cross_entropy", "nll_loss") else -1
    if bounds is None or ignored is None or not some:
        return True
    low, high, certain = bounds
    # what a random draw may give it gives sooner or later
    target = target if certain else target.but(likely=True)
    if dims.same(high, Const(ignored)) is False:
        below = dims.at_least(dims.sub(classes, Const(1)), high)
        if not terms.require(below, "index", target, what="class", got=high, wanted=classes, low=low):
            return False
    if dims.same(low, Const(ignored)) is False or terms.name == "multi_margin_loss":
        return terms.require(dims.at_least(low, Const(0)), "index", target, what="class", got=low, wanted=classes)
    return True


@compares("multi_margin_loss")
def multi_margin(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """`(N, C)` or `(C,)` against one class number for each sample."""
    power = number(terms.option("p", 1))
    if power is not None and not terms.require(power in (1, 2), "argument", what="p", got=Const(power)):
        return None
    if not scores(terms, first) or not whole(terms, target) or first.shape is None:
        return Outcome() if first.shape is None else None
    if not terms.require(len(first.shape) <= 2, "rank", first, got=Const(len(first.shape)), wanted="1 or 2"):
        return None
    classes = first.shape[-1] if first.shape else Const(1)
    samples = first.shape[0] if len(first.shape) == 2 else Const(1)
    if not terms.require(dims.at_least(classes, Const(1)), "loss", first, what="no classes"):
        return None
    if target.shape is not None:
        holds = dims.same(dims.product(target.shape), samples) if len(target.shape) <= 1 else False
        if not terms.require(holds, "loss", first, target, what="places"):
            return None
    weight = terms.option("weight")
    if isinstance(weight, Array):
        if not weight_fits(terms, weight, classes) or not same_width(terms, first, weight):
            return None
    if not numbers_fit(terms, target, classes):
        return None
    return Outcome(Shape((samples,)), first.dtype, single=target.shape == ())


def scores(terms: Terms, first: Array) -> bool:
    """State that the scores are floats; half precision is refused on the CPU only."""
    if refused(terms, first, "bic"):
        return False
    if first.dtype in ("float16", "bfloat16"):
        holds = False if first.device == "cpu" and not autocast(terms.call) else None
        return terms.require(holds, "dtype", first, what="input", got=first.dtype, wanted="float32")
    return True


def whole(terms: Terms, target: Array) -> bool:
    """State that the class numbers are int64."""
    holds = None if kind_of_dtype(target.dtype) is None else target.dtype == "int64"
    return terms.require(holds, "dtype", target, what="target", got=target.dtype or "", wanted="int64")


@compares("multilabel_margin_loss")
def multilabel_margin(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """`(N, C)` or `(C,)` against class numbers of the same sizes."""
    if not scores(terms, first) or not whole(terms, target):
        return None
    if first.shape is None or target.shape is None:
        return Outcome()
    mine, theirs = first.shape, target.shape
    if not terms.require(len(mine) <= 2, "rank", first, got=Const(len(mine)), wanted="1 or 2"):
        return None
    classes = mine[-1] if mine else Const(1)
    if not terms.require(dims.at_least(classes, Const(1)), "loss", first, what="no classes"):
        return None
    if len(mine) < 2:
        holds = dims.same(dims.product(theirs), classes) if len(theirs) <= 1 else False
    elif len(theirs) == 2:
        holds = every([dims.same(a, b) for a, b in zip(mine, theirs, strict=True)])
    else:
        holds = False
    if not terms.require(holds, "loss", first, target, what="sizes"):
        return None
    return Outcome(Shape(mine[:1]), first.dtype, single=len(theirs) <= 1)
