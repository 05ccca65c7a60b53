"""Training scripts with planted mistakes, shared by the tests of the command line, the project and the server."""

from __future__ import annotations

# IM001 (no conversion from BGR), LR004 (0.5 for Adam), LP001 (gradients are never cleared)
BAD = """\
import cv2
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms


class Photos(Dataset):
    def __init__(self, paths, labels):
        self.paths = paths
        self.labels = labels
        self.transform = transforms.Compose([
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = cv2.imread(self.paths[index])
        image = cv2.resize(image, (224, 224))
        return self.transform(image), self.labels[index]


def train(paths, labels, device):
    loader = DataLoader(Photos(paths, labels), batch_size=64, shuffle=True, num_workers=4)
    model = models.resnet18(weights="IMAGENET1K_V1")
    model.fc = nn.Linear(512, 10)
    model.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.5)
    model.train()
    for epoch in range(5):
        for images, targets in loader:
            images, targets = images.to(device), targets.to(device)
            loss = criterion(model(images), targets)
            loss.backward()
            optimizer.step()
    return model
"""
CODES = ["IM001", "LP001", "LR004"]
PLANTED = set(CODES)
# one mistake only, on its second line
LR_ONLY = "from torch import nn, optim\nopt = optim.Adam(nn.Linear(4, 2).parameters(), lr=0.5)\n"

# one finding (LR004) behind characters that take 2 UTF-16 units and 4, 2, 3 bytes
EMOJI = """\
from torch import nn, optim

net = nn.Linear(4, 2)
s = "\U0001f525\u00e9\u6f22"; opt = optim.Adam(net.parameters(), lr=0.5)
"""

SMALL = """\
from torch import nn, optim

net = nn.Linear(4, 2)
opt = optim.Adam(net.parameters(), lr=0.5)
"""

# batch 32 and lr 0.1 in the last commit; LR001 speaks when only the batch changes
COMMITTED = """\
import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

batch_size = 32
lr = 0.1


def main():
    train_set = datasets.CIFAR10("data", train=True, transform=transforms.ToTensor())
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, num_workers=4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    model.train()
    for epoch in range(10):
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
"""

CELLS = (
    "from torch import nn, optim\nnet = nn.Linear(4, 2)\n",
    "%matplotlib inline\n!pip list\nx = 1\n",
    "y = 2\nopt = optim.Adam(net.parameters(), lr=0.5)\n",
)
