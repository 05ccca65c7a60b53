"""Random arrays of NumPy: functions of `numpy.random` and methods of its generators, which agree in their arguments.

With a size they give an array of that shape, without one a number (numpy.org/doc/stable/reference/random).
"""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Const, Number, Seq, Sym, Unknown, Value, is_none
from trainlint.ops.creation import of_data, shape_given
from trainlint.ops.dtypes import dtype_named
from trainlint.ops.layout import integer, size

kind("numpy_random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.Generator")

# the position of the argument `size`
SIZE_AT = {
    **dict.fromkeys(("random", "random_sample", "standard_normal", "standard_exponential", "standard_cauchy"), 0),
    **dict.fromkeys(("choice", "poisson", "exponential", "geometric", "chisquare", "rayleigh", "standard_gamma"), 1),
    **dict.fromkeys(("pareto", "power", "weibull", "standard_t"), 1),
    **dict.fromkeys(("beta", "normal", "uniform", "binomial", "gamma", "gumbel", "laplace", "logistic"), 2),
    **dict.fromkeys(("lognormal", "randint", "integers", "vonmises"), 2),
    "triangular": 3,
}
WHOLE = frozenset({"randint", "integers", "binomial", "poisson", "geometric"})


@op(*(f"numpy.random.{name}" for name in SIZE_AT))
@method("numpy_random", *SIZE_AT)
def drawn(call: OpCall) -> Value | None:
    """An array where a size is given; a number where neither that nor an argument has axes."""
    name = call.name.rpartition(".")[2]
    shape = call.arg(SIZE_AT[name], "size")
    if "*" in call.kwargs or "**" in call.kwargs:
        return None
    if shape is None or is_none(shape):
        scalar = all(isinstance(v, (Const, Number, Sym)) for v in (*call.args, *call.kwargs.values()))
        if scalar and name in ("randint", "integers"):
            # the same number wherever it is used: `image[y : y + 32]`
            return dims.symbol(call.name, low=None)
        whole = name in WHOLE or name == "choice"
        return Number(call.name, dtype="int64" if whole else "float32") if scalar else None
    return Array(lib="numpy", grad=False, shape=shape_given(call, [shape]), dtype=dtype_drawn(call, name))


def dtype_drawn(call: OpCall, name: str) -> str | None:
    """float64 or int64 unless another dtype is asked for; `choice` gives what it chooses from."""
    asked = call.kwargs.get("dtype")
    if asked is not None:
        return dtype_named(asked)
    if name != "choice":
        return "int64" if name in WHOLE else "float64"
    source = call.arg(0, "a")
    if isinstance(source, Array):
        return source.dtype
    if isinstance(source, Seq):
        with call.run.silent():
            return {"float32": "float64"}.get(found := of_data(call, source).dtype or "", found) or None
    return "int64" if isinstance(source, Sym) or integer(source) is not None else None


@op("numpy.random.rand", "numpy.random.randn")
@method("numpy_random", "rand", "randn")
def of_sizes(call: OpCall) -> Value | None:
    """`np.random.rand(2, 3)`; without sizes a number."""
    if "*" in call.kwargs:
        return Array(lib="numpy", grad=False, dtype="float64")
    if not call.args:
        return Number(call.name, dtype="float32")
    shape, drawn = tuple(size(value) for value in call.args), "unit" if call.name.endswith("rand") else None
    return Array(lib="numpy", grad=False, shape=shape, dtype="float64", range=drawn)


@op("numpy.random.permutation")
@method("numpy_random", "permutation")
def permutation(call: OpCall) -> Value | None:
    """The numbers below one in another order, or an array with its first axis in another order."""
    source = call.arg(0, "x")
    if isinstance(source, Array):
        return source.but(tail=source.tail)
    known = size(source)
    return Array(lib="numpy", grad=False, shape=(known,), dtype="int64") if not isinstance(known, Unknown) else None


@op("numpy.random.shuffle")
@method("numpy_random", "shuffle", "seed")
def in_place(call: OpCall) -> Value | None:
    return Const(None)
