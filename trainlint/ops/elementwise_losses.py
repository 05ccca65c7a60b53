"""Losses that compare input and target element by element: MSE and its kin, binary cross-entropy, KL, Poisson, …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.values import Const, Value, is_none, number
from trainlint.ops.broadcast import Clash, Shape, broadcast, shape_of
from trainlint.ops.dtypes import as_float, kind_of_dtype, promoted, real_type, result_type
from trainlint.ops.layers import autocast
from trainlint.ops.losses import Outcome, Terms, handles, reduction_of

HALVES = ("float16", "bfloat16")


def together(terms: Terms, *values: Value | None) -> Shape | None:
    """The shape of tensors broadcast together; None where it is proved that they do not fit (reported)."""
    arrays = [v for v in values if isinstance(v, Array)]
    result = Shape((), True) if len(arrays) < len(values) else Shape(())
    for array in arrays:
        both = broadcast(result, shape_of(array))
        if isinstance(both, Clash):
            terms.require(False, "broadcast", *arrays, left=both.left, right=both.right, axis=str(both.axis))
            return None
        result = both
    return result


def every(answers: Sequence[bool | None]) -> bool | None:
    """All of them, three-valued."""
    return False if False in answers else None if None in answers else True


def either(a: bool | None, b: bool | None) -> bool | None:
    """One of the two, three-valued."""
    return True if a or b else False if a is False and b is False else None


def goes_into(terms: Terms, value: Array, shape: Shape, name: str) -> bool:
    """State that the tensor broadcasts to the shape without making it larger."""
    mine = shape_of(value)
    fits = shape.tail or mine.tail or len(mine.sizes) <= len(shape.sizes)
    axes = zip(reversed(mine.sizes), reversed(shape.sizes), strict=False)
    holds = every([fits, *(either(dims.same(have, Const(1)), dims.same(have, need)) for have, need in axes)])
    got = mine.sizes[-1] if mine.sizes else Const(1)
    wanted = shape.sizes[-1] if shape.sizes else Const(1)
    return terms.require(holds, "loss", value, what=name, got=got, wanted=wanted)


def same_sizes(terms: Terms, first: Array, second: Array, what: str = "sizes") -> bool:
    """State that two tensors have exactly the same sizes."""
    a, b = shape_of(first), shape_of(second)
    ranks = None if a.tail or b.tail else len(a.sizes) == len(b.sizes)
    axes = zip(reversed(a.sizes), reversed(b.sizes), strict=False)
    holds = every([ranks, *(dims.same(x, y) for x, y in axes)])
    return terms.require(holds, "loss", first, second, what=what)


def refused(terms: Terms, array: Array, kinds: str, wanted: str = "float32") -> bool:
    """State that the dtype is none of those kinds: b bool, i integer, f float, c complex."""
    mine = kind_of_dtype(array.dtype)
    if mine is None or array.lib != "torch":
        return False
    name = next((n for n, value in terms.tensors.items() if value is array), "weight")
    return not terms.require("bifc"[mine] not in kinds, "dtype", array, what=name, got=array.dtype or "", wanted=wanted)


def unknown(terms: Terms) -> bool:
    """Is one of the tensors not known at all?"""
    return any(not isinstance(v, Array) or v.lib != "torch" for v in terms.tensors.values()) or len(terms.tensors) < 2


Compare: TypeAlias = "Callable[[Terms, Array, Array], Outcome | None]"


def compares(*names: str) -> Callable[[Compare], Compare]:
    """Register what a loss makes of input and target; of others than two tensors nothing is known."""

    def register(function: Compare) -> Compare:
        @handles(*names)
        def loss(terms: Terms) -> Outcome | None:
            first, target = terms.tensor("input"), terms.tensor("target")
            if first is None or target is None or unknown(terms):
                return Outcome()
            return function(terms, first, target)

        return function

    return register


def widened(terms: Terms, dtype: str | None) -> str | None:
    """The dtype of the result; autocast computes losses in float32."""
    return None if dtype in HALVES and autocast(terms.call) else dtype


@compares("mse_loss", "l1_loss", "smooth_l1_loss")
def difference(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """A function of input - target, broadcast together with no more than a warning."""
    shape = together(terms, first, target)
    if shape is None:
        return None
    weight = terms.option("weight") if terms.name != "smooth_l1_loss" else Const(None)
    if not is_none(weight):
        fits = not isinstance(weight, Array) or same_sizes(terms, weight, first, "weight")
        return Outcome() if fits else None
    absolute = terms.name == "l1_loss"
    if terms.name == "smooth_l1_loss":
        beta = terms.option("beta", 1.0)
        if not isinstance(beta, Const):
            return Outcome(shape)
        if number(beta) is not None and beta.value < 0:
            terms.require(False, "argument", what="beta", got=beta)
            return None
        absolute = beta.value == 0
    if any(refused(terms, a, "b" if absolute else "c") for a in (first, target)):
        return None
    dtype = promoted(first.dtype, target.dtype)
    which = kind_of_dtype(dtype)
    if which is not None and which < 2:
        reduction = reduction_of(terms)
        holds = None if reduction is None else absolute and reduction != "mean"
        if not terms.require(holds, "dtype", first, target, what="input", got=dtype or "", wanted="float32"):
            return None
        dtype = "int64" if reduction == "sum" else dtype
    return Outcome(shape, widened(terms, real_type(dtype)))


@compares("huber_loss")
def huber(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """The dtype is that of the input."""
    shape = together(terms, first, target)
    if shape is None:
        return None
    weight = terms.option("weight") if terms.obj is None else Const(None)
    if not is_none(weight):
        fits = not isinstance(weight, Array) or same_sizes(terms, weight, first, "weight")
        return Outcome() if fits else None
    delta = number(terms.option("delta", 1.0))
    if delta is not None and not terms.require(delta > 0, "argument", what="delta", got=Const(delta)):
        return None
    if refused(terms, first, "bic") or refused(terms, target, "c"):
        return None
    return Outcome(shape, widened(terms, first.dtype))


@compares("binary_cross_entropy")
def binary(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """Input and target have the same sizes and the same floating dtype."""
    if not same_sizes(terms, first, target):
        return None
    if refused(terms, target, "bic") or refused(terms, first, "bic"):
        return None
    if first.dtype is not None and target.dtype is not None:
        equal = first.dtype == target.dtype or (None if autocast(terms.call) else False)
        if not terms.require(equal, "dtype", first, target, what="target", got=target.dtype, wanted=first.dtype):
            return None
    shape = shape_of(first)
    weight = terms.option("weight")
    if isinstance(weight, Array):
        if refused(terms, weight, "c") or not goes_into(terms, weight, shape, "weight"):
            return None
    return Outcome(shape, widened(terms, first.dtype))


@compares("binary_cross_entropy_with_logits")
def binary_with_logits(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """The same sizes; the weights are broadcast into them."""
    if not same_sizes(terms, first, target):
        return None
    if refused(terms, target, "bi") or refused(terms, first, "bic"):
        return None
    shape = shape_of(first)
    for name in ("pos_weight", "weight"):
        value = terms.option(name)
        if isinstance(value, Array):
            if not goes_into(terms, value, shape, name) or refused(terms, value, "bc" if name == "pos_weight" else "c"):
                return None
    return Outcome(shape, widened(terms, target.dtype))


@compares("kl_div")
def divergence(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """Floats only; `batchmean` divides the sum by the first axis."""
    if refused(terms, first, "bic") or refused(terms, target, "bic"):
        return None
    shape = together(terms, first, target)
    if shape is None:
        return None
    dtype = result_type([first, target])
    return Outcome(shape, widened(terms, dtype), ("mean", "sum", "none", "elementwise_mean", "batchmean"))


@compares("soft_margin_loss")
def soft_margin(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """The target is broadcast into the input, whose dtype the result has."""
    if refused(terms, first, "bi"):
        return None
    if kind_of_dtype(first.dtype) == 2 and refused(terms, target, "c"):
        return None
    shape = shape_of(first)
    if not goes_into(terms, target, shape, "sizes"):
        return None
    return Outcome(shape, first.dtype)


@compares("hinge_embedding_loss")
def hinge(terms: Terms, first: Array, target: Array) -> Outcome | None:
    if refused(terms, first, "bc"):
        return None
    shape = together(terms, first, target)
    if shape is None:
        return None
    dtype, reduction = first.dtype, reduction_of(terms)
    if kind_of_dtype(dtype) == 1:
        holds = None if reduction is None else reduction != "mean"
        if not terms.require(holds, "dtype", first, what="input", got=dtype or "", wanted="float32"):
            return None
        dtype = "int64" if reduction == "sum" else dtype
    return Outcome(shape, widened(terms, dtype))


@compares("multilabel_soft_margin_loss")
def multilabel_soft_margin(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """The mean over the last axis of the input, for each sample."""
    if refused(terms, first, "bic") or refused(terms, target, "b"):
        return None
    weight = terms.option("weight")
    parts = [first, target, *([] if is_none(weight) else [weight])]
    shape = together(terms, *parts)
    if shape is None:
        return None
    dtype = result_type(parts) if all(isinstance(p, Array) for p in parts) else None
    strict = ("mean", "sum", "none")
    if first.shape is None or shape.tail:
        return Outcome(None, dtype, strict)
    if not terms.require(len(first.shape) > 0, "rank", first, got=Const(0), wanted="at least 1"):
        return None
    at = len(first.shape) - 1
    return Outcome(Shape(shape.sizes[:at] + shape.sizes[at + 1 :]), dtype, strict)


@compares("poisson_nll_loss")
def poisson(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """exp(input) - target * input, or input - target * log(input)."""
    log_input, full = terms.option("log_input", True), terms.option("full", False)
    if not isinstance(log_input, Const) or not isinstance(full, Const):
        return Outcome(together(terms, first, target))
    both = first.dtype == target.dtype == "bool"
    if (not log_input.value and refused(terms, first, "b")) or ((full.value or both) and refused(terms, target, "b")):
        return None
    shape = together(terms, first, target)
    if shape is None:
        return None
    dtype = result_type([first.but(dtype=as_float(first.dtype), tail=first.tail), target])
    return Outcome(shape, dtype, ("mean", "sum", "none"))


@compares("gaussian_nll_loss")
def gaussian(terms: Terms, first: Array, target: Array) -> Outcome | None:
    """The variance has the sizes of the input, or 1 or nothing for its last axis."""
    if refused(terms, first, "b") or refused(terms, target, "b"):
        return None
    shape = together(terms, first, target)
    variance = terms.tensor("var")
    if shape is None:
        return None
    if variance is None:
        return Outcome()
    if not spread_fits(terms, first, variance):
        return None
    return Outcome(None, None, ("mean", "sum", "none"))


def spread_fits(terms: Terms, first: Array, variance: Array) -> bool:
    """State that the variance has a size that the input can take."""
    if first.shape is None or variance.shape is None:
        return True
    mine, theirs = first.shape, variance.shape
    if len(theirs) == len(mine) - 1:
        holds = every([dims.same(x, y) for x, y in zip(mine, theirs, strict=False)])
    elif len(theirs) == len(mine):
        equal = [dims.same(x, y) for x, y in zip(mine, theirs, strict=True)]
        other = [y for e, y in zip(equal, theirs, strict=True) if e is False]
        holds = None if None in equal else not other or (len(other) == 1 and dims.same(other[0], Const(1)) is not False)
    else:
        holds = False
    return terms.require(holds, "loss", variance, what="var")
