"""How the results of operations lie in memory, in strides of elements, where they do not lie in order.

Views by ATen's rules; functions of each element keep the order of the axes (`empty_like` with the preserved format,
`TensorIterator::reorder_dimensions`). A result that is not told of here lies in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trainlint.analysis.tape import Site
from trainlint.memory.saved.names import normal
from trainlint.memory.saved.site import Effect, Tensor
from trainlint.memory.saved.strides import Shape, contiguous, expanded, viewed
from trainlint.syntax import ir

Laid = list["Shape | None"]
Options = Mapping[str, object]

# one value for each element, in the order of the operand
ELEMENTWISE = frozenset(
    (
        *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardswish"),
        *("hardsigmoid", "hardtanh", "sigmoid", "tanh", "logsigmoid", "exp", "log", "log1p", "sqrt", "rsqrt", "square"),
        *("reciprocal", "abs", "neg", "sin", "cos", "erf", "clamp", "pow", "add", "sub", "rsub", "mul", "div"),
        *(
            "dropout",
            "to",
            "clone",
            "detach",
            "masked_fill",
            "where",
            "maximum",
            "minimum",
            "lerp",
            "addcmul",
            "addcdiv",
        ),
        *(
            "floor",
            "round",
            "sign",
            "compare",
            "identity",
            "fill",
            "zero",
            "copy",
            "positive",
            "zeros_like",
            "ones_like",
        ),
        *("empty_like", "full_like", "rand_like", "randn_like", "batch_norm"),
    )
)
# layers of images that give channels last where they get them
IMAGES = frozenset({"conv", "conv_transpose", "batch_norm", "max_pool", "avg_pool", "adaptive_avg_pool", "interpolate"})
PARTS = frozenset({"split", "chunk", "split_with_sizes", "tensor_split", "narrow"})


def laid(site: Site, given: Sequence[Tensor], made: Sequence[Tensor], effect: Effect, options: Options) -> Laid:
    """The strides of the results; None for one that lies in order."""
    name = normal(site.op)[0]
    if not given or not made:
        return []
    found = VIEWS.get(name) if effect.output == "view" else None
    if found is not None:
        return [found(site, given[0], each, options) for each in made]
    if effect.output == "view":
        if name in PARTS:
            return [held(given[0])] * len(made)
        return [given[0].strides if given[0].shape == made[0].shape else None]
    if name == "sdpa":
        return [ordered(made[0].shape, given[0].strides)]
    if effect.output == "inplace":
        return [given[0].strides]
    if name in ELEMENTWISE:
        # the first operand of the full size decides
        first = next((each for each in given if each.shape == made[0].shape), None)
        return [ordered(made[0].shape, first.strides) if first is not None else None]
    if name.rstrip("123d") in IMAGES and last_channels(given[0]):
        return [channels_last(made[0].shape) if len(made[0].shape) == 4 else None]
    return []


def ordered(shape: Shape, strides: Shape | None) -> Shape | None:
    """Without gaps, the axes in the order that these strides have; None where that is the plain order."""
    if strides is None or len(strides) != len(shape) or 0 in strides:
        return None
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis], axis))
    result = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        result[axis] = step
        step *= max(shape[axis], 1)
    return None if tuple(result) == contiguous(shape) else tuple(result)


def channels_last(shape: Shape) -> Shape:
    _, channels, height, width = shape
    return (channels * height * width, 1, channels * width, channels)


def last_channels(x: Tensor) -> bool:
    image = len(x.shape) == 4 and x.shape[1] > 1 and x.shape[2] * x.shape[3] > 1
    return image and x.strides == channels_last(x.shape)


# views


def held(x: Tensor) -> Shape:
    return x.strides if x.strides is not None else contiguous(x.shape)


def whole(value: object) -> int | None:
    return value if type(value) is int else None


def numbers(site: Site, options: Options, *names: str) -> list[int] | None:
    """The axes that are given, by name or one after the other."""
    plain = [options[name] for name in names if name in options]
    if len(plain) == 1 and isinstance(plain[0], tuple):
        plain = list(plain[0])
    elif len(names) == 1 and len(site.positional) > 1:
        # `x.permute(0, 2, 1)`
        plain = [getattr(value, "value", None) for value in site.positional]
    found = [number for value in plain if (number := whole(value)) is not None]
    return found if len(found) == len(plain) else None


def transpose(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    last, strides = site.op.rpartition(".")[2], list(held(x))
    if last in ("t", "T", "H"):
        return tuple(reversed(strides))
    axes = [-2, -1] if last in ("mT", "mH", "adjoint") else numbers(site, options, "dim0", "dim1")
    if axes is None or len(axes) != 2:
        axes = numbers(site, options, "axis0", "axis1")
    if axes is None or len(axes) != 2 or not all(-len(strides) <= axis < len(strides) for axis in axes):
        return None
    strides[axes[0]], strides[axes[1]] = strides[axes[1]], strides[axes[0]]
    return tuple(strides)


def permute(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    axes = numbers(site, options, "dims")
    if (
        axes is None
        or site.op.endswith(("movedim", "moveaxis"))
        or sorted(a % len(x.shape) for a in axes) != list(range(len(x.shape)))
    ):
        return None
    strides = held(x)
    return tuple(strides[axis] for axis in axes)


def reshaped(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    return viewed(x.shape, x.strides, made.shape)


def repeated(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    return expanded(x.shape, x.strides, made.shape)


def without(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    """`unbind` and `select`: one axis is gone."""
    axis = whole(options.get("dim", 0 if site.op.endswith("unbind") else None))
    if axis is None or not -len(x.shape) <= axis < len(x.shape):
        return None
    strides = list(held(x))
    del strides[axis]
    return tuple(strides)


def part(site: Site, x: Tensor, made: Tensor, options: Options) -> Shape | None:
    """`x[:, 0, ..., None]`, as it is written."""
    node = site.node
    if not isinstance(node, ir.Subscript):
        return None
    entries = node.index.elts if isinstance(node.index, ir.Sequence) and node.index.kind == "tuple" else (node.index,)
    new = [isinstance(entry, ir.Const) and entry.value is None for entry in entries]
    strides, result = list(held(x)), list[int]()
    missing = len(strides) - (len(entries) - sum(new) - sum(map(is_rest, entries)))
    for entry, fresh in zip(entries, new, strict=True):
        if fresh:
            result.append(1)
        elif is_rest(entry):
            result += strides[:missing]
            del strides[:missing]
        elif isinstance(entry, ir.Slice):
            by = entry.step.value if isinstance(entry.step, ir.Const) else 1 if entry.step is None else None
            if not strides or type(by) is not int:
                return None
            result.append(strides.pop(0) * by)
        elif strides:
            strides.pop(0)
    result += strides
    return tuple(result) if len(result) == len(made.shape) else None


def is_rest(entry: ir.Expr) -> bool:
    return isinstance(entry, ir.Const) and entry.value is ...


VIEWS: dict[str, Callable[[Site, Tensor, Tensor, Options], Shape | None]] = {
    "transpose": transpose,
    "permute": permute,
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "view_as", "ravel"), reshaped),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), repeated),
    **dict.fromkeys(("unbind", "select"), without),
    "getitem": part,
}
