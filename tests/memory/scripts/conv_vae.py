import torch
from torch import nn, optim
from torch.nn import functional as F
from torchvision import datasets, transforms

BATCH = 32
LATENT = 16
device = torch.device("cuda")

train_loader = torch.utils.data.DataLoader(
    datasets.MNIST("../data", train=True, download=True, transform=transforms.ToTensor()),
    batch_size=BATCH, shuffle=True, num_workers=1, pin_memory=True)


class ConvVAE(nn.Module):
    def __init__(self, z=LATENT):
        super(ConvVAE, self).__init__()
        self.c1 = nn.Conv2d(1, 16, 4, 2, 1)
        self.c2 = nn.Conv2d(16, 32, 4, 2, 1)
        self.to_mu = nn.Linear(32 * 49, z)
        self.to_logvar = nn.Linear(32 * 49, z)
        self.up = nn.Linear(z, 32 * 49)
        self.d1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.d2 = nn.ConvTranspose2d(16, 1, 4, 2, 1)

    def encode(self, x):
        h = F.leaky_relu(self.c2(F.leaky_relu(self.c1(x), 0.2)), 0.2).flatten(1)
        return self.to_mu(h), self.to_logvar(h)

    def sample(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h = F.relu(self.up(z)).view(-1, 32, 7, 7)
        return torch.sigmoid(self.d2(F.relu(self.d1(h))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.sample(mu, logvar)), mu, logvar


def elbo(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


model = ConvVAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)


def train(epoch):
    model.train()
    total = 0
    for batch_idx, (data, _) in enumerate(train_loader):
        data = data.to(device)
        optimizer.zero_grad()
        recon, mu, logvar = model(data)
        loss = elbo(recon, data, mu, logvar)
        loss.backward()
        total += loss.item()
        optimizer.step()
        if batch_idx % 10 == 0:
            print("epoch {} [{}/{}] {:.4f}".format(epoch, batch_idx * len(data), len(train_loader.dataset), loss.item() / len(data)))


if __name__ == "__main__":
    for epoch in range(1, 10 + 1):
        train(epoch)
        with torch.no_grad():
            sample = model.decode(torch.randn(64, LATENT).to(device)).cpu()
