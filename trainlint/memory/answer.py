"""Everything that `trainlint memory` says about a loop: the estimate, what fits where, and what would help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trainlint.analysis import dims
from trainlint.analysis.cards import batches
from trainlint.analysis.facts import DataLoader
from trainlint.analysis.values import Const
from trainlint.memory.device import DeviceTotal, device_total
from trainlint.memory.estimate import Estimate
from trainlint.memory.fits import Curve, largest_batch
from trainlint.memory.gpus import Gpu
from trainlint.memory.plan import OutOfTime
from trainlint.memory.remedies import Remedy, remedies
from trainlint.memory.target import Target, target_of
from trainlint.memory.timeline import Moment, thinned

# GPUs of many sizes that many people have or can rent
USUAL = ("T4", "RTX 3060", "RTX 4090", "A100-40GB", "H100", "B200")
POINTS = 400
# remedies that are tried of a step that takes long to play
FEW = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """Does the step run on a device with `capacity` bytes, and what is the largest batch that does?

    None is what is not known: an incomplete estimate only proves what does not fit. `largest_at_ease` is the largest
    batch for which cuDNN's convolutions also get the workspaces that they take; None where they take none.
    """

    gpu: str
    capacity: int
    fits: bool | None
    largest_batch: int | None
    largest_at_ease: int | None = None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The bytes at another batch size."""

    batch: int
    allocated: int
    reserved: int
    device: int


@dataclass(slots=True)
class Answer:
    """An estimate and what follows from it. `iterations` are those of an epoch, where the data set is known."""

    estimate: Estimate
    device: DeviceTotal
    # what the workspaces of cuDNN add to what PyTorch reserves, and what they would add where there is room
    convolutions: int = 0
    asked: int = 0
    fit: Fit | None = None
    table: list[Fit] = field(default_factory=list)
    what_if: list[WhatIf] = field(default_factory=list)
    iterations: int | None = None
    remedies: list[Remedy] = field(default_factory=list)
    course: list[Moment] = field(default_factory=list)
    # what was left out
    notes: list[str] = field(default_factory=list)


def answer(estimate: Estimate, target: Target | None = None, *, whole: bool = False) -> Answer:
    """What follows from an estimate; `whole` with the course of the step and a table of GPUs, which take their time."""
    gpu = target.gpu if target is not None else None
    convolves = estimate.step.convolves() if estimate.step is not None else None
    result = Answer(estimate, device_total(estimate.reserved, gpu, convolves))
    if estimate.step is None:
        return result
    curve = Curve(estimate)
    try:
        working = with_workspaces(curve, gpu)
    except OutOfTime:
        working = None
    room = curve.room(target) if target is not None else None
    if working is not None:
        result.convolutions = workspaces(estimate, working.first, room)
        result.asked = workspaces(estimate, working.first, None)
    result.device = device_total(estimate.reserved, gpu, convolves, result.convolutions)
    if curve.long:
        result.notes.append(
            f"a step of {len(estimate.step.entries):,} operations: the largest batch is looked for roughly, only the "
            f"first {FEW} changes are tried that could lower the peak, and no other GPUs"
        )
    try:
        add(result, curve, working, target, whole)
    except OutOfTime:
        result.notes.append(
            "it takes too long to play the step again: some of what fits and what would help is left out"
        )
    return result


def add(result: Answer, curve: Curve, working: Curve | None, target: Target | None, whole: bool) -> None:
    """What the step has to be played again for. Raises OutOfTime, and what was found until then stays."""
    estimate = curve.first
    if target is not None:
        result.fit = fit(curve, target)
        if working is not None and result.fit.largest_batch and result.asked and not curve.long:
            result.fit = replace(result.fit, largest_at_ease=largest_batch(working, curve.room(target)))
    for batch in neighbours(curve):
        result.what_if.append(what_if(curve, working, batch, target))
    result.iterations = iterations(estimate)
    gpu = target.gpu if target is not None else None
    result.remedies = remedies(curve, gpu, FEW if curve.long else None)
    if whole and estimate.step is not None:
        targets = [made for name in (() if curve.long else USUAL) if (made := target_of(name, None)) is not None]
        result.table = [fit(curve, each) for each in targets]
        result.course = thinned(estimate.step.estimate(replace(estimate.plan, record=True)).course, POINTS)


def with_workspaces(curve: Curve, gpu: Gpu | None) -> Curve | None:
    """The curve of the same step where cuDNN's convolutions take workspaces (`memory.workspaces`); None without them.

    They do not decide what fits: where memory is short, cuDNN takes an algorithm with a smaller one.
    """
    one = curve.first
    if one.step is None or (gpu is not None and gpu.vendor != "NVIDIA") or one.step.convolves() is False:
        return None
    return Curve(one.step.estimate(replace(one.plan, convolutions=True)))


def workspaces(plain: Estimate, working: Estimate, room: int | None) -> int:
    """Bytes that PyTorch reserves on top since convolutions take workspaces, as far as there is room for them.

    `room` is what PyTorch can get of the device, None for any. Of a step that does not fit it is no limit.
    """
    # other blocks are cut and joined then, and now and then less is reserved; that is luck
    more = max(0, working.reserved - plain.reserved)
    return more if room is None or plain.reserved > room else min(more, room - plain.reserved)


def fit(curve: Curve, target: Target) -> Fit:
    """Whether the step of a curve fits into a device."""
    one, room = curve.first, curve.room(target)
    runs: bool | None = room > 0 and curve.fits(one.batch_size, room)
    largest = largest_batch(curve, room) if room > 0 else 0
    if not one.complete:
        runs, largest = (False if runs is False and not one.assumed else None), None
    return Fit(target.name, target.usable, runs, largest)


def neighbours(curve: Curve) -> list[int]:
    """Half the batch and double the batch."""
    batch = curve.batch
    return [] if batch is None else [size for size in (batch // 2, 2 * batch) if size]


def what_if(curve: Curve, working: Curve | None, batch: int, target: Target | None) -> WhatIf:
    """The bytes at another batch size; `working` is the curve with the workspaces of convolutions."""
    other, step = curve.at(batch), curve.first.step
    room = curve.room(target) if target is not None else None
    more = workspaces(other, working.at(batch), room) if working is not None else 0
    gpu, convolves = target.gpu if target is not None else None, step.convolves() if step is not None else None
    device = device_total(other.reserved, gpu, convolves, more)
    return WhatIf(batch, other.peak.allocated, other.reserved, device.expected)


def iterations(estimate: Estimate) -> int | None:
    """The steps of an epoch at the batch size of the estimate, of the only loader of the loop."""
    loop, step = estimate.loop, estimate.step
    if loop is None or step is None or estimate.batch_size is None:
        return None
    loaders = [
        fact
        for fact in step.program.facts
        if isinstance(fact, DataLoader) and any(other.loop is loop.loop for other in fact.loops)
    ]
    if len(loaders) != 1 or dims.usual(loaders[0].batch_size) is None:
        return None
    found = batches(loaders[0].value, Const(estimate.batch_size), loaders[0].length)
    return found[0] if found is not None else None
