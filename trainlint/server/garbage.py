"""Full garbage collections wait for a moment in which nobody does: one holds up every thread, for 0.1 s and longer.

Until then only what is new is looked through; what of it is in use then counts as old. Python 3.14 spreads the work and
counts nothing here.
"""

from __future__ import annotations

import gc

# seconds without work before a full collection
QUIET = 0.5
# collections of the young (7,000 objects each) after which what they left is looked through
NEW = 10
# times that this is done before a full collection cannot wait any more
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
        """Seconds without work after which to `collect`; None where there is nothing new."""
        return QUIET if self._since_full or gc.get_count()[2] else None

    def relieve(self) -> None:
        """Between two jobs: what cannot wait."""
        if self._since_full >= MOST:
            self.collect()
        elif gc.get_count()[2] >= NEW:
            self._since_full += 1
            gc.collect()
            gc.freeze()

    def collect(self) -> None:
        self._since_full = 0
        gc.unfreeze()
        gc.collect()
        gc.freeze()
