"""What is edited, typed, pasted and configured in `benchmarks/session.py`."""

from __future__ import annotations

TRAIN = """\
import cv2
import torch
import yaml
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from helper import Net, accuracy

config = yaml.safe_load(open("data.yaml"))
batch_size = 64
history = []


class Photos(Dataset):
    def __init__(self, paths, labels):
        self.paths = paths
        self.labels = labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Resize(224)])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = cv2.imread(self.paths[index])
        image = cv2.resize(image, (224, 224))
        return self.transform(image), self.labels[index]


def train_photos(paths, labels, device):
    loader = DataLoader(Photos(paths, labels), batch_size=config["batch_size"], shuffle=True)
    model = Net(10).to(device)
    optimizer = optim.Adam(model.parameters(), lr=0.5)
    for images, targets in loader:
        images, targets = images.to(device), targets.to(device)
        loss = nn.functional.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()
        history.append(loss)


def train(device="cuda"):
    data = datasets.CIFAR10("data", train=True, transform=transforms.ToTensor())
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    model = Net(10).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=config["lr"], momentum=0.9)
    for epoch in range(10):
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
        print(epoch, accuracy(outputs, labels))


def evaluate(model, loader):
    for images, labels in loader:
        outputs = model(images)
        print(accuracy(outputs, labels))  # trainlint: ignore[ME002]


if __name__ == "__main__":
    train()
"""
HELPER = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = self.pool(x)
        return self.fc(torch.flatten(x, 1))


def accuracy(outputs, labels):
    return (outputs.argmax(1) == labels).float().mean()
"""
FILES = {"train.py": TRAIN, "helper.py": HELPER, "data.yaml": "batch_size: 32\nlr: 0.1\n", "trainlint.toml": ""}
NOTEBOOK = (
    "import torch\nfrom torch import nn, optim\nfrom helper import Net\n",
    "net = Net(10)\nopt = optim.Adam(net.parameters(), lr=0.5)\n",
    "%matplotlib inline\n!pip list\nx = torch.zeros(8, 3, 32, 32)\n",
    "for step in range(10):\n    loss = nn.functional.cross_entropy(net(x), torch.zeros(8).long())\n"
    "    loss.backward()\n    opt.step()\n",
    "print(net(x).shape, '\U0001f525')  # trainlint: ignore\n",
)
LINES = (
    "model.eval()",
    "optimizer.zero_grad()",
    "loss.backward()",
    "x = torch.relu(self.fc(x))",
    "images = images.permute(0, 2, 3, 1)",
    "batch_size = 4096",
    "self.late = nn.Linear(7, 2)",
    "history.append(loss.item())",
    "config['lr'] = 3",
    "with torch.no_grad():",
    "for image in images:",
    "if epoch == (",
    "text = '\U0001f525 half",
    "outputs = torch.softmax(outputs, dim=1)",
    "# a note \u00e9  # trainlint: ignore",
    "model.fc = nn.Linear(128, 5)",
    "global batch_size",
    "return loss",
    "def inner(a, b): return a @ b",
    "print(f'{loss:.3f}')",
    "train()",
    "import lightning",
    "lr = 0.1",
    "optimizer = optim.Adam(model.parameters(), lr=2.0)  # trainlint: ignore[LR004]",
)
BLOCKS = (
    "def extra(model, loader, optimizer):\n    for images, labels in loader:\n        model(images).sum().backward()\n"
    "        optimizer.step()\n\n\n",
    "class Other(nn.Module):\n    def __init__(self):\n        self.layer = nn.Linear(3, 4)\n\n"
    "    def forward(self, x):\n        return self.layer(x)\n\n\n",
    "try:\n    import numpy as np\nexcept ImportError:\n    np = None\n\n\n",
    "def main():\n    net = Net(3)\n    out = net(torch.zeros(2, 4, 8, 8))\n    train()\n\n\n",
)
CONFIGURATIONS = (
    "",
    'ignore = ["LP"]\n',
    'select = ["LR", "IM", "TR"]\n',
    'gpu-memory = "1GiB"\n',
    'gpu-memory = "4GiB"\nignore = ["IM001"]\n',
    'ignore = ["nonsense-here"]\n',
    "ignore = [\n",
)
SETTINGS = ({}, {}, {"lint": {"ignore": ["ME001"]}}, {"lint": {"ignore": ["LP001", "SH"]}})
