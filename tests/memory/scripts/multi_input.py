import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class ClickData(Dataset):
    def __init__(self, n=300):
        self.dense = torch.rand(n, 13)
        self.sparse = torch.randint(0, 100, (n, 6))
        self.click = torch.randint(0, 2, (n,)).float()
        self.dwell = torch.rand(n)

    def __len__(self):
        return len(self.dense)

    def __getitem__(self, i):
        return (self.dense[i], self.sparse[i]), (self.click[i], self.dwell[i])


class TwoHeads(nn.Module):
    def __init__(self, fields=6, vocab=100, dim=16):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(vocab, dim) for _ in range(fields)])
        self.bottom = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, dim), nn.ReLU())
        n = fields + 1
        self.register_buffer("tri", torch.triu_indices(n, n, offset=1))
        self.top = nn.Sequential(nn.Linear(n * (n - 1) // 2 + dim, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({"click": nn.Linear(64, 1), "dwell": nn.Linear(64, 1)})

    def forward(self, dense, sparse):
        d = self.bottom(dense)
        e = [table(sparse[:, i]) for i, table in enumerate(self.tables)]
        z = torch.stack([d] + e, dim=1)
        inter = torch.bmm(z, z.transpose(1, 2))
        flat = inter[:, self.tri[0], self.tri[1]]
        h = self.top(torch.cat([d, flat], dim=1))
        return {k: head(h).squeeze(-1) for k, head in self.heads.items()}


device = "cuda"
model = TwoHeads().to(device)
opt = torch.optim.Adam(model.parameters())
loader = DataLoader(ClickData(), batch_size=50, shuffle=True)
weights = {"click": 1.0, "dwell": 0.3}
losses = {"click": nn.BCEWithLogitsLoss(), "dwell": nn.HuberLoss()}
for epoch in range(4):
    for (dense, sparse), (click, dwell) in loader:
        dense, sparse = dense.to(device), sparse.to(device)
        targets = {"click": click.to(device), "dwell": dwell.to(device)}
        out = model(dense, sparse)
        loss = sum(weights[k] * losses[k](out[k], targets[k]) for k in out)
        opt.zero_grad()
        loss.backward()
        opt.step()
