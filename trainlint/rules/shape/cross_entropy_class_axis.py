"""The classes are the last axis of the input of a cross-entropy, which takes axis 1 for them.

## What it does
Reports `CrossEntropyLoss` and `NLLLoss` whose input is (N, L, C): the scores of a linear layer for each token, with
the target (N, L), or from an embedding or a recurrent layer.

## Why it matters
The loss takes axis 1, the tokens, for the classes. Where L and C differ PyTorch raises; where they are equal the model
is trained on nonsense.

## Example
```py
import torch
from torch import nn

net = nn.Sequential(nn.Embedding(1000, 64), nn.Linear(64, 9))
tokens, tags = torch.zeros(4, 12, dtype=torch.long), torch.zeros(4, 12, dtype=torch.long)
loss = nn.CrossEntropyLoss()(net(tokens), tags)  # error: [cross-entropy-class-axis]
```
Use instead: `criterion(scores.transpose(1, 2), tags)`, or both flattened.

## When it stays silent
Scores that are transposed, flattened or picked; two axes; images and sequences with their classes in axis 1.
"""

from trainlint.rules.api import Array, Because, Loss, finding, path_of, rule, same_size, shape_text

LOSSES = ("cross_entropy", "nll_loss")


@rule("cross-entropy-class-axis", code="SH010", family="shape", level="error", since="0.1")
def check(loss: Loss):
    first, target = loss.input, loss.target
    if loss.name not in LOSSES or not isinstance(first, Array):
        return
    rank = first.rank
    tokens = first.vectors is not None and first.range in ("logits", "logprob", "prob")
    if rank is None:
        # `batch_first` says that there is a batch in front of the tokens
        if first.vectors != "sequence" or not tokens or (isinstance(target, Array) and target.rank == 1):
            return
        yield report(loss, first, "(…, L, C)", likely=True)
    elif rank >= 3 and (by_target(first, target) or (tokens and not isinstance(target, Array))):
        yield report(loss, first, shape_text(first), likely=first.likely)


def by_target(first: Array, target: object) -> bool:
    """Has the target the sizes of the input without its last axis, and is that axis not as long as axis 1?"""
    if first.shape is None or not isinstance(target, Array) or target.shape is None:
        return False
    lead = first.shape[:-1]
    if len(lead) != len(target.shape) or same_size(first.shape[1], first.shape[-1]) is True:
        return False
    if first.vectors is None and first.range not in ("logits", "logprob", "prob"):
        return False
    return all(same_size(a, b) is True for a, b in zip(lead, target.shape, strict=True))


def report(loss: Loss, first: Array, shape: str, likely: bool):
    because = [Because(first.via, "the scores are made here")] if first.via is not None else []
    text = "the input {shape} has its classes in the last axis: the loss takes axis 1 for them"
    return finding(loss, text, shape=shape, because=because or path_of(first), likely=likely)
