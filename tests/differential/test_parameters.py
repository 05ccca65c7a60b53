"""Parameters and buffers agree with PyTorch: names, shapes, dtypes and numbers of every layer, sharing counted once."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from agreement import executed, interpreted
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.analysis import dims
from trainlint.analysis.parameters import HOLDERS, Held, buffers_of, parameters_of
from trainlint.analysis.values import Const
from trainlint.ops.parameters import EMPTY

SOME = settings(max_examples=50, deadline=None)
small = st.integers(1, 5)
flags = st.sampled_from(["", "True", "False"])
dtypes = st.sampled_from(["", "", "", "torch.float64", "torch.bfloat16"])


def compare(code: str) -> None:
    """Assert that both know the same tensors of the module `y`."""
    real = executed(code)
    if isinstance(real, Exception):
        return
    value, _ = interpreted(code)
    found, buffers = parameters_of(value), buffers_of(value)
    assert not found.unknown, f"{found.unknown}\n{code}"
    assert described(found.tensors) == {n: (tuple(p.shape), name(p)) for n, p in real.named_parameters()}, code
    assert described(buffers.tensors) == {n: (tuple(p.shape), name(p)) for n, p in real.named_buffers()}, code
    assert dims.same(found.count, Const(sum(p.numel() for p in real.parameters()))), code


def described(tensors: list[Held]) -> dict[str, tuple[Any, str | None]]:
    return {held.name: (tuple(map(dims.usual, held.shape or ())), held.dtype) for held in tensors}


def name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def layer(cls: str, *args: object, **kwargs: object) -> str:
    """`y = nn.Cls(…)`; what is empty is left out."""
    named = [f"{key}={value}" for key, value in kwargs.items() if value != ""]
    return f"y = nn.{cls}({', '.join([*map(str, args), *named])})"


@SOME
@given(st.data())
def test_convolutions(data: st.DataObject) -> None:
    draw = data.draw
    n, groups, turned = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3])), draw(st.booleans())
    kernel = draw(st.one_of(small, st.tuples(*[small] * n)))
    bias = draw(flags)
    args = [groups * draw(small), groups * draw(small), kernel]
    if draw(st.booleans()):
        # all by position
        args += [1, 0, *([0, groups] if turned else [1, groups]), bias or True]
        compare(layer(f"Conv{'Transpose' if turned else ''}{n}d", *args, dtype=draw(dtypes)))
        return
    compare(layer(f"Conv{'Transpose' if turned else ''}{n}d", *args, groups=groups, bias=bias, dtype=draw(dtypes)))


@SOME
@given(small, small, small, flags, dtypes)
def test_linear_layers_and_tables(a: int, b: int, c: int, bias: str, dtype: str) -> None:
    compare(layer("Linear", a, b, bias=bias, dtype=dtype))
    compare(layer("Bilinear", a, b, c, bias=bias, dtype=dtype))
    compare(layer("Embedding", a, b, dtype=dtype))
    compare(layer("EmbeddingBag", a, b, dtype=dtype))
    compare(layer("PReLU", a, dtype=dtype))


@SOME
@given(st.integers(1, 3), small, flags, flags, flags, dtypes)
def test_batch_and_instance_norms(n: int, channels: int, affine: str, tracked: str, bias: str, dtype: str) -> None:
    for kind in ("BatchNorm", "InstanceNorm"):
        given_ = {"affine": affine, "track_running_stats": tracked, "bias": bias, "dtype": dtype}
        if "bias" not in inspect.signature(getattr(torch.nn, f"{kind}{n}d")).parameters:
            given_.pop("bias")
        compare(layer(f"{kind}{n}d", channels, **given_))
        compare(layer(f"{kind}{n}d", channels, 1e-5, 0.1, affine or True, tracked or False))
    compare(layer("SyncBatchNorm", channels, affine=affine, track_running_stats=tracked))


@SOME
@given(small, small, st.lists(small, min_size=1, max_size=3), flags, flags, dtypes)
def test_other_norms(groups: int, each: int, shape: list[int], affine: str, bias: str, dtype: str) -> None:
    compare(layer("GroupNorm", groups, groups * each, affine=affine, dtype=dtype))
    for normalized in (shape, tuple(shape), shape[0]):
        compare(layer("LayerNorm", normalized, elementwise_affine=affine, bias=bias, dtype=dtype))
        compare(layer("RMSNorm", normalized, elementwise_affine=affine, dtype=dtype))


@SOME
@given(
    st.sampled_from(["RNN", "LSTM", "GRU"]),
    small,
    st.integers(2, 5),
    st.integers(1, 3),
    flags,
    flags,
    dtypes,
    st.booleans(),
)
def test_recurrent_layers(
    kind: str, inputs: int, hidden: int, layers: int, bias: str, both: str, dtype: str, placed: bool
) -> None:
    projection = hidden - 1 if kind == "LSTM" and bias == "" else ""
    if placed:
        middle = ["'relu'"] if kind == "RNN" else []
        compare(layer(kind, inputs, hidden, layers, *middle, bias or True, False, 0.0, both or False, dtype=dtype))
    else:
        compare(layer(kind, inputs, hidden, num_layers=layers, bias=bias, bidirectional=both, proj_size=projection))
    compare(layer(f"{kind}Cell", inputs, hidden, bias, dtype=dtype) if bias else layer(f"{kind}Cell", inputs, hidden))


@SOME
@given(st.integers(1, 3), st.integers(1, 3), flags, flags, st.sampled_from(["", 3]), st.sampled_from(["", 3, 4]))
def test_attention(heads: int, each: int, bias: str, extra: str, kdim: object, vdim: object) -> None:
    width = heads * each
    compare(layer("MultiheadAttention", width, heads, bias=bias, add_bias_kv=extra, kdim=kdim, vdim=vdim))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), flags, dtypes)
def test_transformers(heads: int, inner: int, layers: int, bias: str, dtype: str) -> None:
    width = 2 * heads
    for kind in ("Encoder", "Decoder"):
        one = f"nn.Transformer{kind}Layer({width}, {heads}, {inner}{f', bias={bias}' if bias else ''})"
        compare(f"y = {one}")
        compare(layer(f"Transformer{kind}", one, layers))
        compare(
            f"layer = {one}\ny = nn.ModuleList([layer, nn.Transformer{kind}(layer, {layers}, nn.LayerNorm({width}))])"
        )
    compare(layer("Transformer", width, heads, layers, 1, inner, bias=bias, dtype=dtype))


@pytest.mark.parametrize(
    "code",
    [
        "y = nn.CrossEntropyLoss()",
        "y = nn.CrossEntropyLoss(torch.ones(3))",
        "y = nn.BCEWithLogitsLoss(pos_weight=torch.ones(2))",
        "y = nn.MultiMarginLoss(1, 1.0, torch.ones(2))",
        "y = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Sequential(nn.Linear(8, 2)))",
        "a = nn.Linear(2, 2)\ny = nn.Sequential(a, a, nn.Linear(2, 2))",
        "y = nn.ModuleDict({'a': nn.Linear(1, 2), 'b': nn.ModuleList([nn.Linear(2, 3) for _ in range(3)])})",
        "y = nn.ParameterList([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))])",
        "y = nn.ParameterList()\ny.append(nn.Parameter(torch.zeros(2)))\ny.extend([nn.Parameter(torch.zeros(3))])",
        "y = nn.ParameterDict({'a': nn.Parameter(torch.zeros(2))})",
        "y = nn.Linear(2, 3)\ny.bias = None",
        "y = nn.Linear(2, 3)\ny.weight = nn.Parameter(torch.zeros(5, 2))",
        "y = nn.Linear(2, 3)\ny.extra = nn.Parameter(torch.zeros(7))",
        "y = nn.Linear(2, 3)\ny.register_buffer('mask', torch.ones(3, 3, dtype=torch.bool))",
        "y = nn.Linear(2, 3).double()",
        "y = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).half()",
        "import copy\na = nn.Linear(2, 3)\na.weight.data.zero_()\n"
        "y = nn.ModuleList([copy.deepcopy(a) for _ in range(3)])",
        "y = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))\ny[1].weight = y[0].weight",
        "import copy\na = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))\na[1].weight = a[0].weight\n"
        "y = nn.ModuleList([a, copy.deepcopy(a)])",
        "y = nn.DataParallel(nn.Linear(2, 3))",
    ],
)  # fmt: skip
def test_modules(code: str) -> None:
    compare(code)


CLASSES = """
class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
class Net(nn.Module):
    def __init__(self, widths=(4, 8, 8)):
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, widths[0]))
        self.register_parameter("gain", nn.Parameter(torch.ones(3)))
        self.register_parameter("none", None)
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(3), persistent=False)
        self.plain = torch.zeros(100)
        blocks = []
        for a, b in zip(widths, widths[1:]):
            blocks.append(Block(a, b))
        self.blocks = nn.Sequential(*blocks)
        self.table = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.table.weight
"""


@pytest.mark.parametrize("code", ["y = Net()", "y = Net((2, 2, 6, 6)).bfloat16()", "y = nn.ModuleList([Net(), Net()])"])
def test_classes(code: str) -> None:
    compare(CLASSES + code)


def test_every_layer_of_torch_is_known() -> None:
    layers = {name for name, cls in vars(torch.nn).items() if inspect.isclass(cls) and issubclass(cls, torch.nn.Module)}
    unknown = {name for name in layers if f"torch.nn.{name}" not in HOLDERS}
    # two losses with layers of their own, and base classes
    assert unknown <= {"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "RNNBase", "RNNCellBase"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("cls", EMPTY)
def test_layers_that_hold_nothing(cls: str) -> None:
    if not hasattr(torch.nn, cls):
        pytest.skip(f"torch {torch.__version__} has no torch.nn.{cls}")
    made = getattr(torch.nn, cls)
    needed = [p for p in inspect.signature(made).parameters.values() if p.default is p.empty and p.kind < 2]
    arguments = [
        torch.nn.Identity() if p.name == "module" else (2, 2) if "unflattened" in p.name else 2 for p in needed
    ]
    real = made(*arguments, **({"output_size": 1} if cls.startswith("Fractional") else {}))
    assert not list(real.parameters())
    assert not list(real.buffers())


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("y = nn.LazyLinear(3)", "the size of `weight` is not known"),
        ("y = nn.utils.weight_norm(nn.Linear(2, 3))", "`weight_norm` changes its parameters"),
        ("import other\ny = nn.Linear(2, other.n)", "the size of `weight` is not known"),
        ("import other\ny = nn.Linear(2, 3, bias=other.b)", "`bias` is not known"),
        ("import other\ny = nn.LSTM(2, 3, other.n)", "the number of its layers is not known"),
        ("import torchvision\ny = torchvision.ops.FPN([8], 4)", "what `FPN` holds is not known"),
    ],
)  # fmt: skip
def test_what_is_not_known(code: str, why: str) -> None:
    found = parameters_of(interpreted(code)[0])
    assert why in found.unknown.values()
    assert dims.usual(found.count) is None
