"""Layers agree with PyTorch: shapes, dtypes, and where they raise, at construction and on the input."""

from __future__ import annotations

import pytest
from agreement import agree, executed, interpreted, sound, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis.arrays import Array, axis

MANY = settings(max_examples=60, deadline=None)
FEW = settings(max_examples=25, deadline=None)
DTYPES = ["float32"] * 6 + ["float64", "float16", "int64", "bool"]


@st.composite
def tensors(draw: st.DrawFn, rank: int, channels: int, low: int = 1, high: int = 7) -> str:
    """A tensor that mostly has `rank` axes (or one fewer) and the channels wanted."""
    count = draw(st.sampled_from([rank] * 6 + [rank - 1] * 3 + [rank + 1, 1]))
    sizes = [draw(st.integers(low, high)) for _ in range(count)]
    if count >= rank - 1:
        sizes[count - rank + 1] = draw(st.sampled_from([channels] * 5 + [channels + 1]))
    if count >= rank:
        sizes[0] = draw(st.integers(2, 3)) if count > rank - 1 else sizes[0]
    return f"torch.zeros({tuple(sizes)!r}, dtype=torch.{draw(st.sampled_from(DTYPES))})"


def agree_unless_empty(code: str) -> None:
    """Whether an output without elements raises depends on the backend of a convolution."""
    real = executed(code)
    empty = "too small" in str(real) if isinstance(real, Exception) else real.numel() == 0
    (sound if empty else agree)(code)


def per_axis(n: int, values: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    """One number for all axes, or a tuple of them."""
    return st.one_of(values.map(str), st.lists(values, min_size=n, max_size=n).map(lambda items: repr(tuple(items))))


@st.composite
def convolutions(draw: st.DrawFn) -> str:
    n = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs = groups * draw(st.integers(1, 2)) + draw(st.sampled_from([0] * 8 + [1]))
    outputs = groups * draw(st.integers(1, 2)) + draw(st.sampled_from([0] * 8 + [1]))
    kernel = draw(per_axis(n, st.integers(1, 3)))
    parts = [f"{inputs}, {outputs}, {kernel}"]
    if draw(st.booleans()):
        parts.append(f"stride={draw(per_axis(n, st.integers(1, 3)))}")
    if draw(st.booleans()):
        amount = per_axis(n, st.integers(0, 3))
        word = draw(st.sampled_from([None, None, None, "'same'", "'valid'", "'full'"]))
        parts.append(f"padding={word or draw(amount)}")
    if draw(st.booleans()):
        parts.append(f"dilation={draw(per_axis(n, st.integers(1, 2)))}")
    if groups > 1:
        parts.append(f"groups={groups}")
    if draw(st.integers(0, 2)) == 0:
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular", "mirror"]))
        parts.append(f"bias=False, padding_mode={mode!r}")
    array = draw(tensors(n + 2, inputs))
    return f"layer = nn.Conv{n}d({', '.join(parts)})\ny = layer({array})\n"


@MANY
@given(convolutions())
def test_convolutions(code: str) -> None:
    agree(code)


@st.composite
def transposed(draw: st.DrawFn) -> str:
    n = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2]))
    inputs = groups * draw(st.integers(1, 2)) + draw(st.sampled_from([0] * 8 + [1]))
    parts = [f"{inputs}, {groups * draw(st.integers(1, 2))}, {draw(per_axis(n, st.integers(1, 3)))}"]
    parts.append(f"stride={draw(per_axis(n, st.integers(1, 3)))}")
    if draw(st.booleans()):
        parts.append(f"padding={draw(per_axis(n, st.integers(0, 2)))}")
    if draw(st.booleans()):
        parts.append(f"output_padding={draw(per_axis(n, st.integers(0, 2)))}")
    if draw(st.booleans()):
        parts.append(f"dilation={draw(per_axis(n, st.integers(1, 2)))}")
    parts.append(f"groups={groups}")
    array = draw(tensors(n + 2, inputs, 1, 4))
    return f"layer = nn.ConvTranspose{n}d({', '.join(parts)})\ny = layer({array})\n"


@MANY
@given(transposed())
def test_transposed_convolutions(code: str) -> None:
    agree_unless_empty(code)


@FEW
@given(st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(3, 8), min_size=3, max_size=3), st.integers(-1, 6))
def test_output_size(n: int, stride: int, sizes: list[int], extra: int) -> None:
    wanted = [(size - 1) * stride + 3 + extra for size in sizes[:n]]
    agree(
        f"layer = nn.ConvTranspose{n}d(2, 3, 3, stride={stride})\n"
        f"y = layer(torch.zeros({(1, 2, *sizes[:n])!r}), output_size={wanted!r})\n"
    )


@FEW
@given(st.integers(1, 3), st.sampled_from(["LazyConv", "LazyConvTranspose"]), st.data())
def test_lazy_convolutions(n: int, name: str, data: st.DataObject) -> None:
    array = data.draw(tensors(n + 2, 3, 2))
    agree(f"y = nn.{name}{n}d(4, 2, {data.draw(per_axis(n, st.integers(1, 2)))})({array})\n")


@st.composite
def functional_convolutions(draw: st.DrawFn) -> str:
    n = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2]))
    outputs, inputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    transpose = draw(st.booleans())
    lead = (inputs * groups, outputs // groups) if transpose else (outputs, inputs)
    weight = (*lead, *(draw(st.integers(1, 3)) for _ in range(n)))
    bias = draw(st.sampled_from(["None", f"torch.zeros({outputs})", f"torch.zeros({outputs})", "torch.zeros(7)"]))
    array = draw(tensors(n + 2, inputs * groups))
    name = f"conv_transpose{n}d" if transpose else f"conv{n}d"
    rest = f"stride={draw(per_axis(n, st.integers(1, 2)))}, padding={draw(per_axis(n, st.integers(0, 1)))}"
    return f"y = F.{name}({array}, torch.zeros({weight!r}), {bias}, {rest}, groups={groups})\n"


@MANY
@given(functional_convolutions())
def test_functional_convolutions(code: str) -> None:
    agree_unless_empty(code)


@st.composite
def pools(draw: st.DrawFn) -> str:
    n = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["Max", "Avg", "LP"] if n == 2 else ["Max", "Avg"]))
    parts = [f"{draw(per_axis(n, st.integers(1, 4)))}"]
    if draw(st.booleans()):
        parts.append(f"stride={draw(per_axis(n, st.integers(1, 3)))}")
    if kind != "LP" and draw(st.booleans()):
        parts.append(f"padding={draw(per_axis(n, st.integers(0, 2)))}")
    if kind == "Max" and draw(st.booleans()):
        parts.append(f"dilation={draw(per_axis(n, st.integers(1, 2)))}")
    if draw(st.booleans()):
        parts.append(f"ceil_mode={draw(st.booleans())}")
    if kind == "Max" and draw(st.integers(0, 3)) == 0:
        parts.append("return_indices=True")
    count = draw(st.sampled_from([n + 2, n + 2, n + 1, n, n + 3]))
    shape = tuple(draw(st.integers(1, 7)) for _ in range(count))
    array = f"torch.zeros({shape!r}, dtype=torch.{draw(st.sampled_from(['float32', 'float64']))})"
    norm = "2, " if kind == "LP" else ""
    if draw(st.booleans()):
        return f"layer = nn.{kind}Pool{n}d({norm}{', '.join(parts)})\ny = layer({array})\n"
    return f"y = F.{kind.lower()}_pool{n}d({array}, {norm}{', '.join(parts)})\n"


@MANY
@given(pools())
def test_pools(code: str) -> None:
    agree(code)


@st.composite
def adaptive(draw: st.DrawFn) -> str:
    n, kind = draw(st.integers(1, 3)), draw(st.sampled_from(["Avg", "Max"]))
    size = st.sampled_from(["1", "2", "5", "None"] if n > 1 else ["1", "2", "5"])
    wanted = draw(
        st.one_of(size.filter(lambda s: s != "None"), st.tuples(*[size] * n).map(", ".join).map("({},)".format))
    )
    count = draw(st.sampled_from([n + 2, n + 2, n + 1, n, n + 3]))
    shape = tuple(draw(st.integers(1, 6)) for _ in range(count))
    if draw(st.booleans()):
        return f"y = nn.Adaptive{kind}Pool{n}d({wanted})(torch.zeros({shape!r}))\n"
    return f"y = F.adaptive_{kind.lower()}_pool{n}d(torch.zeros({shape!r}), {wanted})\n"


@MANY
@given(adaptive())
def test_adaptive_pools(code: str) -> None:
    agree(code)


@st.composite
def batch_norms(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["BatchNorm", "InstanceNorm"]))
    n, channels = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    parts = [str(channels)]
    if draw(st.booleans()):
        parts.append(f"affine={draw(st.booleans())}")
    if draw(st.booleans()):
        parts.append(f"track_running_stats={draw(st.booleans())}")
    array = draw(tensors(n + 2, channels, 2, 4))
    return f"layer = nn.{kind}{n}d({', '.join(parts)})\ny = layer({array})\n"


@MANY
@given(batch_norms())
def test_batch_and_instance_norms(code: str) -> None:
    agree(code)


@FEW
@given(st.integers(1, 3), st.sampled_from([(2, 3), (2, 3, 1), (1, 3, 1, 1), (2, 3, 1, 1), (3, 1), (2, 3, 1, 1, 1)]))
def test_a_single_value_has_no_variance(n: int, shape: tuple[int, ...]) -> None:
    agree(f"y = nn.InstanceNorm{n}d(3)(torch.zeros({shape!r}))\n")


@FEW
@given(st.integers(1, 4), st.integers(1, 8), st.booleans(), st.integers(1, 8), st.data())
def test_group_norm(groups: int, channels: int, affine: bool, other: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    sizes = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    if rank > 1:
        sizes[1] = data.draw(st.sampled_from([channels, channels, other]))
    dtype = data.draw(st.sampled_from(DTYPES))
    agree(
        f"layer = nn.GroupNorm({groups}, {channels}, affine={affine})\n"
        f"y = layer(torch.zeros({tuple(sizes)!r}, dtype=torch.{dtype}))\n"
    )


@FEW
@given(
    st.sampled_from(["LayerNorm", "RMSNorm"]),
    st.lists(st.integers(1, 3), min_size=1, max_size=2),
    st.lists(st.integers(1, 3), max_size=3),
    st.booleans(),
    st.sampled_from(DTYPES),
)
def test_layer_norm(name: str, wanted: list[int], shape: list[int], affine: bool, dtype: str) -> None:
    for sizes in (shape, shape + wanted):
        agree(
            f"layer = nn.{name}({wanted!r}, elementwise_affine={affine})\n"
            f"y = layer(torch.zeros({tuple(sizes)!r}, dtype=torch.{dtype}))\n"
        )


@FEW
@given(st.integers(1, 4), st.lists(st.integers(1, 4), max_size=5))
def test_response_norm(size: int, shape: list[int]) -> None:
    agree(f"y = nn.LocalResponseNorm({size})(torch.zeros({tuple(shape)!r}))\n")


@MANY
@given(st.integers(1, 3), st.integers(1, 4), st.lists(st.integers(1, 3), max_size=4), st.sampled_from(DTYPES))
def test_linear(inputs: int, outputs: int, shape: list[int], dtype: str) -> None:
    array = f"torch.zeros({tuple(shape)!r}, dtype=torch.{dtype})"
    agree(f"y = nn.Linear({inputs}, {outputs})({array})\n")
    agree(f"y = F.linear({array}, torch.zeros({outputs}, {inputs}), torch.zeros({outputs}))\n")


@FEW
@given(st.lists(st.integers(1, 2), min_size=0, max_size=3), st.lists(st.integers(1, 2), min_size=0, max_size=3))
def test_bilinear(first: list[int], second: list[int]) -> None:
    agree(f"y = nn.Bilinear(2, 1, 3)(torch.zeros({tuple(first)!r}), torch.zeros({tuple(second)!r}))\n")


@FEW
@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.lists(st.integers(1, 3), max_size=3),
    st.sampled_from(["int64", "int64", "int32", "uint8", "float32", "bool"]),
    st.one_of(st.none(), st.integers(-6, 6)),
)
def test_embedding(rows: int, width: int, shape: list[int], dtype: str, padding: int | None) -> None:
    index = f"torch.zeros({tuple(shape)!r}, dtype=torch.{dtype})"
    agree(f"y = nn.Embedding({rows}, {width}, padding_idx={padding})({index})\n")
    agree(f"y = F.embedding({index}, torch.zeros({rows}, {width}))\n")


@FEW
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3), st.sampled_from(["", ", torch.zeros(2, dtype=torch.int64)"])
)
def test_embedding_bag(shape: list[int], offsets: str) -> None:
    agree(f"y = nn.EmbeddingBag(5, 3)(torch.zeros({tuple(shape)!r}, dtype=torch.int64){offsets})\n")


ACTIVATIONS = [
    "GELU", "SiLU", "ELU", "CELU", "SELU", "Softplus", "LogSigmoid", "Hardswish", "Mish", "LeakyReLU",
    "Hardsigmoid", "Softshrink", "Hardshrink", "Tanh", "Softsign", "Tanhshrink", "ReLU", "ReLU6", "Hardtanh",
    "Sigmoid", "Identity",
]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "bool"])
def test_activations(name: str, dtype: str) -> None:
    agree(f"y = nn.{name}()(torch.zeros(2, 3, dtype=torch.{dtype}))\n")


@FEW
@given(
    st.sampled_from(["Softmax", "LogSoftmax", "Softmin", "GLU"]),
    st.integers(-3, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["float32", "float32", "float64", "int64"]),
)
def test_along_an_axis(name: str, dim: int, shape: list[int], dtype: str) -> None:
    if name == "GLU" and dtype == "int64":
        dtype = "float32"
    agree(f"y = nn.{name}(dim={dim})(torch.zeros({tuple(shape)!r}, dtype=torch.{dtype}))\n")


@FEW
@given(st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_prelu_and_softmax_2d(count: int, shape: list[int]) -> None:
    agree(f"y = nn.PReLU({count})(torch.zeros({tuple(shape)!r}))\n")
    agree(f"y = nn.Softmax2d()(torch.zeros({tuple(shape)!r}))\n")


@FEW
@given(st.lists(st.integers(1, 4), max_size=4), st.integers(-2, 3), st.integers(-2, 3))
def test_flatten(shape: list[int], start: int, end: int) -> None:
    agree(f"y = nn.Flatten({start}, {end})(torch.zeros({tuple(shape)!r}))\n")
    if shape:
        agree(f"y = nn.Flatten()(torch.zeros({tuple(shape)!r}))\n")


@FEW
@given(st.integers(-2, 2), st.lists(st.sampled_from([1, 2, 3, -1]), min_size=1, max_size=2))
def test_unflatten(dim: int, sizes: list[int]) -> None:
    agree(f"y = nn.Unflatten({dim}, {tuple(sizes)!r})(torch.zeros(2, 6, 3))\n")


@st.composite
def paddings(draw: st.DrawFn) -> str:
    n = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["Zero", "Constant", "Reflection", "Replication", "Circular"]))
    low = -2 if kind in ("Zero", "Constant") else 0
    amount = st.integers(low, 3)
    pad = draw(
        st.one_of(amount.map(str), st.lists(amount, min_size=2 * n, max_size=2 * n).map(lambda v: repr(tuple(v))))
    )
    value = ", 0.5" if kind == "Constant" else ""
    count = draw(st.sampled_from([n + 2, n + 2, n + 1, n + 1, n]))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(count))
    return f"y = nn.{kind}Pad{n}d({pad}{value})(torch.zeros({shape!r}))\n"


@MANY
@given(paddings())
def test_padding(code: str) -> None:
    agree(code)


@FEW
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=6),
    st.sampled_from(["constant", "reflect", "replicate", "circular"]),
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_functional_padding(pad: list[int], mode: str, shape: list[int]) -> None:
    agree(f"y = F.pad(torch.zeros({tuple(shape)!r}), {tuple(pad)!r}, mode={mode!r})\n")


@MANY
@given(
    st.sampled_from(["size=5", "size=(4, 6)", "scale_factor=2", "scale_factor=1.5", "scale_factor=0.5",
                     "scale_factor=(2, 3)", "size=(3,)", "", "size=4, scale_factor=2"]),
    st.sampled_from(["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"]),
    st.lists(st.integers(1, 6), min_size=2, max_size=5),
    st.booleans(),
)  # fmt: skip
def test_upsampling(size: str, mode: str, shape: list[int], layer: bool) -> None:
    array = f"torch.zeros({tuple(shape)!r})"
    agree(f"y = nn.Upsample({size}{', ' if size else ''}mode={mode!r})({array})\n")
    agree(f"y = F.interpolate({array}, {size}{', ' if size else ''}mode={mode!r})\n")


@FEW
@given(
    st.sampled_from(["PixelShuffle", "PixelUnshuffle", "ChannelShuffle"]),
    st.integers(1, 3),
    st.lists(st.sampled_from([1, 2, 3, 4, 6, 8, 9]), min_size=2, max_size=4),
)
def test_shuffles(name: str, factor: int, shape: list[int]) -> None:
    agree(f"y = nn.{name}({factor})(torch.zeros({tuple(shape)!r}))\n")


@FEW
@given(st.integers(1, 3), st.integers(0, 1), st.integers(1, 2), st.lists(st.integers(2, 6), min_size=3, max_size=4))
def test_unfold_and_fold(kernel: int, padding: int, stride: int, shape: list[int]) -> None:
    window = f"{kernel}, padding={padding}, stride={stride}"
    agree(f"y = nn.Unfold({window})(torch.zeros({tuple(shape)!r}))\n")
    agree(f"y = nn.Fold({tuple(shape[-2:])!r}, {window})(torch.zeros(1, {kernel * kernel * 2}, 4))\n")


@FEW
@given(st.sampled_from(["", ".half()", ".double()", ".to(torch.float64)", ".float()"]), st.sampled_from(DTYPES))
def test_casts_of_layers(cast: str, dtype: str) -> None:
    agree(f"layer = nn.Linear(3, 2){cast}\ny = layer(torch.zeros(2, 3, dtype=torch.{dtype}))\n")
    agree(f"net = nn.Sequential(nn.Linear(3, 2), nn.ReLU()){cast}\ny = net(torch.zeros(2, 3, dtype=torch.{dtype}))\n")


@pytest.mark.parametrize(
    "code",
    [
        "y = nn.Conv2d(3, 8, 3, padding=1)(torch.zeros(B, 3, 8, W))",
        "y = nn.Conv2d(3, 8, 3, stride=2, padding=1)(torch.zeros(B, 3, 2 * W, 2 * W))",
        "y = nn.MaxPool2d(2)(nn.Conv2d(3, 8, 3, padding='same')(torch.zeros(B, 3, 2 * W, 8)))",
        "y = nn.ConvTranspose2d(3, 8, 2, stride=2)(torch.zeros(B, 3, W, W))",
        "y = nn.Linear(4, 2)(torch.zeros(B, W, 4))",
        "y = nn.BatchNorm2d(4)(torch.zeros(B, 4, W, W))",
        "y = nn.LayerNorm(4)(torch.zeros(B, W, 4))",
        "y = nn.Upsample(scale_factor=2)(torch.zeros(B, 4, W, W))",
        "y = nn.PixelShuffle(2)(torch.zeros(B, 4, W, W))",
        "y = nn.ZeroPad2d(1)(torch.zeros(B, 4, W, W))",
        "y = nn.Embedding(10, 3)(torch.zeros(B, W, dtype=torch.int64))",
        "y = nn.Flatten()(torch.zeros(B, 3, W, 2))",
        "y = nn.AdaptiveAvgPool2d((1, None))(torch.zeros(B, 4, 6, W))",
    ],
)
def test_sizes_that_are_symbols(code: str) -> None:
    symbolic(code, B=4, W=6)


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ("nn.Conv2d(3, 64, 3), nn.BatchNorm2d(32)", "channels"),
        ("nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(32, 8, 1)", "channels"),
        ("nn.Linear(8, 4), nn.Linear(5, 2)", "features"),
        ("nn.Linear(8, 4), nn.LayerNorm(5)", "features"),
        ("nn.BatchNorm2d(4), nn.BatchNorm1d(4)", "rank"),
        ("nn.BatchNorm2d(4), nn.Conv2d(3, 4, 1)", "channels"),
        ("nn.Embedding(9, 4), nn.Linear(5, 2)", "features"),
        ("nn.Conv2d(3, 64, 3), nn.AdaptiveAvgPool2d(7), nn.MaxPool2d(9)", "kernel"),
    ],
)
def test_layers_on_an_unknown_input(layers: str, kind: str) -> None:
    _, violations = interpreted(f"y = nn.Sequential({layers})(given)\n")
    assert [v.kind for v in violations] == [kind]


def test_what_layers_tell_of_an_unknown_input() -> None:
    value, violations = interpreted("y = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.MaxPool2d(2))(given)\n")
    assert not violations
    assert isinstance(value, Array)
    assert value.shape is None
    assert repr(axis(value, -3)) == "64"
    assert axis(value, -4) is None
