"""Stepping outside the modes: for what must be computed really while the program runs under fake tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import _disable_current_modes


@contextlib.contextmanager
def without_modes() -> Iterator[None]:
    """Real tensors, unobserved."""
    with torch._C.DisableTorchFunction(), unset_fake_temporarily(), _disable_current_modes():
        yield
