"""A generator and a discriminator as they were written before torch 0.4, and a third optimizer over both."""

import itertools

import numpy as np
import torch
from torch import nn
from torch.autograd import Variable

image_shape = (1, 16, 16)
latent, codes, batch_size = 24, 4, 32


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()

        def block(wide_in, wide_out, normalize=True):
            layers = [nn.Linear(wide_in, wide_out)]
            if normalize:
                layers.append(nn.BatchNorm1d(wide_out, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(
            *block(latent + codes, 128, normalize=False),
            *block(128, 256),
            nn.Linear(256, int(np.prod(image_shape))),
            nn.Tanh(),
        )

    def forward(self, z, code):
        flat = self.model(torch.cat((z, code), -1))
        return flat.view(flat.size(0), *image_shape)


class Discriminator(nn.Module):
    def __init__(self):
        super(Discriminator, self).__init__()
        self.body = nn.Sequential(nn.Linear(int(np.prod(image_shape)), 128), nn.LeakyReLU(0.2, inplace=True))
        self.real = nn.Sequential(nn.Linear(128, 1), nn.Sigmoid())
        self.code = nn.Linear(128, codes)

    def forward(self, image):
        out = self.body(image.view(image.size(0), -1))
        return self.real(out), self.code(out)


generator, discriminator = Generator().cuda(), Discriminator().cuda()
adversarial, continuous = nn.BCELoss().cuda(), nn.MSELoss().cuda()
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_info = torch.optim.Adam(itertools.chain(generator.parameters(), discriminator.parameters()), lr=2e-4)
data = torch.utils.data.TensorDataset(torch.rand(10 * batch_size, *image_shape))
loader = torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)

for epoch in range(2):
    for i, (images,) in enumerate(loader):
        images = Variable(images).cuda()
        valid = Variable(torch.FloatTensor(batch_size, 1).fill_(1.0), requires_grad=False).cuda()
        fake = Variable(torch.FloatTensor(batch_size, 1).fill_(0.0), requires_grad=False).cuda()

        optimizer_g.zero_grad()
        z = Variable(torch.FloatTensor(np.random.normal(0, 1, (batch_size, latent)))).cuda()
        code = Variable(torch.FloatTensor(np.random.uniform(-1, 1, (batch_size, codes)))).cuda()
        made = generator(z, code)
        verdict, _ = discriminator(made)
        g_loss = adversarial(verdict, valid)
        g_loss.backward()
        optimizer_g.step()

        optimizer_d.zero_grad()
        real_verdict, _ = discriminator(images)
        fake_verdict, _ = discriminator(made.detach())
        d_loss = (adversarial(real_verdict, valid) + adversarial(fake_verdict, fake)) / 2
        d_loss.backward()
        optimizer_d.step()

        optimizer_info.zero_grad()
        _, found = discriminator(generator(z, code))
        info_loss = 0.1 * continuous(found, code)
        info_loss.backward()
        optimizer_info.step()
