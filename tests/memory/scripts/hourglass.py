"""Stacked hourglass for keypoints, intermediate supervision."""

import argparse
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--stacks", type=int, default=2)
    p.add_argument("--features", type=int, default=32)
    p.add_argument("--joints", type=int, default=16)
    p.add_argument("-b", "--batch", dest="bs", default=8, type=int)
    p.add_argument("--lr", default=2.5e-4, type=float)
    return p.parse_args()


class Joints(Dataset):
    def __init__(self, n=5000, joints=16):
        self.n = n
        self.joints = joints

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return {"image": torch.rand(3, 64, 64), "heat": torch.zeros(self.joints, 16, 16), "id": i}


class Residual(nn.Module):
    def __init__(self, inp, out):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inp), nn.Conv2d(inp, out // 2, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(out // 2), nn.Conv2d(out // 2, out // 2, 3, padding=1)
        self.bn3, self.conv3 = nn.BatchNorm2d(out // 2), nn.Conv2d(out // 2, out, 1)
        self.relu = nn.ReLU()
        self.skip = nn.Conv2d(inp, out, 1) if inp != out else None

    def forward(self, x):
        res = x if self.skip is None else self.skip(x)
        out = self.conv1(self.relu(self.bn1(x)))
        out = self.conv2(self.relu(self.bn2(out)))
        out = self.conv3(self.relu(self.bn3(out)))
        return out + res


class Hourglass(nn.Module):
    def __init__(self, n, f):
        super().__init__()
        self.up1 = Residual(f, f)
        self.pool = nn.MaxPool2d(2, 2)
        self.low1 = Residual(f, f)
        self.low2 = Hourglass(n - 1, f) if n > 1 else Residual(f, f)
        self.low3 = Residual(f, f)
        self.up2 = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        up1 = self.up1(x)
        low = self.low3(self.low2(self.low1(self.pool(x))))
        return up1 + self.up2(low)


class PoseNet(nn.Module):
    def __init__(self, nstack, f, joints):
        super().__init__()
        self.nstack = nstack
        self.pre = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            Residual(64, 64),
            nn.MaxPool2d(2, 2),
            Residual(64, 64),
            Residual(64, f),
        )
        self.hgs = nn.ModuleList([nn.Sequential(Hourglass(3, f)) for _ in range(nstack)])
        self.features = nn.ModuleList(
            [nn.Sequential(Residual(f, f), nn.Conv2d(f, f, 1), nn.BatchNorm2d(f), nn.ReLU(True)) for _ in range(nstack)]
        )
        self.outs = nn.ModuleList([nn.Conv2d(f, joints, 1) for _ in range(nstack)])
        self.merge_features = nn.ModuleList([nn.Conv2d(f, f, 1) for _ in range(nstack - 1)])
        self.merge_preds = nn.ModuleList([nn.Conv2d(joints, f, 1) for _ in range(nstack - 1)])

    def forward(self, imgs):
        x = self.pre(imgs)
        combined = []
        for i in range(self.nstack):
            hg = self.hgs[i](x)
            feature = self.features[i](hg)
            preds = self.outs[i](feature)
            combined.append(preds)
            if i < self.nstack - 1:
                x = x + self.merge_preds[i](preds) + self.merge_features[i](feature)
        return torch.stack(combined, 1)


def heat_loss(pred, gt):
    return ((pred - gt) ** 2).mean(dim=(1, 2, 3))


def main():
    args = get_args()
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    net = PoseNet(args.stacks, args.features, args.joints).to(dev)
    opt = torch.optim.RMSprop(net.parameters(), lr=args.lr)
    loader = DataLoader(Joints(joints=args.joints), batch_size=args.bs, shuffle=True, drop_last=True)
    for epoch in range(10):
        net.train()
        for batch in loader:
            img, heat = batch["image"].to(dev), batch["heat"].to(dev)
            preds = net(img)
            loss = torch.stack([heat_loss(preds[:, i], heat) for i in range(args.stacks)], dim=1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()


if __name__ == "__main__":
    main()
