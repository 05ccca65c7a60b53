"""How far a program is followed where memory is counted: factories of layers, the environment, what nobody calls.

Each program is one that a person would write around a small network of known size; what it takes is what the plain one
takes.
"""

from __future__ import annotations

import pytest
from projects import projected, said

from trainlint.memory.estimate import Estimate

LAYERS = """
import functools
import os
import types
from enum import Enum

import torch
import torch.nn.functional as F
from torch import nn


class Same(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, self.stride, 1)


class Rms(nn.BatchNorm2d):
    pass


NORMS = dict(batchnorm2d=nn.BatchNorm2d, rms=Rms)
"""
MODEL = """
import torch
from torch import nn
from layers import *


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = {norm}
        self.act = {act}
        self.head = nn.Linear(16, 10)
        {more}

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        {then}
        return self.head(x.mean((2, 3)))
"""
MAIN = """
import torch
from torch import nn
from model import Net

net = Net().cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(100):
    x, y = torch.randn(8, 3, 32, 32).cuda(), torch.randint(0, 10, (8,)).cuda()
    optimizer.zero_grad()
    nn.CrossEntropyLoss()(net(x), y).backward()
    optimizer.step()
"""


def estimate(
    layers: str = "",
    norm: str = "nn.BatchNorm2d(16)",
    act: str = "nn.ReLU()",
    more: str = "pass",
    then: str = "pass",
) -> Estimate:
    model = MODEL.format(norm=norm, act=act, more=more, then=then)
    return projected({"layers.py": LAYERS + layers, "model.py": model, "main.py": MAIN})[0]


FACTORIES = {
    "a class, a name or a partial": (
        """
def norm_of(norm):
    assert isinstance(norm, (type, str, types.FunctionType, functools.partial))
    kept = {}
    if isinstance(norm, functools.partial):
        kept.update(norm.keywords)
        norm = norm.func
    if isinstance(norm, str):
        norm = NORMS[norm.lower()]
    elif not isinstance(norm, types.FunctionType):
        norm = NORMS[norm.__name__.lower()]
    return functools.partial(norm, **kept) if kept else norm
""",
        "norm_of(functools.partial(nn.BatchNorm2d, eps=1e-3))(16)",
        "nn.ReLU()",
    ),
    "a subclass of a layer": (
        """
def made(cls):
    return cls(16) if issubclass(cls, nn.BatchNorm2d) else cls()
""",
        "made(Rms)",
        "made(nn.ReLU)",
    ),
    "an argument that a layer may not have": (
        """
def made(cls, **options):
    try:
        return cls(inplace=False, **options)
    except TypeError:
        return cls(**options)
""",
        "nn.BatchNorm2d(16)",
        "made(nn.ReLU)",
    ),
    "what this torch has": (
        """
act = nn.ReLU if "relu" in dir(torch.nn.functional) else nn.GELU
norm = nn.BatchNorm2d if hasattr(torch.nn.functional, "batch_norm") else nn.GroupNorm
""",
        "norm(16)",
        "act()",
    ),
    "the environment": (
        """
if "OTHER_LAYERS" in os.environ:
    act = getattr(nn, os.environ["OTHER_LAYERS"])
else:
    act = nn.ReLU
""",
        "nn.BatchNorm2d(16)",
        "act()",
    ),
    "an enumeration of texts": (
        """
class Kind(str, Enum):
    RELU = "relu"
    GELU = "gelu"


def act(kind):
    kind = Kind(kind)
    if kind is Kind.GELU:
        return nn.GELU()
    return nn.ReLU()
""",
        "nn.BatchNorm2d(16)",
        "act('relu')",
    ),
    "a dtype that is asked about": (
        """
def dtype_of(dtype=None):
    dtype = torch.get_default_dtype() if dtype is None else dtype
    return torch.float32 if dtype.is_floating_point and torch.finfo(dtype).bits < 32 else dtype
""",
        "nn.BatchNorm2d(16, dtype=dtype_of())",
        "nn.ReLU()",
    ),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_layers_from_factories(name: str) -> None:
    layers, norm, act = FACTORIES[name]
    found, plain = estimate(layers, norm, act), estimate()
    assert said(found) == []
    assert (found.terms, found.peak.allocated) == (plain.terms, plain.peak.allocated)


def test_rates_that_grow_along_the_blocks() -> None:
    """`linspace` cut into stages: the rate of the first block is nothing, those of the others are something."""
    layers = """
class Drop(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0.0 or not self.training:
            return x
        return x * x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(1 - self.rate)


rates = [part.tolist() for part in torch.linspace(0, 0.1, 4).split([1, 3])]
flat = [rate.item() for rate in torch.linspace(0, 0.1, 4)]
"""
    plain = estimate()
    for none in ("rates[0][0]", "flat[0]"):
        assert estimate(layers, act=f"nn.Sequential(nn.ReLU(), Drop({none}))").terms == plain.terms
    for some in ("rates[1][0]", "flat[3]"):
        found = estimate(layers, act=f"nn.Sequential(nn.ReLU(), Drop({some}))")
        assert said(found) == []
        assert found.terms["activations"] > plain.terms["activations"]


def test_parameters_in_a_list_are_tensors() -> None:
    found = estimate(
        more="self.low, self.high = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.zeros(8))",
        then="x = x + torch.cat((self.low, self.high))[:, None, None]",
    )
    assert said(found) == []


def test_what_a_pool_was_built_with() -> None:
    layers = """
class Padded(nn.MaxPool2d):
    def forward(self, x):
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1)), self.kernel_size, self.stride, 0, self.dilation, self.ceil_mode)
"""
    found = estimate(layers, act="nn.Sequential(nn.ReLU(), Padded(2))")
    plain = estimate(act="nn.Sequential(nn.ReLU(), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 2))")
    assert said(found) == []
    assert found.terms == plain.terms


def test_parts_that_are_visited_recursively() -> None:
    layers = """
def visit(module, name=""):
    for key, child in module.named_children():
        visit(module=child, name=f"{name}.{key}")
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.weight)

"""
    deep = "nn.Sequential(" * 5 + "nn.Linear(4, 4)" + ")" * 5
    assert said(estimate(layers, more=f"self.deep = {deep}; visit(self)")) == []


FREEZE = """
def shrink(model):
    model.head.weight.requires_grad_(bool(model.head.bias is None))


def copy_flags(one, other):
    one.weight.requires_grad_(other.weight.requires_grad)
    one.bias.requires_grad = other.bias.requires_grad
"""


def test_what_nobody_calls_freezes_nothing() -> None:
    assert said(estimate(FREEZE)) == []
    assert said(estimate(FREEZE, more="copy_flags(self.head, self.first)")) == []


def test_what_may_be_called_by_its_name_may_freeze() -> None:
    """The function is handed to something that is not known."""
    told = said(estimate(FREEZE, more="import plugins; plugins.apply(self, shrink)"))
    assert "whether `head.weight` is trained is not known" in told


def test_tables_of_all_pairs_do_not_use_up_what_may_be_followed() -> None:
    """A loop over pairs of 200 places is not run pair by pair, and the model behind it is still known."""
    layers = """
def pairs(n):
    table = {}
    for a in range(n):
        for b in range(n):
            key = (abs(a - b), a + b)
            if key not in table:
                table[key] = len(table)
    return table
"""
    assert said(estimate(layers, more="self.table = pairs(200)")) == []


def test_the_library_is_not_being_translated() -> None:
    assert said(estimate(then="x = x if torch.jit.is_scripting() else x * 2")) == []
