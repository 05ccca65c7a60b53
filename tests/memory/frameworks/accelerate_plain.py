import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

accelerator = Accelerator()
net = accelerator.prepare(nn.Linear(8, 4))
optimizer = accelerator.prepare(torch.optim.SGD(net.parameters(), lr=0.1))
data = TensorDataset(torch.randn(48, 8), torch.randint(0, 4, (48,)))
loader = accelerator.prepare(DataLoader(data, batch_size=8))
for x, y in loader:
    optimizer.zero_grad()
    accelerator.backward(F.cross_entropy(net(x), y))
    optimizer.step()
