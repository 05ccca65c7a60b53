"""Reductions over axes, running reductions, order: sums, extremes, softmax, sort, topk."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op, tensor_op
from trainlint.analysis.values import Const, Seq, Unknown, Value, is_none
from trainlint.ops import stability
from trainlint.ops.dtypes import as_float, dtype_named, kind_of_dtype, real_type
from trainlint.ops.elementwise import refuses, short
from trainlint.ops.layout import axes, axis_number, integer, letters
from trainlint.ops.number_lists import of_numbers

# names, refused kinds, result: `sum` integers become int64, `same`, `float`, `real`, `bool`, `index` int64
REDUCTIONS: tuple[tuple[str, str, str], ...] = (
    ("sum", "", "sum"),
    ("nansum", "c", "sum"),
    ("mean", "bi", "same"),
    ("nanmean", "bic", "same"),
    ("var std", "bi", "real"),
    ("amax amin", "c", "same"),
    ("argmax argmin", "bc", "index"),
    ("all any", "", "truth"),
    ("logsumexp", "", "float"),
    ("count_nonzero", "", "count"),
)
# prod takes one axis at most, as do argmax and argmin
ONE_AXIS = frozenset(["argmax", "argmin", "prod"])
# an empty extreme has no value
NEED_ELEMENTS = frozenset(["amax", "amin", "argmax", "argmin"])
KEYWORDS = {"numpy": ("axis", "keepdims"), "torch": ("dim", "keepdim")}


def flag(call: OpCall, index: int, *names: str) -> bool | None:
    """A boolean argument: False where it is not given, None where it is not known."""
    for name in names:
        value = call.kwargs.get(name)
        if value is not None:
            return bool(value.value) if isinstance(value, Const) else None
    value = call.args[index] if 0 <= index < len(call.args) else None
    if value is None:
        return None if "**" in call.kwargs or "*" in call.kwargs else False
    return bool(value.value) if isinstance(value, Const) else None


def dim_given(call: OpCall, index: int = 1) -> Value | None:
    """The `dim` (or `axis`) argument, None where there is none."""
    for name in ("dim", "axis"):
        if name in call.kwargs:
            return call.kwargs[name]
    return call.args[index] if index < len(call.args) else None


def without_axes(array: Array, numbers: list[int], keep: bool) -> Array:
    """The array after reducing these axes (counted from the front)."""
    assert array.shape is not None
    names = letters(array)
    if keep:
        shape = tuple(Const(1) if i in numbers else s for i, s in enumerate(array.shape))
        result = array.but(shape=shape, layout=names)
        if names is not None and any(names[i] == "C" for i in numbers):
            result.channels, result.colour = 1, None
        return result
    shape = tuple(s for i, s in enumerate(array.shape) if i not in numbers)
    left = "".join(c for i, c in enumerate(names) if i not in numbers) if names is not None else None
    result = array.but(shape=shape, layout=left or None)
    if left is None or "C" not in left:
        result.channels = result.colour = None
    return result


def reduced(call: OpCall, array: Array, dim: Value | None, keep: bool | None) -> Array | None:
    """The array after a reduction over the axes that `dim` names, None where it is proved that there are none such."""
    everything = dim is None or is_none(dim) or (isinstance(dim, Seq) and dim.items == [])
    if everything:
        if keep:
            if array.shape is None:
                return bare(array)
            return array.but(shape=tuple(Const(1) for _ in array.shape), layout=None, channels=None, colour=None)
        return array.but(shape=(), layout=None, channels=None, colour=None) if keep is False else bare(array)
    assert dim is not None
    numbers = axes(call, [dim])
    if array.shape is None:
        return reduced_unknown(array, numbers, keep)
    if numbers is None or keep is None:
        return bare(array)
    found: list[int] = []
    for number in numbers:
        at = axis_number(call, array, Const(number))
        if at is None:
            return None
        if not call.require(at not in found, "argument", array, got=Const(number), what="an axis given twice"):
            return None
        found.append(at)
    return without_axes(array, found, keep) if array.shape else array


def reduced_unknown(array: Array, numbers: list[int] | None, keep: bool | None) -> Array:
    """Where only a layout or the last axes are known."""
    if numbers is None or keep is None:
        return bare(array)
    names = array.layout
    if names is not None and all(-len(names) <= n < len(names) for n in numbers):
        gone = {n % len(names) for n in numbers}
        left = names if keep else "".join(c for i, c in enumerate(names) if i not in gone)
        kept = array.but(shape=None, layout=left or None)
        if any(names[i] == "C" for i in gone):
            kept.channels, kept.colour = (1, None) if keep else (None, None)
        return kept
    tail = None
    if array.tail is not None and all(-len(array.tail) <= n < 0 for n in numbers):
        sizes = [Const(1) if i - len(array.tail) in numbers else s for i, s in enumerate(array.tail)]
        if keep:
            tail = tuple(sizes)
        else:
            tail = tuple(s for i, s in enumerate(array.tail) if i - len(array.tail) not in numbers) or None
    return array.but(shape=None, tail=tail, layout=None, channels=None, colour=None)


def bare(array: Array) -> Array:
    return array.but(shape=None, layout=None, channels=None, colour=None)


def reduced_type(call: OpCall, array: Array, result: str) -> str | None:
    dtype = array.dtype
    asked = call.kwargs.get("dtype")
    if asked is not None and not is_none(asked):
        return dtype_named(asked)
    kind = kind_of_dtype(dtype)
    if result == "sum":
        if array.lib != "torch" and dtype == "uint8":
            return "uint64"
        return "int64" if kind in (0, 1) else dtype
    if result == "same" and array.lib == "numpy" and short(call).endswith("mean"):
        return as_float(dtype, "numpy")
    if result == "float":
        return as_float(dtype, array.lib)
    if result == "real":
        return real_type(dtype)
    if result in ("index", "count"):
        return "int64"
    if result == "truth":
        return None if dtype is None else "uint8" if dtype == "uint8" and array.lib == "torch" else "bool"
    return dtype


def reduce(call: OpCall, refused: str, result: str) -> Value | None:
    """A reduction to one tensor."""
    array = call.args[0]
    name = short(call)
    index = result == "index"
    if not isinstance(array, Array):
        return Array(grad=False, range="index", dtype="int64", via=call.place) if index else None
    if "dtype" not in call.kwargs and refuses(call, array, refused, name):
        return Array()
    dim = dim_given(call)
    if name in ("var", "std") and isinstance(dim, Const) and isinstance(dim.value, bool):
        dim = None
    keep = flag(call, 3 if name in ("var", "std") and len(call.args) > 3 else 2, "keepdim", "keepdims")
    if name in ("var", "std") and len(call.args) == 3 and array.lib == "torch":
        # the third of `var(x, dim, unbiased)` is not keepdim
        keep = flag(call, -1, "keepdim")
    if name == "logsumexp" and dim is None:
        return None
    if name in NEED_ELEMENTS and dim is None and empty(array):
        call.require(False, "argument", array, what="no elements")
        return Array()
    small = reduced(call, array, dim, keep)
    if small is None:
        return Array()
    range_ = small.range if name in ("mean", "amax", "amin", "nanmean") and small.range in ("255", "unit") else None
    if index:
        range_ = "index"
    elif name == "sum":
        range_ = stability.summed(array)
    changes: dict[str, object] = {"dtype": reduced_type(call, array, result), "range": range_, "tail": small.tail}
    if result in ("index", "truth", "count"):
        changes["grad"] = False
    if index:
        changes.update(via=call.place, colour=None, layout=None, channels=None)
    return small.but(**changes)


def empty(array: Array) -> bool:
    return array.shape is not None and any(isinstance(s, Const) and s.value == 0 for s in array.shape)


def register_reductions() -> None:
    for names, refused, result in REDUCTIONS:

        def one(call: OpCall, refused: str = refused, result: str = result) -> Value | None:
            return reduce(call, refused, result)

        tensor_op(*names.split())(one)


register_reductions()


@op("numpy.mean", "numpy.sum", "numpy.std", "numpy.var", "numpy.argmax", "numpy.argmin", "numpy.amax", "numpy.amin")
@op("numpy.max", "numpy.min")
def numpy_reduction(call: OpCall) -> Value | None:
    array = call.args[0] if call.args else None
    if isinstance(array, Seq):
        return of_numbers(call, array)
    if not isinstance(array, Array):
        return None
    name = short(call)
    result = {"sum": "sum", "std": "float", "var": "float", "argmax": "index", "argmin": "index"}.get(name, "same")
    return reduce(call, "", result)


@tensor_op("prod")
def prod(call: OpCall) -> Value | None:
    """Over one axis or all."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    small = reduced(call, array, dim_given(call), flag(call, 2, "keepdim"))
    return (
        small.but(range=None, dtype=reduced_type(call, array, "sum"), tail=small.tail) if small is not None else Array()
    )


@tensor_op("norm")
def norm(call: OpCall) -> Value | None:
    """`x.norm(p, dim, keepdim)`."""
    return normed(call, 2, 3)


@op("torch.linalg.norm", "torch.linalg.vector_norm", "numpy.linalg.norm")
def linalg_norm(call: OpCall) -> Value | None:
    return normed(call, 2, 3) if call.args else None


def normed(call: OpCall, dim_at: int, keep_at: int) -> Value | None:
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if refuses(call, array, "bi", short(call)):
        return Array()
    dim = dim_given(call, dim_at)
    if call.name == "numpy.linalg.norm" and dim is None:
        return array.but(shape=(), layout=None, channels=None, colour=None, range=None, dtype=None)
    small = reduced(call, array, dim, flag(call, keep_at, "keepdim", "keepdims"))
    if small is None:
        return Array()
    return small.but(range=None, dtype=real_type(reduced_type(call, array, "same")), tail=small.tail)


@tensor_op("max", "min", "median", "nanmedian", "mode", "cummax", "cummin")
def extreme(call: OpCall) -> Value | None:
    """Without `dim` one number, of two tensors the larger, with `dim` the values and their indices."""
    array = call.args[0]
    name = short(call)
    other = call.arg(1, "other")
    if name in ("max", "min") and isinstance(other, Array):
        from trainlint.ops.elementwise import pair

        return pair(call, "c", "same")
    dim = dim_given(call)
    if dim is None and name == "mode":
        dim = Const(-1)
    if not isinstance(array, Array):
        pairs: list[Value] = [Array(), Array(dtype="int64", grad=False, range="index", via=call.place)]
        return named(pairs) if dim is not None else None
    refused = "bc" if name in ("median", "nanmedian") else "c"
    if refuses(call, array, refused, name):
        return Array()
    if array.lib == "numpy":
        small = reduced(call, array, dim, flag(call, 2, "keepdims"))
        return small.but(tail=small.tail) if small is not None else Array()
    if dim is None:
        if empty(array) and name in ("max", "min"):
            call.require(False, "argument", array, what="no elements")
            return Array()
        return bare(array).but(shape=(), range=kept_range(array))
    if name.startswith("cum"):
        return Array() if out_of_range(call, array, dim) else both(call, array)
    if isinstance(dim, Seq):
        return None
    small = reduced(call, array, dim, flag(call, 2, "keepdim"))
    return both(call, small) if small is not None else Array()


def kept_range(array: Array) -> str | None:
    return array.range if array.range in ("255", "unit") else None


def both(call: OpCall, array: Array) -> Seq:
    """Values and the indices they stood at, readable by index and by name."""
    values = array.but(range=kept_range(array), tail=array.tail)
    return named([values, places(call, array)])


def places(call: OpCall, array: Array) -> Array:
    """The indices in place of the elements of an array."""
    kept = array.but(dtype="int64", grad=False, range="index", via=call.place, tail=array.tail)
    kept.layout = kept.channels = kept.colour = None
    return kept


def named(items: list[Value]) -> Seq:
    return Seq("named", items)


def out_of_range(call: OpCall, array: Array, dim: Value | None) -> bool:
    """Is it proved that there is no such axis? Reports it."""
    if integer(dim) is None or array.shape is None:
        return False
    return axis_number(call, array, dim) is None


@tensor_op("sort", "msort")
def sort(call: OpCall) -> Value | None:
    """Sorted along an axis (the last by default), with the indices."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    dim = call.kwargs.get("dim") or (call.args[1] if len(call.args) > 1 else Const(-1))
    if refuses(call, array, "c", "sort") or out_of_range(call, array, dim):
        return Array()
    return array if array.lib == "numpy" else both(call, array)


@tensor_op("argsort")
def argsort(call: OpCall) -> Value | None:
    array = call.args[0]
    dim = call.kwargs.get("dim") or (call.args[1] if len(call.args) > 1 else Const(-1))
    if not isinstance(array, Array):
        return Array(grad=False, range="index", dtype="int64", via=call.place)
    if refuses(call, array, "c", "argsort") or out_of_range(call, array, dim):
        return Array()
    return places(call, array)


@tensor_op("topk")
def topk(call: OpCall) -> Value | None:
    """The k largest along an axis (the last by default); k may not be more than there are."""
    array, k = call.args[0], call.arg(1, "k")
    if not isinstance(array, Array):
        return named([Array(), Array(dtype="int64", grad=False, range="index", via=call.place)])
    if refuses(call, array, "bc", "topk"):
        return Array()
    dim = dim_given(call, 2) or Const(-1)
    if array.shape is None:
        return both(call, bare(array))
    at = axis_number(call, array, dim)
    if at is None:
        return Array() if integer(dim) is not None else both(call, bare(array))
    have = array.shape[at] if array.shape else Const(1)
    count = k if k is not None and dims.poly_of(k) is not None else Unknown()
    if not call.require(dims.at_least(have, count), "index", array, got=count, wanted=have):
        return Array()
    shape = (*array.shape[:at], count, *array.shape[at + 1 :]) if array.shape else ()
    return both(call, array.but(shape=shape, layout=None, channels=None, colour=None))


@tensor_op("kthvalue")
def kthvalue(call: OpCall) -> Value | None:
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    small = reduced(call, array, dim_given(call, 2) or Const(-1), flag(call, 3, "keepdim"))
    return both(call, small) if small is not None else Array()


@tensor_op("cumsum", "cumprod", "logcumsumexp", inplace=True)
def running(call: OpCall) -> Value | None:
    """A running sum keeps the shape."""
    array = call.args[0]
    if not isinstance(array, Array):
        return None
    if short(call) == "logcumsumexp" and refuses(call, array, "bi", short(call)):
        return Array()
    if out_of_range(call, array, dim_given(call)):
        return Array()
    dtype = array.dtype if short(call).endswith("_") else reduced_type(call, array, "sum")
    return array.but(range=None, colour=None, dtype=dtype, tail=array.tail)


# softmax and what is made of it


@op("torch.nn.functional.gumbel_softmax")
def gumbel(call: OpCall) -> Value | None:
    return normalised(call, "prob", 4)


@tensor_op("softmax", functional=True)
def softmax(call: OpCall) -> Value | None:
    """Probabilities along an axis."""
    return normalised(call, "prob", 1)


@op("torch.nn.functional.softmin")
def softmin(call: OpCall) -> Value | None:
    return normalised(call, "prob", 1)


@tensor_op("log_softmax", functional=True)
def log_softmax(call: OpCall) -> Value | None:
    return normalised(call, "logprob", 1)


def normalised(call: OpCall, meaning: str, dim_at: int) -> Array:
    """The shape stays; the range is noted with the place."""
    array = call.arg(0, "input")
    if not isinstance(array, Array):
        return Array(range=meaning, via=call.place, origin=call.step(call.name))
    asked = call.kwargs.get("dtype")
    if asked is None and refuses(call, array, "bic", short(call)):
        return Array()
    if out_of_range(call, array, dim_given(call, dim_at)):
        return Array()
    dtype = array.dtype if asked is None or is_none(asked) else dtype_named(asked)
    return array.but(
        range=meaning, colour=None, dtype=dtype, via=call.place, origin=call.step(call.name), tail=array.tail
    )


@op("torch.nn.functional.normalize")
def normalize(call: OpCall) -> Value | None:
    """`F.normalize(x, p, dim)`: unit vectors along an axis."""
    array = call.arg(0, "input")
    if not isinstance(array, Array):
        return None
    if refuses(call, array, "bi", "normalize") or out_of_range(call, array, dim_given(call, 2) or Const(1)):
        return Array()
    return array.but(range=None, colour=None, tail=array.tail)


@op("torch.nn.functional.one_hot", "torch.one_hot")
def one_hot(call: OpCall) -> Value | None:
    """`F.one_hot(classes, n)`: a new last axis of size n; int64 in, int64 out."""
    array, count = call.arg(0, "tensor"), call.arg(1, "num_classes")
    if not isinstance(array, Array):
        return None
    if array.dtype is not None and not call.require(array.dtype == "int64", "dtype", array, got=array.dtype):
        return Array()
    last = count if count is not None and dims.poly_of(count) is not None and integer(count) != -1 else Unknown()
    if array.shape is None:
        return Array(dtype="int64", grad=False, tail=(last,), device=array.device)
    return Array(dtype="int64", grad=False, shape=(*array.shape, last), device=array.device)
