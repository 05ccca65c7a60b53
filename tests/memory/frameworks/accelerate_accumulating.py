import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

accelerator = Accelerator(gradient_accumulation_steps=3)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.AdamW(net.parameters())
data = TensorDataset(torch.randn(48, 8), torch.randint(0, 4, (48,)))
net, optimizer, loader = accelerator.prepare(net, optimizer, DataLoader(data, batch_size=8))
for x, y in loader:
    with accelerator.accumulate(net):
        loss = F.cross_entropy(net(x), y)
        accelerator.backward(loss)
        if accelerator.sync_gradients:
            accelerator.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
