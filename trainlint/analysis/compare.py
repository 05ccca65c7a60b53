"""Compares a program with the same file at the git base: batch sizes that changed, learning rates that did not."""

from __future__ import annotations

from trainlint.analysis.facts import BaseChange, DataLoader, Optimizer, Scheduler
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Value, number

# recipes that make a large batch safe without the linear rule, or set the rate themselves
LARGE_BATCH = ("LARS", "LAMB", "Lamb", "FusedLAMB", "Adafactor", "Prodigy", "DAdaptAdam", "DAdaptSGD")


def compare_with_base(program: Program, base: Program, label: str) -> list[BaseChange]:
    """One BaseChange per optimizer whose training batch changed while its learning rate stayed."""
    if warms_up(program):
        return []
    old_optimizers, old_loaders = optimizers(base), loaders(base)
    result = []
    for key, optimizer in optimizers(program).items():
        before = old_optimizers.get(key)
        if before is None or optimizer.lr is None or before.lr is None:
            continue
        if optimizer.name.rpartition(".")[2] in LARGE_BATCH:
            continue
        new_lr, old_lr = number(optimizer.lr), number(before.lr)
        if new_lr is None or old_lr is None or new_lr != old_lr:
            continue
        for place, loader in batches(program, optimizer, loaders(program)).items():
            earlier = batches(base, before, old_loaders).get(place)
            if earlier is None:
                continue
            new, old = number(loader.batch_size), number(earlier.batch_size)
            if new and old and new != old and new > 0 and old > 0:
                result.append(BaseChange(loader, optimizer, old, new, loader.batch_size, optimizer.lr, label))
                break
    return result


def warms_up(program: Program) -> bool:
    """Is there a schedule that ramps the learning rate up?"""
    for fact in program.facts:
        if isinstance(fact, Scheduler):
            name = fact.name.rpartition(".")[2].lower()
            if "warmup" in name or name in ("linearlr", "onecyclelr"):
                return True
    return False


def optimizers(program: Program) -> dict[tuple[str, str, int], Optimizer]:
    """Optimizers by function, class and order: what names one across two versions of a file."""
    result: dict[tuple[str, str, int], Optimizer] = {}
    for fact in program.facts:
        if isinstance(fact, Optimizer) and not any(o.node is fact.node for o in result.values()):
            index = sum(1 for function, name, _ in result if (function, name) == (fact.function, fact.name))
            result[fact.function, fact.name, index] = fact
    return result


def loaders(program: Program) -> dict[tuple[str, int], DataLoader]:
    """Training loaders by function and order."""
    result: dict[tuple[str, int], DataLoader] = {}
    for fact in program.facts:
        if isinstance(fact, DataLoader) and fact.role == "train":
            if any(known.node is fact.node for known in result.values()):
                continue
            index = sum(1 for function, _ in result if function == fact.function)
            result[fact.function, index] = fact
    return result


def batches(
    program: Program, optimizer: Optimizer, table: dict[tuple[str, int], DataLoader]
) -> dict[tuple[str, int], DataLoader]:
    """The loaders that feed an optimizer: for a Trainer the batch of its own arguments, else the training loaders."""
    given: Value | None = optimizer.value.kwargs.get("per_device_train_batch_size")
    if optimizer.family == "fine-tuning":
        if not isinstance(given, Const):
            return {}
        loader = DataLoader(
            optimizer.node,
            optimizer.file,
            optimizer.value,
            None,
            given,
            None,
            None,
            None,
            None,
            optimizer.function,
        )
        return {("trainer", 0): loader}
    return table
