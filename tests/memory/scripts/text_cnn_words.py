"""Text classification from raw strings: build vocab, pad, CNN. (course homework)"""
import re
from collections import Counter, defaultdict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

POS = ["the movie was wonderful and moving", "a great cast and a great story", "i loved every minute of it"]
NEG = ["the plot was thin and boring", "a terrible waste of time", "i hated the acting and the music"]
texts = (POS + NEG) * 200
labels = ([1] * len(POS) + [0] * len(NEG)) * 200
MAX_LEN = 16


def tokenize(s):
    return s.lower().split()


word2idx = {"<pad>": 0, "<unk>": 1}
for sent in POS + NEG:
    for w in tokenize(sent):
        if w not in word2idx:
            word2idx[w] = len(word2idx)


def encode(s):
    ids = [word2idx.get(w, 1) for w in tokenize(s)][:MAX_LEN]
    return ids + [0] * (MAX_LEN - len(ids))


class ReviewDataset(Dataset):
    def __init__(self, texts, labels):
        self.X = [encode(t) for t in texts]
        self.y = labels

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return torch.LongTensor(self.X[i]), self.y[i]


class TextCNN(nn.Module):
    def __init__(self, vocab_size, emb_dim=300, n_filters=100, filter_sizes=(3, 4, 5), n_classes=2, p=0.5):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, emb_dim, padding_idx=0)
        self.convs = nn.ModuleList([nn.Conv1d(emb_dim, n_filters, k) for k in filter_sizes])
        self.fc = nn.Linear(n_filters * len(filter_sizes), n_classes)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        e = self.emb(x).permute(0, 2, 1)
        pooled = [F.max_pool1d(F.relu(c(e)), e.shape[2] - c.kernel_size[0] + 1).squeeze(2) for c in self.convs]
        return self.fc(self.drop(torch.cat(pooled, dim=1)))


device = "cuda" if torch.cuda.is_available() else "cpu"
ds = ReviewDataset(texts, labels)
dl = DataLoader(ds, batch_size=50, shuffle=True)
net = TextCNN(len(word2idx)).to(device)
opt = torch.optim.Adadelta(net.parameters(), lr=1.0, rho=0.95)
best = 0
for ep in range(5):
    tot, correct = 0.0, 0
    for xb, yb in dl:
        xb, yb = xb.to(device), yb.to(device)
        out = net(xb)
        loss = F.cross_entropy(out, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        tot += loss.item() * len(yb)
        correct += (out.argmax(-1) == yb).sum().item()
    acc = correct / len(ds)
    if acc > best:
        best = acc
    print(f"ep {ep} loss {tot / len(ds):.3f} acc {acc:.3f}")
