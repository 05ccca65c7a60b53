import torch
import torch.nn as nn


class Embeddings(nn.Module):
    def __init__(self, vocab, maxlen, segs, d):
        super().__init__()
        self.tok, self.pos, self.seg = nn.Embedding(vocab, d), nn.Embedding(maxlen, d), nn.Embedding(segs, d)
        self.norm = nn.LayerNorm(d)

    def forward(self, x, seg):
        pos = torch.arange(x.size(1), dtype=torch.long, device=x.device).unsqueeze(0).expand_as(x)
        return self.norm(self.tok(x) + self.pos(pos) + self.seg(seg))


class BERT(nn.Module):
    def __init__(self, vocab=300, d=48, heads=4, layers=2, maxlen=64):
        super().__init__()
        self.embedding = Embeddings(vocab, maxlen, 2, d)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(
            d, heads, dim_feedforward=4 * d, dropout=0.1, activation="gelu", batch_first=True), num_layers=layers)
        self.pool = nn.Linear(d, d)
        self.activ1 = nn.Tanh()
        self.linear = nn.Linear(d, d)
        self.activ2 = nn.GELU()
        self.norm = nn.LayerNorm(d)
        self.classifier = nn.Linear(d, 2)
        self.decoder = nn.Linear(d, vocab, bias=False)
        self.decoder.weight = self.embedding.tok.weight
        self.decoder_bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, ids, seg, masked_pos):
        pad = ids.eq(0)
        out = self.encoder(self.embedding(ids, seg), src_key_padding_mask=pad)
        pooled = self.activ1(self.pool(out[:, 0]))
        logits_clsf = self.classifier(pooled)
        masked_pos = masked_pos[:, :, None].expand(-1, -1, out.size(-1))
        h_masked = torch.gather(out, 1, masked_pos)
        h_masked = self.norm(self.activ2(self.linear(h_masked)))
        logits_lm = self.decoder(h_masked) + self.decoder_bias
        return logits_lm, logits_clsf


device = torch.device("cuda")
model = BERT().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for epoch in range(50):
    ids = torch.randint(1, 300, (6, 40), device=device)
    seg = torch.randint(0, 2, (6, 40), device=device)
    pos = torch.randint(0, 40, (6, 5), device=device)
    masked_tokens = torch.randint(1, 300, (6, 5), device=device)
    is_next = torch.randint(0, 2, (6,), device=device)
    optimizer.zero_grad()
    logits_lm, logits_clsf = model(ids, seg, pos)
    loss_lm = criterion(logits_lm.transpose(1, 2), masked_tokens)
    loss_lm = (loss_lm.float()).mean()
    loss_clsf = criterion(logits_clsf, is_next)
    loss = loss_lm + loss_clsf
    if (epoch + 1) % 10 == 0:
        print("Epoch:", "%04d" % (epoch + 1), "cost =", "{:.6f}".format(loss))
    loss.backward()
    optimizer.step()
