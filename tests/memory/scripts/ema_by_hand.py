import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EMA:
    def __init__(self, model, decay):
        self.decay = decay
        self.shadow = {}
        for name, param in model.named_parameters():
            if param.requires_grad:
                self.shadow[name] = param.data.clone()

    def update(self, model):
        for name, param in model.named_parameters():
            if param.requires_grad:
                self.shadow[name] = self.decay * self.shadow[name] + (1 - self.decay) * param.data


device = "cuda"
model = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1000)).to(device)
ema = EMA(model, 0.999)
ds = TensorDataset(torch.randn(128, 3, 16, 16), torch.randint(0, 1000, (128,)))
loader = DataLoader(ds, batch_size=32, shuffle=True)
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
crit = nn.CrossEntropyLoss()
for x, y in loader:
    x, y = x.to(device), y.to(device)
    loss = crit(model(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update(model)
