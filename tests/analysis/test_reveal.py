"""What is known at lines of whole scripts: a comment `# reveal: …` says what the line's value is shown as.

The value is that of the first target of an assignment, else of the expression. A comment that begins with `"` gives the
axes of a tensor only; `head: …` compares the headline of the hover, which says more of modules and loaders.
"""

# ruff: noqa: E501

from __future__ import annotations

import re

import pytest
from memory_workspace import MemoryWorkspace

import trainlint.ops
from trainlint.analysis.cards import Cards
from trainlint.analysis.describe import watched
from trainlint.analysis.notation import words
from trainlint.analysis.program import Program
from trainlint.analysis.values import Unknown
from trainlint.analysis.watching import Sighting, Watch
from trainlint.syntax import ir
from trainlint.syntax.document import Document

assert trainlint.ops
COMMENT = re.compile(r"#\s*reveal:\s*(.+?)\s*$")


def check(source: str, **files: str) -> None:
    """Compare what is known with the comments of a script (`files` are further modules by name)."""
    workspace = MemoryWorkspace({f"{name}.py": text for name, text in files.items()})
    document = Document(source)
    program = watched("/project/train.py", document, workspace)
    wanted = {n: m[1] for n, line in enumerate(source.split("\n"), 1) if (m := COMMENT.search(line))}
    assert wanted
    assert {line: shown(program, line, text) for line, text in wanted.items()} == wanted


def shown(program: Program, line: int, wanted: str) -> str:
    watch = program.watch
    assert watch is not None
    sighting = value_of(watch, line)
    if wanted.startswith("head: "):
        return f"head: {Cards(program).card(sighting).head}".replace("`", "")
    text = words(sighting.value).replace("`", "")
    if wanted.startswith('"'):
        return '"' + text.partition('"')[2].rpartition('"')[0] + '"' if '"' in text else text
    return text


def value_of(watch: Watch, line: int) -> Sighting:
    """The value of the statement on a line."""
    stmt = next(s for s in watch.statements if s.first_line <= line <= s.last_line and not hasattr(s, "body"))
    node = stmt.targets[0] if isinstance(stmt, ir.Assign) else getattr(stmt, "value", None)
    found = watch.seen(stmt, node.ord) if isinstance(node, ir.Expr) else None
    return found if found is not None else Sighting(Unknown("never reached"), None, 0)  # type: ignore[arg-type]


TRAINING = """
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

batch_size = 64
tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train = datasets.MNIST("data", train=True, transform=tf)  # reveal: head: MNIST · 60,000 samples
loader = DataLoader(train, batch_size=batch_size, shuffle=True)  # reveal: head: DataLoader · batch 64 (batch_size, line 7) · 938 batches an epoch (60,000 samples, the last batch has 32)
test = DataLoader(datasets.MNIST("data", train=False, transform=tf), 100)  # reveal: head: DataLoader · batch 100 (line 11) · 100 batches an epoch (10,000 samples)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))  # reveal: head: Sequential · 101,770 parameters (all trained) · 398 KiB float32
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # reveal: head: SGD · lr 0.1 (line 13)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5)  # reveal: head: StepLR · step_size 5 · of SGD
model.cuda()
for images, labels in loader:
    images = images.cuda()  # reveal: Float32[Tensor, "B 1 28 28"] · NCHW · grey · normalised (mean 0.1307; std 0.3081) · cuda · no graph
    labels = labels.cuda()  # reveal: Int64[Tensor, "B"] · labels 0–9 · cuda · no graph
    scores = model(images)  # reveal: Float32[Tensor, "B 10"] · scores (no activation) · cuda · graph
    chance = scores.softmax(1)  # reveal: Float32[Tensor, "B 10"] · probabilities (softmax) · cuda · graph
    guess = scores.argmax(1)  # reveal: Int64[Tensor, "B"] · class indices (argmax) · cuda · no graph
with torch.no_grad():
    for images, labels in test:
        scores = model(images.cuda())  # reveal: Float32[Tensor, "100 10"] · scores (no activation) · cuda · no graph
"""

OWN_DATASET = """
import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

class Pairs(Dataset):
    def __init__(self, names):
        self.names = names
    def __len__(self):
        return len(self.names)
    def __getitem__(self, index):
        image = cv2.imread(self.names[index])
        image = cv2.resize(image, (96, 64))
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # reveal: UInt8[ndarray, "64 96 3"] · HWC · RGB · 0–255
        image = torch.from_numpy(image).permute(2, 0, 1).float() / 255  # reveal: Float32[Tensor, "3 64 96"] · CHW · RGB · 0–1 · cpu · no graph
        return {"image": image, "size": torch.tensor([64, 96])}

loader = DataLoader(Pairs(["a.png"] * 10), batch_size=4, drop_last=True)
for batch in loader:
    x = batch["image"]  # reveal: Float32[Tensor, "4 3 64 96"] · NCHW · RGB · 0–1 · cpu · no graph
    y = batch["size"]  # reveal: "4 2"
table = TensorDataset(torch.randn(100, 7), torch.zeros(100, dtype=torch.long))
for a, b in DataLoader(table, batch_size=10):
    c = a  # reveal: "10 7"
    d = b  # reveal: "10"
"""

IMAGES = """
import cv2
import numpy as np
import torch
from PIL import Image
from torchvision import transforms

bgr = cv2.imread("a.png")  # reveal: UInt8[ndarray, "H W 3"] · HWC · BGR · 0–255
grey = cv2.imread("a.png", cv2.IMREAD_GRAYSCALE)  # reveal: UInt8[ndarray, "H W"] · HW · grey · 0–255
small = cv2.resize(bgr, (320, 240))  # reveal: UInt8[ndarray, "240 320 3"] · HWC · BGR · 0–255
rgb = small[..., ::-1]  # reveal: UInt8[ndarray, "240 320 3"] · HWC · RGB · 0–255
chw = rgb.transpose(2, 0, 1)  # reveal: UInt8[ndarray, "3 240 320"] · CHW · RGB · 0–255
unit = chw.astype(np.float32) / 255.0  # reveal: Float32[ndarray, "3 240 320"] · CHW · RGB · 0–1
batch = np.stack([unit, unit])  # reveal: "2 3 240 320"
tensor = torch.from_numpy(batch)  # reveal: Float32[Tensor, "2 3 240 320"] · NCHW · RGB · 0–1 · cpu · no graph
pil = Image.open("b.jpg").convert("RGB")  # reveal: UInt8[Image, "H W 3"] · HWC · RGB · 0–255
array = np.array(pil)  # reveal: UInt8[ndarray, "H W 3"] · HWC · RGB · 0–255
square = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])(pil)
one = square.unsqueeze(0)  # reveal: Float32[Tensor, "1 3 224 224"] · NCHW · RGB · 0–1 · no graph
norm = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(square)  # reveal: Float32[Tensor, "3 224 224"] · CHW · RGB · normalised (ImageNet statistics) · no graph
last = one.permute(0, 2, 3, 1)  # reveal: "1 224 224 3"
"""

RESNET = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = None
        if stride != 1 or inputs != outputs:
            self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.down is not None:
            x = self.down(x)
        return torch.relu(x + y)

class ResNet18(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(64, 2, 1)
        self.layer2 = self._make_layer(128, 2, 2)
        self.layer3 = self._make_layer(256, 2, 2)
        self.layer4 = self._make_layer(512, 2, 2)
        self.fc = nn.Linear(512, classes)
    def _make_layer(self, planes, blocks, stride):
        layers = [Block(self.inplanes, planes, stride)]
        self.inplanes = planes
        for _ in range(1, blocks):
            layers.append(Block(planes, planes))
        return nn.Sequential(*layers)
    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))  # reveal: "8 64 56 56"
        x = self.layer1(x)  # reveal: "8 64 56 56"
        x = self.layer2(x)  # reveal: "8 128 28 28"
        x = self.layer3(x)  # reveal: "8 256 14 14"
        x = self.layer4(x)  # reveal: "8 512 7 7"
        x = torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1)  # reveal: "8 512"
        return self.fc(x)

model = ResNet18()  # reveal: head: ResNet18 · 11,689,512 parameters (all trained) · 44.6 MiB float32 · 9,620 in buffers
out = model(torch.randn(8, 3, 224, 224))  # reveal: Float32[Tensor, "8 1000"] · scores (no activation) · cpu · graph
"""

TRANSFORMER = """
import copy
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
    def forward(self, x):
        y = self.norm(x)
        y, weights = self.attention(y, y, y)
        x = x + y
        return x + self.mlp(x)  # reveal: "2 16 32"

class GPT(nn.Module):
    def __init__(self, words=100, width=32, depth=4):
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.places = nn.Parameter(torch.zeros(1, 64, width))
        self.blocks = nn.ModuleList([copy.deepcopy(Block(width, 4)) for _ in range(depth)])
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.table.weight
    def forward(self, tokens):
        x = self.table(tokens)  # reveal: "2 16 32"
        for block in self.blocks:
            x = block(x)
        return self.head(x)

model = GPT()  # reveal: head: GPT · 55,808 parameters (all trained) · 218 KiB float32
out = model(torch.zeros(2, 16, dtype=torch.long))  # reveal: "2 16 100"
layer = nn.TransformerEncoderLayer(d_model=64, nhead=4, dim_feedforward=128, batch_first=True)
encoder = nn.TransformerEncoder(layer, num_layers=2)  # reveal: head: TransformerEncoder(num_layers=2, …) · 66,944 parameters (all trained) · 262 KiB float32
seen = encoder(torch.randn(2, 10, 64))  # reveal: Float32[Tensor, "2 10 64"] · cpu · graph
lstm = nn.LSTM(64, 32, 2, bidirectional=True, batch_first=True)  # reveal: head: LSTM(64, 32, 2, bidirectional=True, batch_first=True) · 50,176 parameters (all trained) · 196 KiB float32
states, (h, c) = lstm(seen)
last = states[:, -1]  # reveal: "2 64"
"""

UNROLLED = """
import torch
from torch import nn

class Pyramid(nn.Module):
    def __init__(self, widths=(3, 8, 16, 32)):
        super().__init__()
        self.stages = nn.ModuleList()
        for a, b in zip(widths[:-1], widths[1:]):
            self.stages.append(nn.Conv2d(a, b, 3, stride=2, padding=1))
        self.heads = nn.ModuleDict({f"head{i}": nn.Conv2d(w, 4, 1) for i, w in enumerate(widths[1:])})
    def forward(self, x):
        found = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            found.append(self.heads[f"head{index}"](x))
        return found

model = Pyramid()
features = model(torch.randn(1, 3, 64, 64))
first = features[0]  # reveal: "1 4 32 32"
last = features[-1]  # reveal: "1 4 8 8"
n = len(model.stages)  # reveal: 3
"""

FREEZING = """
import torch
from torch import nn
from torchvision import models

model = models.resnet18(weights="DEFAULT")
for parameter in model.parameters():
    parameter.requires_grad = False
model.fc = nn.Linear(model.fc.in_features, 10)
model.eval()
out = model(torch.zeros(4, 3, 224, 224))  # reveal: "4 10"
model  # reveal: head: resnet18(weights='DEFAULT') · 11,181,642 parameters (5,130 trained) · 42.7 MiB float32 · 9,620 in buffers · eval mode since line 10
"""

MODES = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
net.train()
net  # reveal: head: Sequential · 20 parameters (all trained) · 80 B float32 · training mode since line 6
net.eval()
net  # reveal: head: Sequential · 20 parameters (all trained) · 80 B float32 · eval mode since line 8
net[0]  # reveal: head: Linear(4, 4) · 20 parameters (all trained) · 80 B float32 · eval mode since line 8
half = nn.Linear(4, 4).half()  # reveal: head: Linear(4, 4) · 20 parameters (all trained) · 40 B float16
"""

PARTLY = """
import other
import torch
from torch import nn

conv = nn.Conv2d(3, 16, 3, padding=1)
a = conv(other.load())  # reveal: Shaped[Tensor, "... 16 _ _"] · scores (no activation) · graph
b = nn.Linear(8, 5)(other.load())  # reveal: Shaped[Tensor, "... 5"] · scores (no activation) · graph
c = other.load()
d = torch.zeros(2, other.size())  # reveal: Float32[Tensor, "2 _"] · cpu · no graph
e = nn.Sequential(nn.Linear(2, 3), other.block())  # reveal: head: Sequential · at least 9 parameters · 36 B float32
"""


@pytest.mark.parametrize(
    "source",
    [TRAINING, OWN_DATASET, IMAGES, RESNET, TRANSFORMER, UNROLLED, FREEZING, MODES, PARTLY],
    ids=[
        "training",
        "own data set",
        "images",
        "resnet",
        "transformer",
        "unrolled",
        "freezing",
        "modes",
        "partly known",
    ],
)
def test_scripts(source: str) -> None:
    check(source)


def test_two_files() -> None:
    model = """
import torch
from torch import nn

class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1))
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))

    def forward(self, x):
        return self.body(x - self.mean).mean((2, 3))
"""
    data = """
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

def make_loader(batch):
    return DataLoader(datasets.CIFAR10("data", transform=transforms.ToTensor()), batch_size=batch, drop_last=True)
"""
    check(
        """
from torch import nn
from model import Encoder
from data import make_loader

encoder = Encoder(8)  # reveal: head: Encoder · 1,392 parameters (all trained) · 5.44 KiB float32 · 3 in buffers
head = nn.Linear(16, 10)
loader = make_loader(50)  # reveal: head: DataLoader · batch 50 (line 8) · 1,000 batches an epoch (50,000 samples)
for x, y in loader:
    z = encoder(x)  # reveal: Float32[Tensor, "50 16"] · NC · graph
    s = head(z)  # reveal: "50 10"
""",
        model=model,
        data=data,
    )


NUMBERS = """
import math
import random
import sys
import torch
from torch.utils.data import DataLoader, Dataset

x = torch.rand(4, 3)
scaled = x * math.sqrt(2.0 / math.pi)  # reveal: "4 3"
weighted = x * torch.rand(1).item() + random.random() / 2  # reveal: "4 3"
row = x[random.randint(0, 3)]  # reveal: "3"
least = x * min(x.max().item(), 2 * len(sys.argv))  # reveal: "4 3"


class Pairs(Dataset):
    def __init__(self):
        self.images = torch.rand(40, 3, 8, 8)
        self.same = {c: [i for i, image in enumerate(self.images)] for c in range(20)}

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return self.images[i], self.images[random.choice(self.same[i % 20])], i % 10


for image, other, label in DataLoader(Pairs(), batch_size=8):
    image = image + other  # reveal: "8 3 8 8"
    label = label + 0  # reveal: "8"
"""


def test_numbers_that_are_not_known_have_no_axes() -> None:
    check(NUMBERS)
