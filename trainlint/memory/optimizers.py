"""The memory of an optimizer: the tensors it keeps for each weight, and those that live while it steps.

All sizes are bytes. An optimizer that is not known, and one whose options decide about memory and are not known, gives
None: no figure is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trainlint.memory import optimizer_states, optimizer_steps
from trainlint.memory.options import Options, Unclear
from trainlint.memory.weights import Weight

__all__ = ["Weight", "shared", "state", "temporaries"]

FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
IN_PLACE = {("apex", "FusedAdam"), ("deepspeed", "FusedAdam")}


def state(optimizer: str, options: Mapping[str, object], weight: Weight) -> list[int] | None:
    """Bytes of each state tensor of `weight` on the device once the optimizer has stepped.

    `optimizer` is the qualified name of its class, such as `torch.optim.AdamW`; `options` are its keyword arguments
    (of the parameter group of the weight). Counters that stay on the CPU are not in the list. What all weights share is
    in `shared`.
    """
    find = optimizer_states.of(*library_and_class(optimizer))
    if find is None:
        return None
    try:
        return find(Options(options), weight)
    except Unclear:
        return None


def shared(optimizer: str, options: Mapping[str, object], weights: Sequence[Weight]) -> list[int] | None:
    """Bytes of the tensors that the optimizer keeps once for all of its `weights`."""
    library, name = library_and_class(optimizer)
    if optimizer_states.of(library, name) is None:
        return None
    try:
        return optimizer_states.shared(library, name, Options(options), weights)
    except Unclear:
        return None


def temporaries(optimizer: str, options: Mapping[str, object], weights: Sequence[Weight]) -> list[int] | None:
    """Bytes of the allocations that live together at the peak inside `step()`, on CUDA.

    `weights` are those of one parameter group, in its order; with several groups the peak of the step is that of the
    group with the largest sum. The multi-tensor implementation is the default of CUDA (`foreach` not given), the loop
    over weights is used with `foreach=False` or `fused=False`, and `fused=True` allocates nothing. The first step needs
    no more than the later ones beside the state it creates. Not modelled, hence None: `capturable`, `differentiable`,
    sparse gradients, LBFGS, SparseAdam, the loops of Rprop and ASGD, and optimizers outside torch but those whose
    kernels work in place (8-bit and apex's), Lion, and Adafactor of transformers.
    """
    library, name = library_and_class(optimizer)
    chosen = Options(options)
    try:
        if library == "bitsandbytes":
            return optimizer_steps.bitsandbytes(optimizer_states.of(library, name) is not None, chosen)
        if (library, name) in IN_PLACE:
            return []
        if library == "torch" and name in FUSED and chosen.on("fused"):
            return []
        step = implementation(library, name, chosen)
        if step is None or chosen.on("capturable") or chosen.on("differentiable"):
            return None
        local = optimizer_steps.Locals()
        step(chosen, weights, local)
        return local.peak
    except Unclear:
        return None


def implementation(library: str, name: str, options: Options) -> optimizer_steps.Step | None:
    """The multi-tensor or the single-tensor form of the step, as the options and the defaults of CUDA choose."""
    if library != "torch":
        return optimizer_steps.OTHERS.get((library, name))
    foreach = options.value("foreach")
    if foreach is None:
        # torch/optim/adam.py `adam`: False for one of the two asks for the loop; torch/optim/_adafactor.py: the loop
        foreach = name != "Adafactor" and (name not in FUSED or options.value("fused") is None)
    table = optimizer_steps.MULTI if foreach and name != "Muon" else optimizer_steps.SINGLE
    return table.get(name)


def library_and_class(optimizer: str) -> tuple[str, str]:
    """`("torch", "AdamW")` of `torch.optim.adamw.AdamW`."""
    library, name = optimizer.partition(".")[0], optimizer.rpartition(".")[2]
    if library == "timm" and name in optimizer_steps.MULTI and name != "Adafactor":
        return "torch", name
    return library, name
