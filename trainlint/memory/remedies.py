"""What would need less memory, each found by playing the step again under a changed plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from trainlint.analysis.autocast import Autocast
from trainlint.analysis.tape import Site
from trainlint.analysis.values import Instance, Obj, Place
from trainlint.memory.book import ADAMS
from trainlint.memory.estimate import Estimate, Step
from trainlint.memory.fits import Curve
from trainlint.memory.gpus import Gpu
from trainlint.memory.plan import Plan

# what saves less of the peak is not worth the words
LEAST = 0.01
BFLOAT16 = Autocast(True, "bfloat16", 0)
FLOAT16 = Autocast(True, "float16", 0)


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change, in words, and the bytes by which it lowers the peak of what is allocated."""

    title: str
    saves: int


def remedies(curve: Curve, gpu: Gpu | None = None, most: int | None = None) -> list[Remedy]:
    """The changes that apply to the program and save something on a GPU, the one that saves most first.

    `most` are the changes that are tried, None for all.
    """
    one = curve.first
    found = []
    for title, plan in islice(changes(curve, gpu), most):
        saves = one.peak.allocated - changed(curve, plan).peak.allocated
        if saves > LEAST * one.peak.allocated:
            found.append(Remedy(title, saves))
    return sorted(found, key=lambda remedy: -remedy.saves)


def changed(curve: Curve, plan: Plan) -> Estimate:
    """The estimate by another plan."""
    assert curve.first.step is not None
    return curve.first.step.estimate(plan)


def changes(curve: Curve, gpu: Gpu | None) -> Iterator[tuple[str, Plan]]:
    """What could be changed about the step."""
    one = curve.first
    plan, step = one.plan, one.step
    if step is None:
        return
    half = one.batch_size // 2 if curve.batch is not None and one.batch_size else 0
    if half:
        yield f"batch size {half} instead of {one.batch_size}", replace(plan, batch=half)
        if not step.accumulates():
            title = f"gradient accumulation, 2 × {half} instead of {one.batch_size}"
            yield title, replace(plan, batch=half, accumulate=True)
    if step.single_precision():
        if gpu is None or gpu.bfloat16:
            yield "automatic mixed precision (bfloat16)", replace(plan, autocast=BFLOAT16)
        else:
            title = f"automatic mixed precision (float16 with GradScaler: {gpu.name} only emulates bfloat16)"
            yield title, replace(plan, autocast=FLOAT16)
    repeated = blocks(step)
    if repeated:
        title = f"activation checkpointing of the {len(repeated)} `{repeated[0].cls.name}` modules"
        yield title, replace(plan, blocks=(*plan.blocks, *repeated))
    adams = [name for name in step.optimizers() if name in ADAMS]
    if adams:
        yield f"SGD with momentum instead of {adams[0]}", replace(plan, optimizer="torch.optim.SGD")
        eight = f"bitsandbytes.optim.{ADAMS[adams[0]]}"
        yield f"8-bit {adams[0]} of bitsandbytes", replace(plan, optimizer=eight)
    last = head(step)
    if last is not None:
        where = f" of line {Place(last.file, last.node).line}" if last.node is not None and last.file else ""
        yield f"freezing all but `{last.name.removeprefix('torch.')}`{where}, for fine-tuning", replace(plan, head=last)
    idle = step.idle()
    if idle:
        line = line_in(step, idle[0])
        yield (
            f"`torch.no_grad()` around what line {line} computes, whose gradients nobody uses",
            replace(plan, no_grad=True),
        )
    if step.keeps_cleared():
        yield "`zero_grad()` without `set_to_none=False`", replace(plan, set_to_none=True)


def line_in(step: Step, site: Site) -> int:
    """The line of the loop's body that an operation belongs to, through the calls that lead to it."""
    depth = len(step.loop.loop.via)
    return site.via[depth].first_line if len(site.via) > depth else Place(site.file.path, site.node).line


def head(step: Step) -> Obj | None:
    """The last layer of a model, where parameters of others are trained beside it.

    Not where the loop runs backward more than once: several models, each with a last layer.
    """
    if len(step.loop.of("backward")) != 1:
        return None
    trained = [tensor for tensor in step.book.tensors if step.book.trains(tensor)]
    sites = [entry for entry in step.recorded if isinstance(entry, Site) and entry.layer is not None and entry.grad]
    last = next((site for site in reversed(sites) if step.book.used(site)), None)
    if last is None or last.layer is None:
        return None
    own = [tensor for tensor in step.book.of_layer(last.layer) if step.book.trains(tensor)]
    return last.layer if own and len(own) < len(trained) else None


def blocks(step: Step) -> list[Instance]:
    """The modules that a model repeats: the most of one class, as far outside as any class is repeated.

    Not where the program checkpoints some itself.
    """
    sites = [entry for entry in step.recorded if isinstance(entry, Site)]
    if any(site.region is not None for site in sites):
        return []
    deepest = max((len(site.within) for site in sites), default=0)
    for depth in range(deepest):
        found: dict[int, Instance] = {}
        for site in sites:
            if site.grad and len(site.within) > depth and isinstance(site.within[depth], Instance):
                found[id(site.within[depth])] = site.within[depth]
        counts = Counter(id(module.cls) for module in found.values())
        if counts and counts.most_common(1)[0][1] > 1:
            cls = counts.most_common(1)[0][0]
            return [module for module in found.values() if id(module.cls) == cls]
    return []
