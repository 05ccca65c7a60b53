"""Functions of one tensor, element by element: activations, exponentials, rounding, dropout."""

from __future__ import annotations

from dataclasses import dataclass

from trainlint.memory.saved.site import INDEX, Effect, Site, rule


@dataclass(frozen=True, slots=True)
class Unary:
    """What a function keeps, and the buffers of its size that its backward makes beside the gradient."""

    keeps: str | None
    backward: float = 0
    # where it writes into its input: the value of before is cloned, or the result of after serves as well
    clones: bool = True


OUTPUT = {
    **dict.fromkeys(("relu", "sigmoid", "tanh", "exp", "softmax", "log_softmax"), 0.0),
    **dict.fromkeys(("exp2", "expm1", "sqrt"), 1.0),
    **dict.fromkeys(("rsqrt", "reciprocal", "tan"), 2.0),
}
INPUT = {
    **dict.fromkeys(("relu6", "hardtanh", "gelu", "silu", "mish", "softplus", "hardswish", "hardsigmoid"), 0.0),
    **dict.fromkeys(("hardshrink", "softshrink", "threshold", "log", "logit", "logsigmoid"), 0.0),
    **dict.fromkeys(("log2", "log10", "log1p", "abs", "sin", "sinh", "cosh", "lgamma", "digamma"), 1.0),
    **dict.fromkeys(("square", "cos", "atan"), 2.0),
    "asin": 4.0,
    "acos": 5.0,
    "erf": 4.0,
    "erfc": 4.0,
    "erfinv": 4.0,
    "sinc": 7.0,
    "nan_to_num": 0.75,
}
# the sign of the result tells what the backward needs of the input
EITHER = ("leaky_relu", "elu", "selu", "celu")
NOTHING = ("neg", "floor", "ceil", "round", "trunc", "sign", "deg2rad", "rad2deg")

TABLE = {
    **{name: Unary("output", backward) for name, backward in OUTPUT.items()},
    **{name: Unary("input", backward) for name, backward in INPUT.items()},
    **{name: Unary("input", clones=False) for name in EITHER},
    **{name: Unary(None) for name in NOTHING},
}


@rule(*TABLE)
def unary(site: Site) -> Effect:
    entry = TABLE[site.name]
    backward = buffers(site.out, entry.backward)
    if not site.inplace:
        keeps = (entry.keeps,) if entry.keeps else ()
        return Effect("new", keeps, backward=backward)
    if entry.keeps == "input" and entry.clones:
        clone = (site.n,) if site.wants(0) else ()
        return Effect("inplace", extra=clone, backward=backward)
    return Effect("inplace", ("input",) if entry.keeps else (), backward=backward)


def buffers(size: int, count: float) -> tuple[int, ...]:
    """`count` buffers of `size` bytes, the last one perhaps smaller."""
    whole = int(count)
    rest = int(size * (count - whole))
    return (size,) * whole + ((rest,) if rest else ())


@rule("detach")
def detach(site: Site) -> Effect:
    return Effect("view")


@rule("identity", "positive", "requires_grad", "retain_grad", "conj", "resolve_conj", "resolve_neg")
def identity(site: Site) -> Effect:
    return Effect("view", passes=(0,))


@rule("frac")
def frac(site: Site) -> Effect:
    return Effect(site.output, passes=(0,))


@rule("compare", "isnan", "isinf", "isfinite", "eq", "ne", "gt", "ge", "lt", "le", "logical_not", "logical_and")
def compare(site: Site) -> Effect:
    return Effect(site.output)


@rule("logical_or", "logical_xor", "isclose", "signbit", "bitwise_and", "bitwise_or", "bitwise_not", "floor_divide")
def whole(site: Site) -> Effect:
    return Effect(site.output)


@rule("clamp", "clamp_min", "clamp_max")
def clamp(site: Site) -> Effect:
    bounds = sum(site.options.value(name) is not None for name in ("min", "max")) if site.name == "clamp" else 1
    # a bool mask for each bound
    backward = (site.x.count,) * (bounds or 1)
    if site.inplace:
        return Effect("inplace", extra=(site.n,) if site.wants(0) else (), backward=backward)
    return Effect("new", ("input",), backward=backward)


@rule("softsign")
def softsign(site: Site) -> Effect:
    # input / (|input| + 1)
    return Effect("new", ("input",), (site.n,), backward=(site.n,) * 3)


@rule("tanhshrink")
def tanhshrink(site: Site) -> Effect:
    # input - tanh(input)
    return Effect("new", (), (site.n,), backward=(site.n,))


@rule("softmin")
def softmin(site: Site) -> Effect:
    return Effect("new", ("output",), temporary=(site.n,), backward=(site.n,))


@rule("glu")
def glu(site: Site) -> Effect:
    return Effect("new", ("input",))


@rule("prelu")
def prelu(site: Site) -> Effect:
    """Both gradients are made, whichever is wanted; the weight's at full size first."""
    return Effect("new", ("input", site.weight()), backward=(site.n,) * (1 if site.wants(0) else 2))


@rule("rrelu")
def rrelu(site: Site) -> Effect | None:
    if site.inplace:
        return None
    return Effect("new", ("input",), (site.n,))


@rule("gumbel_softmax")
def gumbel_softmax(site: Site) -> Effect:
    if not site.options.on("hard"):
        return Effect("new", ("output",), temporary=(site.n,) * 2, backward=(site.n,))
    axis = site.whole("dim", -1)
    rows = site.x.count // max(1, site.x.shape[axis])
    return Effect("new", (), (site.n, INDEX * rows), (site.n,) * 3)


@rule("dropout")
def dropout(site: Site) -> Effect:
    """CUDA keeps a bool mask, the CPU one of the input's dtype; in place both keep the latter."""
    p = site.options.number("p", 0.5)
    if not site.training or p == 0:
        return Effect("view", passes=(0,))
    if p == 1:
        return Effect(site.output)
    if site.inplace:
        return Effect("inplace", extra=(site.n,))
    return Effect("new", extra=(site.x.count,))


@rule("dropout1d", "dropout2d", "dropout3d", "feature_dropout")
def channel_dropout(site: Site) -> Effect:
    """One number for each channel of each sample. Without a batch, the first axis is the channel."""
    if not site.training or site.options.number("p", 0.5) == 0:
        return Effect("view", passes=(0,))
    return Effect(site.output, extra=(channel_mask(site),))


def channel_mask(site: Site) -> int:
    shape = site.x.shape
    spatial = {"dropout1d": 1, "dropout2d": 2, "dropout3d": 3}.get(site.name, len(shape) - 2)
    batch = shape[0] if len(shape) > spatial + 1 else 1
    channels = shape[1] if len(shape) > spatial + 1 or len(shape) == 2 else shape[0]
    return batch * channels * site.x.itemsize


@rule("alpha_dropout", "feature_alpha_dropout")
def alpha_dropout(site: Site) -> Effect:
    if not site.training or site.options.number("p", 0.5) == 0:
        return Effect("view", passes=(0,))
    mask = site.n if site.name == "alpha_dropout" else channel_mask(site)
    return Effect(site.output, extra=(mask,), temporary=(mask,))
