import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def conv_bn(i, o, s=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Teacher(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = nn.Sequential(conv_bn(3, 64), conv_bn(64, 64), nn.MaxPool2d(2), conv_bn(64, 128), conv_bn(128, 128), nn.MaxPool2d(2))
        self.head = nn.Linear(128, num_classes)

    def forward(self, x):
        x = self.layers(x)
        x = F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)
        return self.head(x)


class Student(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = nn.Sequential(conv_bn(3, 16, 2), conv_bn(16, 32, 2))
        self.head = nn.Linear(32, num_classes)

    def forward(self, x):
        x = self.layers(x)
        return self.head(x.mean([2, 3]))


def kd_loss(student_logits, teacher_logits, labels, T=4.0, alpha=0.9):
    soft = F.kl_div(F.log_softmax(student_logits / T, dim=1), F.softmax(teacher_logits / T, dim=1), reduction="batchmean") * T * T
    hard = F.cross_entropy(student_logits, labels)
    return alpha * soft + (1 - alpha) * hard


def get_loader(batch_size):
    tf = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.ToTensor()])
    ds = datasets.CIFAR10("./data", train=True, transform=tf, download=True)
    return DataLoader(ds, batch_size=batch_size, shuffle=True, num_workers=4)


def train_one_epoch(student, teacher, loader, optimizer, device):
    student.train()
    teacher.eval()
    loss_sum = 0.0
    for images, labels in loader:
        images = images.to(device)
        labels = labels.to(device)
        with torch.no_grad():
            t_logits = teacher(images)
        s_logits = student(images)
        loss = kd_loss(s_logits, t_logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach().item()
    return loss_sum / len(loader)


def main():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = Teacher().to(device)
    for p in teacher.parameters():
        p.requires_grad = False
    student = Student().to(device)
    loader = get_loader(batch_size=32)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(3):
        print(train_one_epoch(student, teacher, loader, optimizer, device))


main()
