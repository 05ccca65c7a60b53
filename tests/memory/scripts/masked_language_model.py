import math
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset, DataLoader

config = dict(
    vocab_size=2000, hidden_size=64, num_layers=2, num_heads=4, intermediate=256,
    max_len=48, dropout=0.1, batch_size=16, lr=1e-4, warmup=1000, total=20000,
)


class MaskedTextDataset(Dataset):
    def __init__(self, n, max_len, vocab):
        self.ids = torch.randint(5, vocab, (n, max_len))
        self.max_len = max_len

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        ids = self.ids[i].clone()
        labels = ids.clone()
        mask = torch.rand(self.max_len) < 0.15
        labels[~mask] = -100
        ids[mask] = 4
        attention_mask = torch.ones(self.max_len, dtype=torch.long)
        return {"input_ids": ids, "attention_mask": attention_mask, "labels": labels}


class BertEmbeddings(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.word = nn.Embedding(cfg["vocab_size"], cfg["hidden_size"], padding_idx=0)
        self.position = nn.Embedding(cfg["max_len"], cfg["hidden_size"])
        self.token_type = nn.Embedding(2, cfg["hidden_size"])
        self.norm = nn.LayerNorm(cfg["hidden_size"], eps=1e-12)
        self.drop = nn.Dropout(cfg["dropout"])
        self.register_buffer("position_ids", torch.arange(cfg["max_len"]).expand((1, -1)))

    def forward(self, input_ids):
        seq_length = input_ids.size(1)
        position_ids = self.position_ids[:, :seq_length]
        token_type_ids = torch.zeros_like(input_ids)
        e = self.word(input_ids) + self.position(position_ids) + self.token_type(token_type_ids)
        return self.drop(self.norm(e))


class SelfAttention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.num_heads = cfg["num_heads"]
        self.head_size = cfg["hidden_size"] // cfg["num_heads"]
        self.query = nn.Linear(cfg["hidden_size"], cfg["hidden_size"])
        self.key = nn.Linear(cfg["hidden_size"], cfg["hidden_size"])
        self.value = nn.Linear(cfg["hidden_size"], cfg["hidden_size"])
        self.out = nn.Linear(cfg["hidden_size"], cfg["hidden_size"])
        self.norm = nn.LayerNorm(cfg["hidden_size"], eps=1e-12)
        self.drop = nn.Dropout(cfg["dropout"])

    def transpose_for_scores(self, x):
        new_shape = x.size()[:-1] + (self.num_heads, self.head_size)
        x = x.view(*new_shape)
        return x.permute(0, 2, 1, 3)

    def forward(self, hidden, mask):
        q = self.transpose_for_scores(self.query(hidden))
        k = self.transpose_for_scores(self.key(hidden))
        v = self.transpose_for_scores(self.value(hidden))
        scores = torch.matmul(q, k.transpose(-1, -2))
        scores = scores / math.sqrt(self.head_size)
        scores = scores + mask
        probs = nn.Softmax(dim=-1)(scores)
        probs = self.drop(probs)
        ctx = torch.matmul(probs, v)
        ctx = ctx.permute(0, 2, 1, 3).contiguous()
        ctx = ctx.view(*(ctx.size()[:-2] + (self.num_heads * self.head_size,)))
        return self.norm(self.drop(self.out(ctx)) + hidden)


class Layer(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.attention = SelfAttention(cfg)
        self.intermediate = nn.Linear(cfg["hidden_size"], cfg["intermediate"])
        self.act = nn.GELU()
        self.output = nn.Linear(cfg["intermediate"], cfg["hidden_size"])
        self.norm = nn.LayerNorm(cfg["hidden_size"], eps=1e-12)
        self.drop = nn.Dropout(cfg["dropout"])

    def forward(self, x, mask):
        x = self.attention(x, mask)
        h = self.act(self.intermediate(x))
        return self.norm(self.drop(self.output(h)) + x)


class BertForMaskedLM(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.embeddings = BertEmbeddings(cfg)
        self.encoder = nn.ModuleList([Layer(cfg) for _ in range(cfg["num_layers"])])
        self.transform = nn.Sequential(nn.Linear(cfg["hidden_size"], cfg["hidden_size"]), nn.GELU(), nn.LayerNorm(cfg["hidden_size"]))
        self.decoder = nn.Linear(cfg["hidden_size"], cfg["vocab_size"], bias=False)
        self.bias = nn.Parameter(torch.zeros(cfg["vocab_size"]))
        self.decoder.weight = self.embeddings.word.weight

    def forward(self, input_ids, attention_mask):
        mask = attention_mask[:, None, None, :].to(dtype=torch.float32)
        mask = (1.0 - mask) * -10000.0
        x = self.embeddings(input_ids)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.decoder(self.transform(x)) + self.bias


def get_scheduler(optimizer, warmup, total):
    def lr_lambda(step):
        if step < warmup:
            return float(step) / float(max(1, warmup))
        return max(0.0, float(total - step) / float(max(1, total - warmup)))
    return LambdaLR(optimizer, lr_lambda)


def train():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = MaskedTextDataset(5000, config["max_len"], config["vocab_size"])
    loader = DataLoader(dataset, batch_size=config["batch_size"], shuffle=True, num_workers=4, drop_last=True)
    model = BertForMaskedLM(config)
    model.to(device)
    no_decay = ["bias", "norm.weight"]
    groups = [
        {"params": [p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.01},
        {"params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups, lr=config["lr"], eps=1e-8)
    scheduler = get_scheduler(optimizer, config["warmup"], config["total"])
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    model.train()
    for epoch in range(10):
        for batch in loader:
            batch = {k: v.to(device) for k, v in batch.items()}
            logits = model(batch["input_ids"], batch["attention_mask"])
            loss = criterion(logits.view(-1, config["vocab_size"]), batch["labels"].view(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            model.zero_grad()
        print(epoch, loss.item())


if __name__ == "__main__":
    train()
