"""Optimizers that stop where values say that they have converged. Fake tensors have none, so they go on to the end."""

from __future__ import annotations

from typing import Any

import torch

# no step, change or slope is smaller than this one, whatever is answered for it (numbers are 1, see answers.py)
OUT_OF_REACH = -2.0


def never_converges() -> None:
    """`LBFGS.step` does all its inner iterations: it compares with its tolerances only."""
    lbfgs: Any = torch.optim.LBFGS
    plain = lbfgs.step

    def step(self: Any, closure: Any) -> Any:
        group = self.param_groups[0]
        own = {name: group[name] for name in ("tolerance_grad", "tolerance_change")}
        group.update(dict.fromkeys(own, OUT_OF_REACH))
        try:
            return plain(self, closure)
        finally:
            group.update(own)

    lbfgs.step = step
