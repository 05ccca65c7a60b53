import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Pair(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.maker = nn.Linear(4, 8)
        self.judge = nn.Linear(8, 1)

    def training_step(self, batch):
        (x,) = batch
        first, second = self.optimizers()
        fake = self.maker(torch.randn(x.size(0), 4, device=self.device))
        first.zero_grad()
        self.manual_backward(F.softplus(-self.judge(fake)).mean())
        first.step()
        second.zero_grad()
        self.manual_backward(F.softplus(self.judge(fake.detach())).mean())
        second.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.maker.parameters()), torch.optim.Adam(self.judge.parameters())


data = TensorDataset(torch.randn(48, 8))
trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False)
trainer.fit(Pair(), train_dataloaders=DataLoader(data, batch_size=8))
