import torch
import torch.nn as nn
import torch.nn.functional as F


class TextCNN(nn.Module):
    def __init__(self, vocab, dim=32, n_filters=24, sizes=(3, 4, 5), classes=4, dropout=0.5):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList([nn.Conv2d(1, n_filters, (k, dim)) for k in sizes])
        self.fc = nn.Linear(len(sizes) * n_filters, classes)
        self.dropout = nn.Dropout(dropout)

    def conv_and_pool(self, x, conv):
        x = F.relu(conv(x)).squeeze(3)
        x = F.max_pool1d(x, x.size(2)).squeeze(2)
        return x

    def forward(self, x):
        out = self.embedding(x)
        out = out.unsqueeze(1)
        out = torch.cat([self.conv_and_pool(out, conv) for conv in self.convs], 1)
        out = self.dropout(out)
        return self.fc(out)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
X = torch.randint(0, 800, (512, 40))
Y = torch.randint(0, 4, (512,))
train_iter = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=32, shuffle=True)
model = TextCNN(800).to(device)
opt = torch.optim.Adam([{"params": model.embedding.parameters(), "lr": 1e-4}, {"params": model.convs.parameters()},
                        {"params": model.fc.parameters()}], lr=1e-3)
total_batch = 0
best = float("inf")
flag = False
for epoch in range(20):
    for i, (trains, labels) in enumerate(train_iter):
        trains = trains.to(device)
        labels = labels.to(device)
        outputs = model(trains)
        model.zero_grad()
        loss = F.cross_entropy(outputs, labels)
        loss.backward()
        opt.step()
        if total_batch % 100 == 0:
            true = labels.data.cpu()
            predic = torch.max(outputs.data, 1)[1].cpu()
            print(total_batch, loss.item(), (true == predic).float().mean())
        total_batch += 1
        if total_batch > 1000:
            flag = True
            break
    if flag:
        break
