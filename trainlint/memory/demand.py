"""What the training loops of a program ask of the target GPU, as facts for rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainlint.analysis.facts import DataLoader, MemoryDemand, Optimizer
from trainlint.analysis.program import Program
from trainlint.memory.fits import Curve, largest_batch
from trainlint.memory.target import Target, any_single


def demands(program: Program, curves: Iterable[Curve], target: Target | None) -> Iterator[MemoryDemand]:
    """One fact for each loop whose estimate is complete; without a target where it fits no single GPU."""
    wanted = target if target is not None else any_single()
    for curve in curves:
        one = curve.first
        if one.complete and one.batch_size and one.loop is not None:
            if wanted.stated or one.peak.allocated > wanted.most():
                yield demand(program, curve, wanted)


def demand(program: Program, curve: Curve, target: Target) -> MemoryDemand:
    one = curve.first
    loop, batch = one.loop, one.batch_size
    assert loop is not None
    assert batch is not None
    loaders = [
        fact
        for fact in program.facts
        if isinstance(fact, DataLoader) and any(other.loop is loop.loop for other in fact.loops)
    ]
    stepped = {id(event.subject) for event in loop.of("step")}
    optimizers = [fact for fact in program.facts if isinstance(fact, Optimizer) and id(fact.value) in stepped]
    most, peak = target.most(), one.peak.allocated
    return MemoryDemand(
        loop,
        loaders[0] if len(loaders) == 1 else None,
        tuple(optimizers),
        batch,
        peak,
        tuple(sorted(one.peak.roles.items(), key=lambda share: -share[1])),
        target.name,
        target.stated,
        most,
        # the search is worth its time only where something does not fit
        largest_batch(curve, curve.room(target)) if peak > most else None,
    )
