import torch
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        return self._norm(x.float()).type_as(x) * self.weight


class SwiGLU(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.w1, self.w2, self.w3 = (nn.Linear(d, h, bias=False), nn.Linear(h, d, bias=False), nn.Linear(d, h, bias=False))

    def forward(self, x):
        return self.w2(nn.functional.silu(self.w1(x)) * self.w3(x))


class Net(nn.Module):
    def __init__(self, v=256, d=64, n=3):
        super().__init__()
        self.tok = nn.Embedding(v, d)
        self.blocks = nn.ModuleList([nn.ModuleList([RMSNorm(d), SwiGLU(d, 176)]) for _ in range(n)])
        self.norm = RMSNorm(d)
        self.out = nn.Linear(d, v, bias=False)

    def forward(self, ids):
        h = self.tok(ids)
        for norm, ff in self.blocks:
            h = h + ff(norm(h))
        return self.out(self.norm(h))


model = Net().to("cuda", dtype=torch.bfloat16)
opt = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1)
for step in range(200):
    ids = torch.randint(0, 256, (4, 65), device="cuda")
    logits = model(ids[:, :-1])
    loss = nn.functional.cross_entropy(logits.float().reshape(-1, 256), ids[:, 1:].reshape(-1))
    loss.backward()
    opt.step()
    opt.zero_grad(set_to_none=False)
