import random
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader


class TripletDataset(Dataset):
    def __init__(self, images, labels):
        self.images = images
        self.labels = labels
        self.by_label = {c: [i for i, l in enumerate(labels.tolist()) if l == c] for c in range(10)}

    def __getitem__(self, i):
        anchor = self.images[i]
        c = int(self.labels[i])
        pos = self.images[random.choice(self.by_label[c])]
        neg = self.images[random.randrange(len(self.images))]
        return anchor, pos, neg

    def __len__(self):
        return len(self.images)


class EmbeddingNet(nn.Module):
    def __init__(self, emb_dim=64):
        super().__init__()
        self.convnet = nn.Sequential(
            nn.Conv2d(1, 32, 5), nn.PReLU(), nn.MaxPool2d(2, stride=2), nn.Conv2d(32, 64, 5), nn.PReLU(), nn.MaxPool2d(2, stride=2)
        )
        self.fc = nn.Sequential(nn.Linear(64 * 4 * 4, 256), nn.PReLU(), nn.Linear(256, emb_dim))

    def forward(self, x):
        out = self.convnet(x)
        out = out.view(out.size()[0], -1)
        return self.fc(out)


class TripletNet(nn.Module):
    def __init__(self, embedding_net):
        super().__init__()
        self.embedding_net = embedding_net

    def forward(self, x1, x2, x3):
        return self.embedding_net(x1), self.embedding_net(x2), self.embedding_net(x3)


images = torch.rand(200, 1, 28, 28)
labels = torch.randint(0, 10, (200,))
loader = DataLoader(TripletDataset(images, labels), batch_size=16, shuffle=True)
model = TripletNet(EmbeddingNet())
model.cuda()
loss_fn = nn.TripletMarginLoss(margin=1.0)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
losses = []
for epoch in range(20):
    for anchor, positive, negative in loader:
        anchor, positive, negative = anchor.cuda(), positive.cuda(), negative.cuda()
        optimizer.zero_grad()
        a, p, n = model(anchor, positive, negative)
        loss = loss_fn(a, p, n)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    print("epoch", epoch, sum(losses) / len(losses))
