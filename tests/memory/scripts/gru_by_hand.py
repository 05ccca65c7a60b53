import torch
import torch.nn as nn

device = torch.device("cuda")


class GRUCell(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.W = nn.Linear(n_in, 3 * n_hidden)
        self.U = nn.Linear(n_hidden, 3 * n_hidden)
        self.n_hidden = n_hidden

    def forward(self, x, h):
        xr, xz, xn = self.W(x).chunk(3, dim=-1)
        hr, hz, hn = self.U(h).chunk(3, dim=-1)
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * n + z * h


class CharModel(nn.Module):
    def __init__(self, vocab, n_hidden=64):
        super().__init__()
        self.embed = nn.Embedding(vocab, n_hidden)
        self.cell = GRUCell(n_hidden, n_hidden)
        self.out = nn.Linear(n_hidden, vocab)
        self.n_hidden = n_hidden

    def forward(self, x, h=None):
        B, T = x.shape
        if h is None:
            h = torch.zeros(B, self.n_hidden, device=x.device)
        e = self.embed(x)
        outs = []
        for t in range(T):
            h = self.cell(e[:, t], h)
            outs.append(self.out(h))
        return torch.stack(outs, dim=1), h


text = torch.randint(0, 65, (20000,))
model = CharModel(65).to(device)
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
seq_len, batch_size = 20, 16

for step in range(1000):
    ix = torch.randint(len(text) - seq_len - 1, (batch_size,))
    x = torch.stack([text[i:i + seq_len] for i in ix]).to(device)
    y = torch.stack([text[i + 1:i + seq_len + 1] for i in ix]).to(device)
    logits, _ = model(x)
    loss = criterion(logits.view(-1, 65), y.view(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
