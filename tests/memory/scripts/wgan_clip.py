"""A critic with clipped weights: the generator's graph dies with `detach()`, before the critic's backward."""

import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Critic(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.score = nn.Linear(2 * width * 16, 1)
        self.kind = nn.Linear(2 * width * 16, 10)

    def forward(self, image):
        features = self.body(image).flatten(1)
        return self.score(features), self.kind(features)


generator = nn.Sequential(
    nn.ConvTranspose2d(16, 48, 4),
    nn.BatchNorm2d(48),
    nn.ReLU(True),
    nn.ConvTranspose2d(48, 24, 4, stride=2, padding=1),
    nn.BatchNorm2d(24),
    nn.ReLU(True),
    nn.ConvTranspose2d(24, 1, 4, stride=2, padding=1),
    nn.Tanh(),
).to(device)
critic = Critic().to(device)
optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=5e-5)
optimizer_c = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
images = torch.utils.data.TensorDataset(torch.rand(160, 1, 16, 16))
loader = torch.utils.data.DataLoader(images, batch_size=32, shuffle=True, drop_last=True)

for epoch in range(2):
    for (real,) in loader:
        real = real.to(device)
        optimizer_c.zero_grad()
        noise = torch.randn(real.size(0), 16, 1, 1, device=device)
        fake = generator(noise).detach()
        real_score, _ = critic(real)
        critic_loss = -real_score.mean() + critic(fake)[0].mean()
        critic_loss.backward()
        optimizer_c.step()
        for p in critic.parameters():
            p.data.clamp_(-0.01, 0.01)

        optimizer_g.zero_grad()
        reference = critic(real)[0].detach()
        score, _ = critic(generator(noise))
        generator_loss = (reference - score).mean()
        generator_loss.backward()
        optimizer_g.step()
