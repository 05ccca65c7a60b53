"""Fine-tunes a pretrained ResNet-18 on CIFAR-10."""

import argparse

import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import models, transforms

from dataset import CifarFolder


class Classifier(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.backbone = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
        self.backbone.fc = nn.Linear(512, num_classes)

    def forward(self, x):
        x = self.backbone(x)
        return torch.softmax(x, dim=1)


def get_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data/cifar10")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=10)
    return parser.parse_args()


def get_loaders(args):
    normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    train_transform = transforms.Compose([transforms.ToTensor(), transforms.RandomHorizontalFlip(), normalize])
    test_transform = transforms.Compose([transforms.ToTensor(), normalize])
    train_set = CifarFolder(args.data, "train", train_transform)
    test_set = CifarFolder(args.data, "test", test_transform)
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True, num_workers=4)
    test_loader = DataLoader(test_set, batch_size=256, num_workers=4)
    return train_loader, test_loader


def evaluate(model, loader, device):
    model.eval()
    correct = 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        outputs = model(images)
        correct += (outputs.argmax(dim=1) == labels).sum().item()
    return correct / len(loader.dataset)


def main():
    args = get_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader, test_loader = get_loaders(args)
    model = Classifier().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=args.lr)

    model.train()
    for epoch in range(args.epochs):
        losses = []
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss)
        accuracy = evaluate(model, test_loader, device)
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
