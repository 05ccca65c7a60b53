import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments


class Tokens(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        return {"input_ids": torch.randint(0, 100, (16,)), "labels": torch.randint(0, 100, (16,))}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(100, 32)
        self.head = nn.Linear(32, 100)

    def forward(self, input_ids, labels=None):
        logits = self.head(self.table(input_ids))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.view(-1, 100), labels.view(-1))
        return {"loss": loss, "logits": logits}


args = TrainingArguments(
    output_dir="out",
    per_device_train_batch_size=8,
    num_train_epochs=1,
    report_to="none",
    save_strategy="no",
    disable_tqdm=True,
)
trainer = Trainer(model=Model(), args=args, train_dataset=Tokens())
trainer.train()
