import torch
from einops import rearrange, repeat
from einops.layers.torch import Rearrange
from torch import einsum, nn
from torch.utils.data import DataLoader, TensorDataset


class MLP(nn.Module):
    def __init__(self, dim, hidden, p=0.1):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(p), nn.Linear(hidden, dim), nn.Dropout(p))

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=4, dim_head=16, p=0.1):
        super().__init__()
        inner = dim_head * heads
        self.heads, self.scale = heads, dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, inner * 3, bias=False)
        self.attend = nn.Softmax(dim=-1)
        self.drop = nn.Dropout(p)
        self.to_out = nn.Linear(inner, dim) if not (heads == 1 and dim_head == dim) else nn.Identity()

    def forward(self, x):
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = map(lambda t: rearrange(t, "b n (h d) -> b h n d", h=self.heads), qkv)
        att = self.drop(self.attend(einsum("b h i d, b h j d -> b h i j", q, k) * self.scale))
        out = rearrange(einsum("b h i j, b h j d -> b h i d", att, v), "b h n d -> b n (h d)")
        return self.to_out(out)


class ViT(nn.Module):
    def __init__(self, *, image=32, patch=8, classes=10, dim=64, depth=2, pool="cls"):
        super().__init__()
        assert image % patch == 0, "patches must tile the image"
        n, patch_dim = (image // patch) ** 2, 3 * patch**2
        self.embed = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch, p2=patch),
            nn.LayerNorm(patch_dim), nn.Linear(patch_dim, dim), nn.LayerNorm(dim),
        )
        self.pos = nn.Parameter(torch.randn(1, n + 1, dim))
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            self.layers.append(nn.ModuleList([Attention(dim), MLP(dim, 2 * dim)]))
        self.pool = pool
        self.head = nn.Linear(dim, classes)

    def forward(self, img):
        x = self.embed(img)
        b, n, _ = x.shape
        x = torch.cat((repeat(self.cls, "1 1 d -> b 1 d", b=b), x), dim=1)
        x += self.pos[:, : (n + 1)]
        for attention, mlp in self.layers:
            x = attention(x) + x
            x = mlp(x) + x
        x = x.mean(dim=1) if self.pool == "mean" else x[:, 0]
        return self.head(x)


device = "cuda" if torch.cuda.is_available() else "cpu"
model = ViT().to(device)
loader = DataLoader(dataset=TensorDataset(torch.randn(128, 3, 32, 32), torch.randint(10, (128,))), batch_size=16, shuffle=True)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-5)

for epoch in range(20):
    epoch_loss = 0
    epoch_acc = 0
    for data, label in loader:
        data = data.to(device)
        label = label.to(device)
        output = model(data)
        loss = criterion(output, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        acc = (output.argmax(dim=1) == label).float().mean()
        epoch_acc += acc / len(loader)
        epoch_loss += loss / len(loader)
    print(f"epoch {epoch + 1}: loss {epoch_loss:.4f} acc {epoch_acc:.4f}")
