import torch
import torch.nn as nn
from torch.utils.checkpoint import checkpoint


class Layer(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.SiLU(), nn.Linear(4 * d, d))

    def forward(self, x):
        h = self.norm(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.mlp(x)


class Model(nn.Module):
    def __init__(self, depth=4, d=64):
        super().__init__()
        self.inp = nn.Linear(16, d)
        self.layers = nn.ModuleList([Layer(d) for _ in range(depth)])
        self.out = nn.Linear(d, 8)
        self.gradient_checkpointing = True

    def forward(self, x):
        x = self.inp(x)
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(layer, x, use_reentrant=False)
            else:
                x = layer(x)
        return self.out(x)


model = Model().to("cuda")
opt = torch.optim.AdamW(model.parameters(), lr=3e-4)
for it in range(50):
    x = torch.randn(8, 64, 16).to("cuda")
    target = torch.randint(0, 8, (8, 64)).to("cuda")
    opt.zero_grad()
    loss = nn.functional.cross_entropy(model(x).transpose(1, 2), target)
    loss.backward()
    opt.step()
