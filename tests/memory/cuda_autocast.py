"""CUDA's lists of autocast in force on the CPU, so that a real step can be run under them without a GPU.

Both devices share the machinery; they differ in which operations they run in which dtype. The lists of CUDA are read
from torch's own header and registered for the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map

HEADER = Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"
LISTS = {
    "AT_FORALL_LOWER_PRECISION_FP": "lower",
    "AT_FORALL_FP32": "single",
    "AT_FORALL_FP32_SET_OPT_DTYPE": "accumulate",
    "AT_FORALL_PROMOTE": "promote",
}
KEY = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)


def lists() -> dict[str, str]:
    """`aten` operation with its overload → the policy of CUDA."""
    text = HEADER.read_text(encoding="utf-8").replace("\\\n", "\n")
    found = {"norm.Scalar": "append", "norm.ScalarOpt_dim": "append"}
    for macro, policy in LISTS.items():
        start = text.index(f"#define {macro}(_)")
        block = re.match(r"#define \w+\(_\)\s*((?:_\([^)]*\)\s*)+)", text[start:])
        assert block is not None
        for entry in re.findall(r"_\(([^)]*)\)", block[1]):
            name, _, overload = entry.replace(" ", "").partition(",")
            found[f"{name}.{overload}" if overload else name] = policy
    return found


def cast(value: Any, dtype: torch.dtype) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype is not torch.float64
    return value.to(dtype) if floating else value


def kernel(name: str, policy: str) -> Callable[..., Any]:
    """An operation that casts its arguments and runs below autocast."""
    packet, _, overload = name.partition(".")
    op = getattr(getattr(torch.ops.aten, packet), overload or "default")
    arguments = [argument.name for argument in op._schema.arguments]

    def run(*args: Any, **kwargs: Any) -> Any:
        half = torch.get_autocast_dtype("cpu")
        tensors = [each for each in args if isinstance(each, torch.Tensor) and each.is_floating_point()]
        with torch._C._ExcludeDispatchKeyGuard(KEY):
            if policy == "accumulate":
                position = arguments.index("dtype")
                if kwargs.get("dtype") is None and (len(args) <= position or args[position] is None):
                    kwargs["dtype"] = torch.float32
                return op(*args[:position], **kwargs)
            if policy == "append":
                target = (
                    torch.ops.aten.norm.ScalarOpt_dim_dtype if len(args) > 2 else torch.ops.aten.norm.ScalarOpt_dtype
                )
                return target(*args, dtype=torch.float32)
            wide = policy == "single" or (policy == "promote" and any(t.dtype is torch.float32 for t in tensors))
            dtype = torch.float32 if wide else half
            args, kwargs = tree_map(lambda value: cast(value, dtype), (args, kwargs))
            return op(*args, **kwargs)

    return run


@contextmanager
def cuda_lists() -> Iterator[None]:
    """Inside, `torch.autocast("cpu")` does what `torch.autocast("cuda")` would."""
    library = torch.library.Library("aten", "IMPL")
    wanted = lists()
    for full in torch._C._dispatch_get_all_op_names():
        if not full.startswith("aten::"):
            continue
        name = full.removeprefix("aten::")
        has = torch._C._dispatch_has_kernel_for_dispatch_key(full, "AutocastCPU")
        policy = wanted.get(name)
        if policy == "lower" and has:
            # the same policy, with its cache of weights
            continue
        if policy is not None:
            library.impl(name, kernel(name, policy), "AutocastCPU")
        elif has:
            library.impl(name, torch.library.fallthrough_kernel, "AutocastCPU")
    try:
        yield
    finally:
        library._destroy()
