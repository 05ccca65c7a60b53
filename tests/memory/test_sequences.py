"""Data that programs put together in lists: what a step takes is what it takes with a tensor of that size."""

from __future__ import annotations

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.memory.estimate import Estimate
from trainlint.rules.engine import Analyser
from trainlint.syntax.document import Document

PROGRAM = """
import argparse
import random
from collections import deque, namedtuple
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

net = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 8)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
{data}
x = x.cuda()
while True:
    optimizer.zero_grad()
    net(x.float()).mean().backward()
    optimizer.step()
"""
PLAIN = "x = torch.zeros({})"
SEED = "import random\ndef words(): return [random.randrange(9) for _ in range(random.randint(3, 90))]\n"
# the program's own way, and the tensor of that size and type
DATA = {
    "windows that a loop appends": (
        "series = np.random.randn(2008).astype(np.float32)\nrows = []\n"
        "for i in range(len(series) - 8):\n    rows.append(series[i:i + 8])\nx = torch.from_numpy(np.array(rows))",
        "2000, 8",
    ),
    "a branch that appends one way or another": (
        "rows = []\nfor i in range(700):\n    if random.random() < 0.5:\n        rows.append([0.5] * 8)\n"
        "    else:\n        rows.append([1.5] * 8)\nx = torch.tensor(rows)",
        "700, 8",
    ),
    "a comprehension over many numbers": ("x = torch.stack([torch.zeros(8) for _ in range(3000)])", "3000, 8"),
    "parts that are concatenated": ("x = torch.cat([torch.zeros(3, 8) for _ in range(2000)])", "6000, 8"),
    "the letters of a text": (
        'text = "to be or not to be " * 300\nletters = sorted(set(text))\n'
        "place = {c: i for i, c in enumerate(letters)}\nx = torch.tensor([place[c] for c in text])\n"
        "x = F.one_hot(x[:5600].view(-1, 8), len(letters))[..., 0].float()",
        "700, 8",
    ),
    "words in no order": (
        'known = list(set("a b c d a b e f g h".split()))\nx = torch.zeros(640, len(known))',
        "640, 8",
    ),
    "rows that a buffer gives as columns": (
        "Row = namedtuple('Row', ('state', 'reward'))\nseen = deque(maxlen=10000)\nfor _ in range(5000):\n"
        "    seen.append(Row(torch.zeros(1, 8), 0.5))\nbatch = Row(*zip(*random.sample(seen, 512)))\n"
        "x = torch.cat(batch.state) * torch.tensor(batch.reward)[:, None]",
        "512, 8",
    ),
    "padding up to a length": (
        f"{SEED}def row():\n    ids = ([1] + words())[:8]\n    ids.extend([0 for _ in range(8 - len(ids))])\n"
        "    return ids\nx = torch.tensor([row() for _ in range(900)]).float()",
        "900, 8",
    ),
    "words that are looked up and padded": (
        'place = {"pad": 0}\nfor text in ("a b c", "c d e f g h i j k l"):\n    for word in text.split():\n'
        "        if word not in place:\n            place[word] = len(place)\n"
        "def encode(text):\n    ids = [place.get(w, 1) for w in text.lower().split()][:8]\n"
        "    return ids + [0] * (8 - len(ids))\n"
        'x = torch.tensor([encode(t) for t in ["a b c", "c d e f g h i j k l"] * 700]).float()',
        "1400, 8",
    ),
    "sequences of one length": (
        "x = nn.utils.rnn.pad_sequence([torch.zeros(8) for _ in range(500)], batch_first=True)",
        "500, 8",
    ),
    "sequences of two lengths": (
        "x = nn.utils.rnn.pad_sequence([torch.zeros(6), torch.zeros(8)], batch_first=True).repeat(300, 1)",
        "600, 8",
    ),
    "a split and a scaler": (
        "X, y = make_regression(1000, n_features=8)\nX, rest, y, _ = train_test_split(X, y, test_size=0.25)\n"
        "x = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32)",
        "750, 8",
    ),
    "a data set that comes with scikit-learn": (
        "x = torch.tensor(load_digits().data, dtype=torch.float32)[:, :8].clone()",
        "1797, 8",
    ),
    "products of arrays": (
        "a = np.random.rand(640, 32)\nx = torch.from_numpy(np.diag(a.sum(1)).dot(a) @ np.ones((32, 8))).float()",
        "640, 8",
    ),
    "an option that nobody gave": (
        "p = argparse.ArgumentParser()\np.add_argument('--rows', type=int)\np.add_argument('--half', type=int)\n"
        "a = p.parse_args()\nrows = 512\nif a.rows is not None:\n    rows = a.rows\n"
        "if a.half:\n    rows //= 2\nx = torch.zeros(a.half or rows, 8)",
        "512, 8",
    ),
    "a tree of tensors": (
        "def deep(tree):\n    if torch.is_tensor(tree):\n        return tree * 2\n    if isinstance(tree, dict):\n"
        "        return {k: deep(v) for k, v in tree.items()}\n    return tree\n"
        "x = deep({'x': torch.zeros(96, 8)})['x']",
        "96, 8",
    ),
}


def estimated(data: str) -> Estimate:
    program = PROGRAM.replace("{data}", data)
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(program))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name", DATA)
def test_a_list_is_as_long_as_it_is(name: str) -> None:
    data, shape = DATA[name]
    own, plain = estimated(data), estimated(PLAIN.format(shape))
    assert own.complete, own.unknown
    assert own.terms == plain.terms
    assert own.peak.allocated == plain.peak.allocated


@pytest.mark.parametrize(
    "rows",
    [
        # a condition decides how many there are
        "rows = []\nfor i in range(700):\n    if random.random() < 0.5:\n        rows.append([0.5] * 8)\n",
        "rows = []\nfor i in range(700):\n    if random.random() < 0.5:\n        continue\n"
        "    rows.append([0.5] * 8)\n",
        "rows = [[0.5] * 8 for i in range(700) if random.random() < 0.5]\n",
        f"{SEED}rows = [[0.5] * 8 for _ in words()]\n",
    ],
)
def test_a_length_that_is_not_known_is_not_made_up(rows: str) -> None:
    assert not estimated(f"{rows}x = torch.tensor(rows)").complete


STEP = """
import random
import torch
from torch import nn

net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 6)).cuda()
target = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 6)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def learn():
    x, y = torch.randn(256, 64, device="cuda"), torch.randn(256, 64, device="cuda")
    CHANGE
    loss = (net(x).max(1)[0] - wanted).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(100):
    learn()
"""


def steps(change: str) -> Estimate:
    found = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(STEP.replace("CHANGE", change)))
    assert len(found) == 1
    return found[0]


def test_the_graph_of_a_detached_maximum_dies() -> None:
    detached = steps("wanted = target(y).max(1)[0].detach()")
    without = steps("with torch.no_grad():\n        wanted = target(y).max(1)[0]")
    assert detached.complete
    assert detached.terms["activations"] == without.terms["activations"]


def test_what_may_have_run_and_left_nothing_matters_not() -> None:
    plain = steps("with torch.no_grad():\n        target(y[:1])\n    wanted = torch.randn(256, device='cuda')")
    maybe = (
        "action = 0\n    if random.random() > 0.5:\n        with torch.no_grad():\n"
        "            action = target(y[:1]).argmax().item()\n    wanted = torch.randn(256, device='cuda')"
    )
    assert steps(maybe).complete
    assert steps(maybe).peak.allocated == plain.peak.allocated


def test_what_may_have_run_and_stays_is_said() -> None:
    maybe = (
        "wanted = torch.randn(256, device='cuda')\n    if random.random() > 0.5:\n        with torch.no_grad():\n"
        "            kept = target(y)"
    )
    assert "whether this line runs is not known" in [what for _, what in steps(maybe).unknown]
