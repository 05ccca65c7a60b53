"""Full garbage collections wait for a moment in which nobody does: one holds up every thread, for 0.1 s and longer.

Until then only what is new is looked through; what of it is in use then counts as old. Python 3.14 spreads the work and
counts nothing here.
"""

from __future__ import annotations

import gc

# seconds without work before a full collection, and before what is new is looked through
QUIET, PAUSE = 0.5, 0.02
# collections of the young (7,000 objects each) that make it worth while to look through what they left, and after which
# that waits for no pause
NEW, LATEST = 10, 50
# times that this is done before only a full collection helps
MOST = 30
_NEVER = 1_000_000


def defer() -> None:
    """From now on Python itself collects the young only, in the whole process."""
    gc.set_threshold(*gc.get_threshold()[:2], _NEVER)


class Garbage:
    """For one thread, which says when it has nothing to do."""

    def __init__(self) -> None:
        self._since_full = 0

    @property
    def patience(self) -> float | None:
        """Seconds without work after which to `rest`; None where there is nothing new."""
        if gc.get_count()[2] >= NEW:
            return PAUSE
        return QUIET if self._since_full or gc.get_count()[2] else None

    def rest(self) -> None:
        """Nobody has asked for anything for `patience` seconds."""
        if gc.get_count()[2] >= NEW and self._since_full < MOST:
            self._since_full += 1
            gc.collect()
        else:
            self._since_full = 0
            gc.unfreeze()
            gc.collect()
        gc.freeze()

    def relieve(self) -> None:
        """Between two jobs: what cannot wait for a rest."""
        if gc.get_count()[2] >= LATEST:
            self.rest()
