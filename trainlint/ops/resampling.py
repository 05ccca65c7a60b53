"""Images sampled at the points of a grid: `grid_sample` and `affine_grid`."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Const, Seq, Unknown, Value
from trainlint.ops.arguments import given, last, shape_of, size
from trainlint.ops.broadcast import same_device
from trainlint.ops.convolution import text_of
from trainlint.ops.dtypes import kind_of_dtype
from trainlint.ops.layers import attached, first_array, nothing, of_rank
from trainlint.ops.matrix import one_dtype

ONE = Const(1)
MODES = {"mode": ("bilinear", "nearest", "bicubic"), "padding_mode": ("zeros", "border", "reflection")}


@op("torch.nn.functional.grid_sample")
def grid_sample(call: OpCall) -> Value | None:
    """`(N, C, H, W)` at the points `(N, h, w, 2)` gives `(N, C, h, w)`; with one axis more for volumes."""
    image, grid = first_array(call), given(call, 1, "grid")
    for at, (name, names) in enumerate(MODES.items()):
        mode = text_of(given(call, 2 + at, name, names[0]))
        if mode is not None and not call.require(mode in names, "argument", what=name, got=mode):
            return nothing(call)
    if image is None or not isinstance(grid, Array):
        points = shape_of(grid) if isinstance(grid, Array) else None
        return of_points(call, image, points) if points is not None and len(points) in (4, 5) else nothing(call)
    if not same_device(call, [image, grid], "grid_sample") or not one_dtype(call, [image, grid], "grid_sample"):
        return nothing(call)
    if not call.require(
        kind_of_dtype(image.dtype) not in (0, 1), "dtype", image, got=image.dtype or "", wanted="float32"
    ):
        return nothing(call)
    if not points_fit(call, image, grid):
        return nothing(call)
    points = shape_of(grid)
    if points is None and shape_of(image) is not None:
        points = tuple(Unknown() for _ in shape_of(image) or ())
    return of_points(call, image, points) if points is not None else nothing(call)


def points_fit(call: OpCall, image: Array, grid: Array) -> bool:
    """State that the grid has a point for each axis of the image, and one batch size with it."""
    ranks = (4,) if text_of(given(call, 2, "mode", "bilinear")) == "bicubic" else (4, 5)
    if not of_rank(call, image, *ranks) or not of_rank(call, grid, 4, 5):
        return False
    a, b = shape_of(image), shape_of(grid)
    if a is not None and b is not None:
        if not call.require(len(a) == len(b), "rank", grid, image, got=Const(len(b)), wanted=Const(len(a))):
            return False
        if not call.require(dims.same(a[0], b[0]), "matmul", grid, image, left=b[0], right=a[0], axis="0"):
            return False
    known = a if a is not None else b
    if known is None:
        return True
    wanted = Const(len(known) - 2)
    if not call.require(dims.same(last(grid, -1), wanted), "channels", grid, got=last(grid, -1), wanted=wanted):
        return False
    sizes = a[2:] if a is not None else ()
    return all(call.require(dims.at_least(s, ONE), "kernel", image, got=s, wanted=ONE) for s in sizes)


def of_points(call: OpCall, image: Array | None, points: tuple[Value, ...]) -> Array:
    """The image with the sizes of the grid."""
    shape = shape_of(image) if image is not None else None
    batch = points[0] if dims.poly_of(points[0]) is not None or shape is None else shape[0]
    channels = shape[1] if shape is not None and len(shape) == len(points) else Unknown()
    result = image if image is not None else Array()
    return result.but(shape=(batch, channels, *points[1:-1]), grad=attached(call))


@op("torch.nn.functional.affine_grid")
def affine_grid(call: OpCall) -> Value | None:
    """`(N, 2, 3)` and the size `(N, C, H, W)` give `(N, H, W, 2)`; `(N, 3, 4)` for volumes."""
    theta, wanted = call.arg(0, "theta"), call.arg(1, "size")
    sizes = [size(item) for item in wanted.items] if isinstance(wanted, Seq) and wanted.items is not None else None
    if sizes is None or not isinstance(theta, Array):
        return nothing(call)
    whole = kind_of_dtype(theta.dtype) in (0, 1)
    if not call.require(not whole, "dtype", theta, got=theta.dtype or "", wanted="float32"):
        return nothing(call)
    if not call.require(len(sizes) in (4, 5), "argument", theta, what="size", got=Const(len(sizes)), wanted="4 or 5"):
        return nothing(call)
    wrong = next((s for s in sizes if dims.at_least(s, ONE) is False), None)
    if wrong is not None:
        call.require(False, "argument", theta, what="size", got=wrong, wanted=ONE)
        return nothing(call)
    n = len(sizes) - 2
    if not of_rank(call, theta, 3):
        return nothing(call)
    shape = shape_of(theta)
    for got, expected in zip(shape or (), (sizes[0], Const(n), Const(n + 1)), strict=False):
        if not call.require(dims.same(got, expected), "matmul", theta, got=got, wanted=expected, what="theta"):
            return nothing(call)
    batch = sizes[0] if dims.poly_of(sizes[0]) is not None else shape[0] if shape is not None else Unknown()
    return Array(
        shape=(batch, *sizes[2:], Const(n)), dtype=theta.dtype, grad=attached(call), device=theta.device,
        likely=theta.likely,
    )  # fmt: skip
