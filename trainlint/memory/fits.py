"""What fits: the memory of a training loop as a function of the batch size, and the largest batch for a device.

Memory is nearly affine in the batch size: what the parameters take and so much for each sample, with small steps where
the allocator rounds. The search plays the loop again at a few batch sizes, under the capacity: close to the limit
PyTorch gives cached segments back, so what it reserves without a limit says too much.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from trainlint.analysis.tape import Returned
from trainlint.memory.allocator import OutOfMemory
from trainlint.memory.estimate import Estimate
from trainlint.memory.target import Target

# a larger batch is no figure that anybody asks for
MOST = 1 << 24
# up to here the largest batch is found to the sample, beyond to one part in so many
EXACT = 128
# a step of more operations, or with more alive around them in all, takes seconds to play: a few tries have to do,
# each so many parts of 16 of the first guess
LONG = 2000
MUCH = 100_000
TRIES = (16, 15, 14, 12)


class Curve:
    """The estimates of one loop at any batch size; each is computed once."""

    def __init__(self, first: Estimate) -> None:
        """`first` is an estimate of the loop at the batch size of the program, or at the one that is asked for."""
        assert first.step is not None
        self.first = first
        self._step = first.step
        self._known: dict[int | None, Estimate] = {first.batch_size: first}
        self._fitting: dict[tuple[int | None, int], bool] = {}
        # how often the loop was played
        self.played = 0

    @property
    def batch(self) -> int | None:
        """The batch size of the program; None where it is not known or another one would change nothing."""
        batch = self.first.batch_size
        return batch if batch is not None and self.at(2 * batch).batch_size == 2 * batch else None

    def at(self, batch: int) -> Estimate:
        """The estimate at a batch size, without a limit of memory."""
        found = self._known.get(batch)
        if found is None:
            self.played += 1
            found = self._known[batch] = self._step.estimate(replace(self.first.plan, batch=batch))
        return found

    @cached_property
    def long(self) -> bool:
        """Does it take seconds to play the step?"""
        alive = sum(len(entry.live) for entry in self._step.entries if not isinstance(entry, Returned))
        return len(self._step.entries) > LONG or alive > MUCH

    def room(self, target: Target) -> int:
        """Bytes of a device that PyTorch can get for this step."""
        return target.room(self._step.convolves())

    def fits(self, batch: int | None, capacity: int) -> bool:
        """Does the step run when PyTorch gets `capacity` bytes of the device?

        Where the estimate is not complete, True only means that nothing is known that would not fit.
        """
        known = self._known.get(batch)
        if known is not None and known.reserved <= capacity:
            return True
        if known is not None and known.peak.allocated > capacity:
            return False
        key = (batch, capacity)
        if key not in self._fitting:
            self._fitting[key] = self._played(batch, capacity)
        return self._fitting[key]

    def _played(self, batch: int | None, capacity: int) -> bool:
        self.played += 1
        try:
            self._step.estimate(replace(self.first.plan, batch=batch, capacity=capacity))
        except OutOfMemory:
            return False
        return True


def largest_batch(curve: Curve, capacity: int) -> int | None:
    """The largest batch size whose step runs when PyTorch gets `capacity` bytes of the device; 0 where none does.

    Up to 128 one sample more does not fit, beyond it the answer is at most one part in 128 too small. (Where the
    allocator changes the kind of a segment, a larger batch may happen to fit again; it is not looked for.) Of a long
    step it is looked for roughly, and None is given where the few tries do not fit.
    None where the batch size does not decide: it is not known, or memory does not grow with it. Where the estimate is
    not complete, the true answer is smaller.
    """
    batch = curve.batch
    if batch is None:
        return None
    one, two = curve.at(batch), curve.at(2 * batch)
    slope = (two.peak.allocated - one.peak.allocated) / batch
    if slope <= 0:
        return None
    guess = batch + int((capacity - one.peak.allocated) / slope)
    if curve.long:
        tries = [max(0, min(guess, MOST)) * part // 16 for part in TRIES]
        return next((each for each in tries if each and curve.fits(each, capacity)), None)
    return _searched(curve, capacity, max(1, min(guess, MOST)))


def _searched(curve: Curve, capacity: int, guess: int) -> int:
    """The largest batch that fits, looked for around a guess that is more often too large than too small."""
    low, high = 0, MOST + 1
    stride = max(1, guess // 64)
    here = guess
    # outward from the guess until one fits and one does not
    while (low == 0 and high > 1) or high > MOST:
        if curve.fits(here, capacity):
            low = here
            if here >= MOST:
                return MOST
            here = min(MOST, here + stride)
        else:
            high = here
            here = max(1, here - stride)
        if high == 1:
            return 0
        if low and high <= MOST:
            break
        stride *= 2
    while high - low > max(1, low // EXACT):
        middle = (low + high) // 2
        if curve.fits(middle, capacity):
            low = middle
        else:
            high = middle
    return low
