import torch
import torch.nn as nn
from torch.distributions import Categorical, Normal

class ActorCritic(nn.Module):
    def __init__(self, obs_dim, act_dim, hidden=64):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, act_dim))
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.log_std = nn.Parameter(torch.zeros(act_dim))

    def evaluate(self, obs, actions):
        mean = self.actor(obs)
        std = self.log_std.exp().expand_as(mean)
        var = std ** 2
        logp = (-((actions - mean) ** 2) / (2 * var) - self.log_std - 0.9189).sum(-1)
        entropy = (0.5 + 0.9189 + self.log_std).sum()
        return logp, self.critic(obs).squeeze(-1), entropy

class PPO:
    def __init__(self, obs_dim=376, act_dim=17, steps=1024, minibatch=256, epochs=2, clip=0.2, lr=3e-4):
        self.device = torch.device("cuda")
        self.net = ActorCritic(obs_dim, act_dim).to(self.device)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=lr, eps=1e-5)
        self.steps, self.minibatch, self.epochs, self.clip = steps, minibatch, epochs, clip
        self.obs = torch.zeros(steps, obs_dim, device=self.device)
        self.actions = torch.zeros(steps, act_dim, device=self.device)
        self.logp = torch.zeros(steps, device=self.device)
        self.returns = torch.zeros(steps, device=self.device)
        self.adv = torch.zeros(steps, device=self.device)

    def update(self):
        for _ in range(self.epochs):
            order = torch.randperm(self.steps, device=self.device)
            for start in range(0, self.steps, self.minibatch):
                mb = order[start:start + self.minibatch]
                logp, value, entropy = self.net.evaluate(self.obs[mb], self.actions[mb])
                ratio = (logp - self.logp[mb]).exp()
                adv = self.adv[mb]
                adv = (adv - adv.mean()) / (adv.std() + 1e-8)
                s1 = ratio * adv
                s2 = torch.clamp(ratio, 1 - self.clip, 1 + self.clip) * adv
                policy_loss = -torch.min(s1, s2).mean()
                value_loss = 0.5 * (self.returns[mb] - value).pow(2).mean()
                loss = policy_loss + 0.5 * value_loss - 0.01 * entropy
                self.opt.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 0.5)
                self.opt.step()

agent = PPO()
for it in range(1000):
    agent.update()
