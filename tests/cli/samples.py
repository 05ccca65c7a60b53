"""A training script with three planted bugs, and what is found in it."""

from __future__ import annotations

SCRIPT = """\
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
# one bug only, on its second line
LR_ONLY = "from torch import nn, optim\nopt = optim.Adam(nn.Linear(4, 2).parameters(), lr=0.5)\n"
