# depthwise blocks with squeeze-and-excitation, module-level script
import torch
import torch.nn as nn
import torchvision
from torchvision import transforms

batch_size = 16
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def round_to(v, unit=8):
    r = max(unit, int(v + unit / 2) // unit * unit)
    return r + unit if r < 0.9 * v else r


class Gate(nn.Module):
    def __init__(self, ch, reduction=4):
        super().__init__()
        mid = round_to(ch // reduction)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.mlp = nn.Sequential(nn.Linear(ch, mid), nn.ReLU(inplace=True), nn.Linear(mid, ch), nn.Hardsigmoid())

    def forward(self, x):
        b, c, _, _ = x.size()
        w = self.mlp(self.pool(x).view(b, c)).view(b, c, 1, 1)
        return x * w


class MobileBlock(nn.Module):
    def __init__(self, inp, mid, out, k, stride, gate, swish):
        super().__init__()
        assert stride in (1, 2)
        self.shortcut = stride == 1 and inp == out
        act = nn.Hardswish if swish else nn.ReLU
        layers = []
        if inp != mid:
            layers += [nn.Conv2d(inp, mid, 1, bias=False), nn.BatchNorm2d(mid), act(inplace=True)]
        layers += [
            nn.Conv2d(mid, mid, k, stride, (k - 1) // 2, groups=mid, bias=False),
            nn.BatchNorm2d(mid),
            Gate(mid) if gate else nn.Identity(),
            act(),
            nn.Conv2d(mid, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        if self.shortcut:
            return x + self.conv(x)
        return self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, table, num_classes=100, width=1.0):
        super().__init__()
        ch = round_to(16 * width)
        layers = [nn.Sequential(nn.Conv2d(3, ch, 3, 2, 1, bias=False), nn.BatchNorm2d(ch), nn.Hardswish())]
        for k, t, c, gate, swish, s in table:
            out, mid = round_to(c * width), round_to(ch * t)
            layers.append(MobileBlock(ch, mid, out, k, s, gate, swish))
            ch = out
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Sequential(nn.Linear(ch, 128), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(128, num_classes))

    def forward(self, x):
        x = self.avgpool(self.features(x))
        x = x.view(x.size(0), -1)
        return self.classifier(x)


# kernel, expansion, channels, gate, hard swish, stride
small = [
    [3, 1, 16, 1, 0, 2],
    [3, 4.5, 24, 0, 0, 2],
    [3, 3.67, 24, 0, 0, 1],
    [5, 4, 40, 1, 1, 1],
    [5, 6, 40, 1, 1, 1],
]

trainset = torchvision.datasets.CIFAR100(
    root="./data", train=True, download=True,
    transform=transforms.Compose([
        transforms.Resize(64), transforms.RandomCrop(64, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
        transforms.Normalize(mean=[0.5, 0.49, 0.44], std=[0.27, 0.26, 0.28]),
    ]),
)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=batch_size, shuffle=True, num_workers=2)

net = MobileNet(small)
net.to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.05, alpha=0.9, momentum=0.9, weight_decay=1e-5)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.973)

for epoch in range(200):
    running = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
        if i % 200 == 199:
            print("[%d, %5d] loss: %.3f" % (epoch + 1, i + 1, running / 200))
            running = 0.0
    scheduler.step()
