import math
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

config = {
    "patch_size": 4,
    "hidden_size": 48,
    "depth": 3,
    "heads": 4,
    "mlp_size": 4 * 48,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "init_std": 0.02,
    "image_size": 32,
    "num_classes": 10,
    "channels": 3,
    "qkv_bias": True,
}


class Patches(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.image_size = config["image_size"]
        self.patch_size = config["patch_size"]
        self.num_patches = (self.image_size // self.patch_size) ** 2
        self.projection = nn.Conv2d(config["channels"], config["hidden_size"], kernel_size=self.patch_size, stride=self.patch_size)

    def forward(self, x):
        x = self.projection(x)
        x = x.flatten(2).transpose(1, 2)
        return x


class Tokens(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.patches = Patches(config)
        self.cls_token = nn.Parameter(torch.randn(1, 1, config["hidden_size"]))
        self.pos = nn.Parameter(torch.randn(1, self.patches.num_patches + 1, config["hidden_size"]))
        self.dropout = nn.Dropout(config["dropout"])

    def forward(self, x):
        x = self.patches(x)
        batch_size, _, _ = x.size()
        cls_tokens = self.cls_token.expand(batch_size, -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x = x + self.pos
        return self.dropout(x)


class TanhGELU(nn.Module):
    def forward(self, input):
        return 0.5 * input * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (input + 0.044715 * torch.pow(input, 3.0))))


class SelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_heads = config["heads"]
        self.head_size = config["hidden_size"] // self.num_heads
        self.qkv = nn.Linear(config["hidden_size"], config["hidden_size"] * 3, bias=config["qkv_bias"])
        self.attn_dropout = nn.Dropout(config["attention_dropout"])
        self.out = nn.Linear(config["hidden_size"], config["hidden_size"])
        self.out_dropout = nn.Dropout(config["dropout"])

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = torch.chunk(self.qkv(x), 3, dim=-1)
        q = q.view(b, t, self.num_heads, self.head_size).transpose(1, 2)
        k = k.view(b, t, self.num_heads, self.head_size).transpose(1, 2)
        v = v.view(b, t, self.num_heads, self.head_size).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(-1, -2))
        scores = scores / math.sqrt(self.head_size)
        probs = nn.functional.softmax(scores, dim=-1)
        probs = self.attn_dropout(probs)
        out = torch.matmul(probs, v)
        out = out.transpose(1, 2).contiguous().view(b, t, c)
        return self.out_dropout(self.out(out))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = SelfAttention(config)
        self.norm1 = nn.LayerNorm(config["hidden_size"])
        self.mlp = nn.Sequential(
            nn.Linear(config["hidden_size"], config["mlp_size"]),
            TanhGELU(),
            nn.Linear(config["mlp_size"], config["hidden_size"]),
            nn.Dropout(config["dropout"]),
        )
        self.norm2 = nn.LayerNorm(config["hidden_size"])

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class ViT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = Tokens(config)
        self.encoder = nn.ModuleList([])
        for _ in range(config["depth"]):
            self.encoder.append(Block(config))
        self.classifier = nn.Linear(config["hidden_size"], config["num_classes"])
        self.apply(self._init_weights)

    def forward(self, x):
        x = self.embedding(x)
        for block in self.encoder:
            x = block(x)
        return self.classifier(x[:, 0, :])

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=self.config["init_std"])
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            module.bias.data.zero_()
            module.weight.data.fill_(1.0)


class RandomImages(Dataset):
    def __len__(self):
        return 256

    def __getitem__(self, i):
        return torch.randn(3, 32, 32), i % 10


class Trainer:
    def __init__(self, model, optimizer, loss_fn, exp_name, device):
        self.model = model.to(device)  # trainlint: ignore[DV001]
        self.optimizer = optimizer
        self.loss_fn = loss_fn
        self.exp_name = exp_name
        self.device = device

    def train(self, trainloader, epochs):
        train_losses = []
        for i in range(epochs):
            train_loss = self.train_epoch(trainloader)
            train_losses.append(train_loss)
            print(f"Epoch: {i + 1}, Train loss: {train_loss:.4f}")

    def train_epoch(self, trainloader):
        self.model.train()
        total_loss = 0
        for batch in trainloader:
            batch = [t.to(self.device) for t in batch]
            images, labels = batch
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            total_loss += loss.item() * len(images)
        return total_loss / len(trainloader.dataset)


def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainloader = DataLoader(RandomImages(), batch_size=16, shuffle=True)
    model = ViT(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), "vit", device=device)
    trainer.train(trainloader, 2)


if __name__ == "__main__":
    main()
