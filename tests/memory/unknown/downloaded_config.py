import torch
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("someone/model").cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
for _ in range(1000):
    ids = torch.randint(0, 30000, (16, 128)).cuda()
    loss = model(ids, labels=torch.zeros(16, dtype=torch.long).cuda()).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
