"""Loops that take a tensor apart: over numbers, over the rows of what a layer gives, over the images of a batch."""

import torch
import torch.nn as nn

model = nn.Linear(32, 32).cuda()
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
weights = torch.linspace(0.0, 3.0, 4)
for step in range(10):
    batch = torch.randn(16, 640, 32).cuda()
    out = model(batch)
    loss = 0
    for weight in weights:
        loss = loss + (out * weight).mean()
    kept = []
    for row in out:
        kept.append(row.relu())
    for image in batch:
        image = torch.unsqueeze(image.data, 0)
        kept.append(image[0] * 2)
    loss = loss + torch.stack(kept).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
