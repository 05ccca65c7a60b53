"""Training and validation in one loop over phases, with the best weights so far kept beside the model."""

import copy
from functools import wraps

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

NUM_CLASSES = 12


def once(name):
    def around(function):
        @wraps(function)
        def wrapper(self, *args, **kwargs):
            made = getattr(self, name)
            if made is not None:
                return made
            made = function(self, *args, **kwargs)
            setattr(self, name, made)
            return made

        return wrapper

    return around


class PreAct(nn.Module):
    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.bn = nn.BatchNorm2d(inside)
        self.conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False))

    def forward(self, x):
        out = F.relu(self.bn(x))
        rest = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv(out)
        out += rest
        return out


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), PreAct(24, 24), PreAct(24, 48, 2), PreAct(48, 48))
        self.head = nn.Linear(48, NUM_CLASSES)
        self.teacher = None
        self.teacher = self.make_teacher()

    @once("teacher")
    def make_teacher(self):
        twin = copy.deepcopy(self.trunk)
        for p in twin.parameters():
            p.requires_grad = False
        return twin

    def forward(self, x):
        here = self.trunk(x).mean((2, 3))
        with torch.no_grad():
            there = self.make_teacher()(x).mean((2, 3))
        return self.head(here), F.mse_loss(here, there)


def make_loader(n, shuffle):
    return DataLoader(TensorDataset(torch.randn(n, 3, 32, 32), torch.randint(0, NUM_CLASSES, (n,))), 16, shuffle=shuffle)


device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
dataloaders = {phase: make_loader(64, shuffle=phase == "train") for phase in ["train", "val"]}
model = Student().to(device)
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
criterion = nn.CrossEntropyLoss()


def train_model(model, num_epochs=3):
    best_wts = copy.deepcopy(model.state_dict())
    best_acc = 0.0
    for epoch in range(num_epochs):
        for phase in ["train", "val"]:
            if phase == "train":
                model.train()
            else:
                model.eval()
            running_corrects = 0
            for inputs, labels in dataloaders[phase]:
                inputs = inputs.to(device)
                labels = labels.to(device)
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs, gap = model(inputs)
                    loss = criterion(outputs, labels) + 0.1 * gap
                    _, preds = torch.max(outputs, 1)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_corrects += torch.sum(preds == labels.data)
            acc = running_corrects.double() / 64
            if phase == "val" and acc > best_acc:
                best_acc = acc
                best_wts = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_wts)
    return model


model = train_model(model)
