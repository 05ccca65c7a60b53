"""Programs of several files, code that catches what PyTorch raises, and what undecided branches leave."""

from __future__ import annotations

import pytest
from real_values import HEAD, interpret, plain_abstract, violations

from trainlint.analysis.values import Unknown, Value

MODEL = """\
import torch.nn as nn

WIDTH = 6

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, WIDTH))
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, x):
        return self.head(self.features(x))
"""
DATASET = """\
import torch
from torch.utils.data import Dataset

class Pictures(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, index):
        return torch.zeros(3, 8, 8), index % 5
"""
TRAIN = """\
from torch.utils.data import DataLoader
from dataset import Pictures
from model import Net, WIDTH
import model as m

loader = DataLoader(Pictures(), batch_size=4)
net = Net(5)
for images, labels in loader:
    y = net(images)
z = [len(Pictures()), WIDTH, m.WIDTH, net]
"""


def value(code: str, name: str = "y", files: dict[str, str] | None = None, path: str = "case.py") -> Value:
    program = interpret(code, files, path)
    assert not violations(program)
    return program.file.scope.names.get(name, Unknown())


def test_model_dataset_and_training_in_three_files() -> None:
    files = {"model.py": MODEL, "dataset.py": DATASET}
    assert plain_abstract(value(TRAIN, "y", files, "train.py")) == ("tensor", ("4", "5"))
    layers = {"": "Net", "features": "Sequential", "features.0": "Flatten", "features.1": "Linear", "head": "Linear"}
    assert plain_abstract(value(TRAIN, "z", files, "train.py")) == [40, 6, 6, layers]


def test_a_violation_in_the_training_file_is_found_through_the_model_file() -> None:
    wrong = DATASET.replace("3, 8, 8", "3, 8, 9")
    program = interpret(TRAIN, {"model.py": MODEL, "dataset.py": wrong}, "train.py")
    assert [v.kind for v in violations(program)] == ["features"]


PACKAGE = {
    "app/__init__.py": "from .nets import build\n",
    "app/nets/__init__.py": "from .blocks import *\nfrom . import blocks as parts\nfrom .model import Net, build\n",
    "app/nets/blocks.py": (
        "from torch import nn\nfrom ..settings import DEPTH\n__all__ = ['block']\nhidden = 3\n"
        "def block(n):\n    return nn.Sequential(*[nn.Linear(n, n) for _ in range(DEPTH)])\n"
    ),
    "app/nets/model.py": (
        "from torch import nn\nfrom .blocks import block\nfrom ..settings import Settings\n"
        "class Net(nn.Module):\n    def __init__(self, settings=Settings()):\n        super().__init__()\n"
        "        self.body = block(settings.width)\n    def forward(self, x):\n        return self.body(x)\n"
        "def build(**kwargs):\n    return Net(Settings(**kwargs))\n"
    ),
    "app/settings.py": (
        "from dataclasses import dataclass\nDEPTH = 2\n@dataclass\nclass Settings:\n    width: int = 7\n"
    ),
}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from app import build\ny = build(width=4)(torch.zeros(1, 4))\n", ("tensor", ("1", "4"))),
        ("import app\ny = app.build()(torch.zeros(2, 7))\n", ("tensor", ("2", "7"))),
        ("import app.nets.model\ny = app.nets.model.Net()(torch.zeros(2, 7))\n", ("tensor", ("2", "7"))),
        ("from app.nets import parts, block\ny = [parts.hidden, parts.DEPTH, block]\n", [3, 2, "block"]),
        ("from app.nets import *\ny = [Net, build]\n", ["Net", "build"]),
        ("from app import nets\ny = nets.blocks.block(5)\n", {"": "Sequential", "0": "Linear", "1": "Linear"}),
        ("from app.nets.blocks import *\ny = block\n", "block"),
        ("def late():\n    from app.settings import DEPTH\n    return DEPTH\ny = late()\n", 2),
    ],
)
def test_packages_with_relative_imports(code: str, expected: object) -> None:
    assert plain_abstract(value(HEAD + code, "y", PACKAGE)) == expected


def test_two_files_that_import_each_other() -> None:
    files = {"a.py": "import b\nn = 3\ndef f():\n    return b.m + n\n", "b.py": "import a\nm = 4\n"}
    assert plain_abstract(value("from a import f\ny = f()\n", "y", files)) == 7


BAD = "nn.Linear(4, 2)(torch.zeros(1, 5))"


@pytest.mark.parametrize(
    "code",
    [
        f"try:\n    {BAD}\nexcept RuntimeError as error:\n    print(error)\n",
        f"try:\n    {BAD}\nexcept:\n    pass\n",
        f"try:\n    {BAD}\nexcept (KeyError, Exception):\n    pass\n",
        f"import pytest\nwith pytest.raises(RuntimeError, match='shapes'):\n    {BAD}\n",
        f"from contextlib import suppress\nwith suppress(Exception):\n    {BAD}\n",
        "import unittest\nclass Test(unittest.TestCase):\n    def test(self):\n"
        f"        with self.assertRaises(RuntimeError):\n            {BAD}\n",
        f"def f():\n    return {BAD}\ntry:\n    f()\nexcept ValueError:\n    pass\n",
    ],
)
def test_an_error_that_is_caught_or_expected_is_no_violation(code: str) -> None:
    assert not violations(interpret(HEAD + code))


@pytest.mark.parametrize(
    "code",
    [
        BAD,
        f"try:\n    {BAD}\nexcept KeyError:\n    pass\n",
        f"try:\n    {BAD}\nexcept RuntimeError:\n    print('shapes')\n    raise\n",
        f"try:\n    {BAD}\nfinally:\n    print('done')\n",
        f"try:\n    pass\nexcept RuntimeError:\n    {BAD}\n",
        f"with open('log') as f:\n    {BAD}\n",
    ],
)
def test_an_error_that_ends_the_program_is_one(code: str) -> None:
    assert [v.kind for v in violations(interpret(HEAD + code))] == ["features"]


# what is left of a list, a dict or an object where the condition `flag` is not known
UNDECIDED = {
    "append in a branch": (
        """\
xs = [1]
if flag:
    xs.append(2)
y = xs
""",
        "list[1 | 2…]",
    ),
    "append in both": (
        """\
xs = [1]
if flag:
    xs.append(2)
else:
    xs.append(3)
y = xs
""",
        "list[1, 2 | 3]",
    ),
    "a branch that raises": (
        """\
xs = [1]
if flag:
    xs.append(2)
    raise ValueError
y = xs
""",
        "list[1]",
    ),
    "a key in a branch": (
        """\
d = {'a': 1}
if flag:
    d['b'] = 2
y = d
""",
        "dict('a': 1, …)",
    ),
    "an item in a branch": (
        """\
d = {'a': 1}
if flag:
    d['a'] = 2
y = d
""",
        "dict('a': 2 | 1)",
    ),
    "a method in a branch": (
        """\
b = Box()
if flag:
    b.put(5)
y = b.n
""",
        "5 | 0",
    ),
    "an object that is one of two": (
        """\
a, b = Box(), Box()
(a if flag else b).put(5)
y = [a.n, b.n]
""",
        "list[5 | 0, 5 | 0]",
    ),
    "break": (
        """\
n = 0
for i in range(3):
    n = i
    if flag:
        break
y = n
""",
        "2 | 0 | 1",
    ),
    "what follows a break": (
        """\
xs = []
for i in (7, 8):
    if flag:
        break
    xs.append(i)
y = xs
""",
        "list[7 | 8…]",
    ),
    "continue": (
        """\
xs = []
for i in (7, 8):
    if flag:
        continue
    xs.append(i)
y = xs
""",
        "list[7 | 8…]",
    ),
    "else of a loop": (
        """\
n = 0
for i in (1, 2):
    if flag:
        break
else:
    n = 5
y = n
""",
        "5 | 0",
    ),
    "a handler of errors": (
        """\
d = {'a': 1}
try:
    d['a'] = g()
except KeyError:
    d['a'] = 3
y = d['a']
""",
        "?g(…)",
    ),
    "a return in a branch": (
        """\
def f(xs):
    if flag:
        return xs
    xs.append(2)
    return xs
z = [1]
f(z)
y = z
""",
        "list[1 | 2…]",
    ),
    "a scalar in a loop of any length": (
        """\
first = True
for i in g():
    y = first
    first = False
""",
        "?first",
    ),
    "an attribute in such a loop": (
        """\
b = Box()
for i in g():
    y = b.n
    b.n += 1
""",
        "?b.n",
    ),
    "nothing of such a loop may run": (
        """\
d = {'a': 1}
for i in g():
    d['a'] = 2
y = d['a']
""",
        "1 | 2",
    ),
    "a global in a branch": (
        """\
n = 1
def f():
    global n
    if flag:
        n = 2
f()
y = n
""",
        "1 | 2",
    ),
    "a global counts": (
        """\
n = 1
def f():
    global n
    n += 1
for i in g():
    f()
y = n
""",
        "?n",
    ),
}
BOX = "class Box:\n    def __init__(self):\n        self.n = 0\n    def put(self, k):\n        self.n = k\n"


@pytest.mark.parametrize("name", UNDECIDED)
def test_undecided(name: str) -> None:
    code, expected = UNDECIDED[name]
    assert repr(value(HEAD + BOX + code)) == expected


GETTER = """
from collections import OrderedDict

class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16, 10)

class Getter(nn.ModuleDict):
    def __init__(self, model, return_layers):
        layers = OrderedDict()
        return_layers = {str(k): str(v) for k, v in return_layers.items()}
        for name, module in model.named_children():
            layers[name] = module
            if name in return_layers:
                del return_layers[name]
            if not return_layers:
                break
        super().__init__(layers)
        self.return_layers = return_layers

    def forward(self, x):
        out = OrderedDict()
        for name, module in self.items():
            x = module(x)
            out[name] = x
        return out
"""


def test_the_layers_up_to_one_that_is_named() -> None:
    known = value(HEAD + GETTER + "y = Getter(Backbone(), {'pool': 'low'})\n")
    assert plain_abstract(known) == {"": "Getter", "conv": "Conv2d", "pool": "MaxPool2d"}
    outputs = value(HEAD + GETTER + "y = Getter(Backbone(), {'deep': 'high'})(torch.zeros(1, 3, 8, 8))['deep']\n")
    assert plain_abstract(outputs) == ("tensor", ("1", "16", "4", "4"))
    # which layers there are is not known, and nothing is claimed of them
    some = value(HEAD + GETTER + "y = Getter(Backbone(), {name(): 'low'})\n")
    assert plain_abstract(some) == "?"
    program = interpret(HEAD + GETTER + "y = Getter(Backbone(), {name(): 'low'})(torch.zeros(1, 3, 8, 8))\n")
    assert not violations(program)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("conv = nn.Conv2d(3, 4, 3, stride=2)\nconv.stride = (1, 1)\ny = conv(x)\n", ("1", "4", "3", "3")),
        ("conv = nn.Conv2d(3, 4, 3)\nconv.padding = (1, 1)\ny = conv(x)\n", ("1", "4", "5", "5")),
        ("conv = nn.Conv2d(3, 4, 3)\nconv.dilation = (2, 2)\ny = conv(x)\n", ("1", "4", "1", "1")),
        ("pool = nn.MaxPool2d(2)\nprint(pool.dilation, pool.stride)\ny = pool(x)\n", ("1", "3", "2", "2")),
        ("pool = nn.MaxPool2d(2)\npool.stride = 1\ny = pool(x)\n", ("1", "3", "4", "4")),
        (
            "net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())\nfor layer in net:\n"
            "    if isinstance(layer, nn.Conv2d):\n        layer.stride = (1, 1)\ny = net(x)\n",
            ("1", "4", "3", "3"),
        ),
    ],
)  # fmt: skip
def test_what_is_assigned_on_a_layer_later_counts(code: str, expected: tuple[str, ...]) -> None:
    assert plain_abstract(value(HEAD + "x = torch.zeros(1, 3, 5, 5)\n" + code)) == ("tensor", expected)
