# 对比学习 (SimCLR)，两个视图
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, DataLoader


class TwoViews(Dataset):
    """每张图像返回两个增强视图"""

    def __init__(self, length=256, size=32):
        self.length = length
        self.size = size

    def __len__(self):
        return self.length

    def augment(self, img):
        if torch.rand(1).item() > 0.5:
            img = torch.flip(img, dims=[-1])
        return img + 0.1 * torch.randn_like(img)

    def __getitem__(self, idx):
        img = torch.rand(3, self.size, self.size)
        return self.augment(img), self.augment(img)


class Encoder(nn.Module):
    def __init__(self, dim=64, proj=32):
        super().__init__()
        channels = [3, 16, 32, dim]
        blocks = []
        for cin, cout in zip(channels[:-1], channels[1:]):
            blocks += [nn.Conv2d(cin, cout, 3, stride=2, padding=1), nn.GroupNorm(8, cout), nn.GELU()]
        self.backbone = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.projector = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, proj))

    def forward(self, x):
        h = self.backbone(x)
        return F.normalize(self.projector(h), dim=1)


def nt_xent(z1, z2, temperature=0.5):
    n = z1.size(0)
    z = torch.cat([z1, z2], dim=0)
    sim = torch.mm(z, z.t()) / temperature
    mask = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    sim = sim.masked_fill(mask, -1e9)
    targets = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(sim, targets)


class SimCLRTrainer:
    def __init__(self, batch_size=32, lr=3e-4, epochs=10):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.epochs = epochs
        self.loader = DataLoader(TwoViews(), batch_size=batch_size, shuffle=True, drop_last=True, pin_memory=True)
        self.model = Encoder().to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=1e-2)

    def _train_epoch(self, epoch):
        self.model.train()
        total = 0.0
        for step, (x1, x2) in enumerate(self.loader):
            x1 = x1.to(self.device, non_blocking=True)
            x2 = x2.to(self.device, non_blocking=True)
            z1, z2 = self.model(x1), self.model(x2)
            loss = nt_xent(z1, z2)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(self.loader)

    def train(self):
        for epoch in range(self.epochs):
            avg = self._train_epoch(epoch)
            print(f"第 {epoch} 轮: 损失 {avg:.4f}")


if __name__ == "__main__":
    trainer = SimCLRTrainer()
    trainer.train()
