"""What the training loops of a program ask of the target GPU, as facts for rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainlint.analysis.facts import DataLoader, MemoryDemand, Optimizer
from trainlint.analysis.program import Program
from trainlint.memory.fits import Curve, largest_batch
from trainlint.memory.target import Target


def demands(program: Program, curves: Iterable[Curve], target: Target) -> Iterator[MemoryDemand]:
    """One fact for each loop whose estimate is complete."""
    for curve in curves:
        if curve.first.complete and curve.first.batch_size and curve.first.loop is not None:
            yield demand(program, curve, target)


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
        most,
        # the search is worth its time only where something does not fit
        largest_batch(curve, target.room()) if peak > most else None,
    )
