"""The last batch holds one sample and meets a BatchNorm in train mode.

## What it does
Reports a training loader whose data set length leaves a remainder of one, where the model holds BatchNorm layers that
see one value per channel for one sample.

## Why it matters
BatchNorm in train mode cannot normalise a single value: torch raises "Expected more than 1 value per channel when
training" at the end of the first epoch.

## Example
```py
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(1001, 40), torch.randn(1001, 1))
loader = DataLoader(data, batch_size=50, shuffle=True)  # warning: [last-batch-of-one]
net = nn.Sequential(nn.Linear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for x, y in loader:
    optimizer.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    optimizer.step()
```
Use instead: `drop_last=True`.

## When it stays silent
A length or batch that is not known; `drop_last=True`; a batch sampler; models without `BatchNorm1d`, or with `Conv1d`,
after which it sees a whole sequence of each sample.
"""

from trainlint.rules.api import DataLoader, Obj, WholeProgram, by_default, finding, insert_argument, known, number, rule

# layers whose output has a length beside the channels: one sample then gives BatchNorm1d many values per channel
SEQUENCES = {"torch.nn.Conv1d", "torch.nn.ConvTranspose1d", "torch.nn.LazyConv1d"}


@rule("last-batch-of-one", code="BS004", family="batch", level="warning", since="0.1")
def check(program: WholeProgram):
    if "torch.nn.BatchNorm1d" not in program.called or program.called & SEQUENCES:
        return
    for loader in program.facts:
        if not isinstance(loader, DataLoader) or loader.role != "train":
            continue
        length, batch = number(loader.length), number(loader.batch_size)
        if not length or not batch or batch < 2 or length % batch != 1 or length < batch:
            continue
        if known(loader.drop_last) or (loader.drop_last is not None and known(loader.drop_last) is None):
            continue
        if isinstance(loader.sampler, Obj) or loader.value.spilled or "batch_sampler" in loader.value.kwargs:
            continue
        fix = (
            insert_argument("add `drop_last=True`", loader.place, "drop_last=True")
            if loader.drop_last is None
            else None
        )
        text = (
            "{length} samples in batches of {batch} leave a last batch of one: "
            "BatchNorm cannot normalise it in train mode"
        )
        default = by_default(loader.length, loader.batch_size)
        if default:
            text += f" (with the default of {default})"
        yield finding(loader, text, length=int(length), batch=int(batch), fix=fix, default=default)
