import torch
from torch import nn


class ODEFunc(nn.Module):
    def __init__(self, hidden=50):
        super(ODEFunc, self).__init__()
        self.net = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y ** 3)


def rk4_step(f, t, dt, y):
    k1 = f(t, y)
    k2 = f(t + dt / 2, y + dt * k1 / 2)
    k3 = f(t + dt / 2, y + dt * k2 / 2)
    k4 = f(t + dt, y + dt * k3)
    return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


def odeint(f, y0, t):
    ys = [y0]
    for i in range(len(t) - 1):
        dt = t[i + 1] - t[i]
        ys.append(rk4_step(f, t[i], dt, ys[-1]))
    return torch.stack(ys)


device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
batch_time, batch_size = 10, 64
true_y = torch.randn(1000, 1, 2).to(device)
t = torch.linspace(0.0, 25.0, 1000).to(device)


def get_batch():
    s = torch.randint(0, 1000 - batch_time, (batch_size,))
    batch_y0 = true_y[s]
    batch_t = t[:batch_time]
    batch_y = torch.stack([true_y[s + i] for i in range(batch_time)], dim=0)
    return batch_y0.to(device), batch_t.to(device), batch_y.to(device)


func = ODEFunc().to(device)
optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-3)
for itr in range(1, 2000 + 1):
    optimizer.zero_grad()
    batch_y0, batch_t, batch_y = get_batch()
    pred_y = odeint(func, batch_y0, batch_t)
    loss = torch.mean(torch.abs(pred_y - batch_y))
    loss.backward()
    optimizer.step()
    if itr % 20 == 0:
        with torch.no_grad():
            print("Iter {:04d} | Total Loss {:.6f}".format(itr, loss.item()))
