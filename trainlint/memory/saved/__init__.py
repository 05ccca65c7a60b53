"""What autograd keeps for backward and what an operation allocates, for each operation: data and arithmetic only.

Follows `derivatives.yaml` and the composite functions of torch 2.13; the tests compare every entry with
`saved_tensors_hooks` and with the storages that a real run makes. Where CUDA differs from the CPU (the mask of dropout,
cuDNN's recurrent layers, flash attention, fused RMSNorm) the entry is CUDA's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from trainlint.memory.options import Options, Unclear
from trainlint.memory.saved.names import normal
from trainlint.memory.saved.site import RULES, Effect, Site, Tensor

__all__ = ["Effect", "Tensor", "effect"]

TABLES = (
    *("elementwise", "arithmetic", "layers", "pooling", "recurrent", "attention", "losses"),
    *("matrix", "reductions", "views", "joining", "indexing"),
)


def effect(
    op: str,
    operands: Sequence[Tensor],
    result: Tensor | Sequence[Tensor] | None,
    options: Mapping[str, object],
) -> Effect | None:
    """What an operation does to memory; None where it, or an option that decides about memory, is not known.

    `op` is a qualified name: "torch.nn.Conv2d" (the call of a layer), "torch.nn.functional.relu", "torch.relu",
    "Tensor.add_", "operator.+". `operands` are the tensors in order; the parameters of a layer come last. `options`
    are the arguments by name, for a layer those of its constructor, and "training". A scalar in the place of a tensor
    is no operand; where it stands before the tensor (`1 / x`), `reflected` is true. Under `torch.no_grad()` no operand
    may have `grad`.
    """
    load()
    name, layer, inplace, method = normal(op)
    found = RULES.get(name)
    if found is None or not (operands or name in NEEDS_NONE):
        return None
    results = [result] if isinstance(result, Tensor) else list(result or ())
    graph = not results or any(each.floating for each in results)
    wanted = frozenset(i for i, each in enumerate(operands) if each.grad and each.floating) if graph else frozenset()
    asked = Options(options)
    try:
        inplace = inplace or ("inplace" in asked and asked.on("inplace"))
        made = found(Site(name, operands, results, asked, layer, inplace, method, wanted))
    except (Unclear, IndexError):
        # an option, or an operand such as the weight of a layer, is not known
        return None
    return made if made is None or wanted else without_graph(made)


# operations that make a tensor from numbers
NEEDS_NONE = frozenset({"create", "meshgrid"})


def load() -> None:
    """Import the tables when the first operation is looked up: a check of a file without training needs none."""
    if not RULES:
        for name in TABLES:
            import_module(f"{__name__}.{name}")


def without_graph(made: Effect) -> Effect:
    """Without a graph nothing is kept; what would have been kept beside the result is made nevertheless."""
    return Effect(made.output, temporary=(*made.extra, *made.temporary), storage=made.storage)
