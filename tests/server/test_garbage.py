"""Full garbage collections hold up every thread: they wait until the worker has nothing to do."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, cast

import pytest

from trainlint.server.garbage import LATEST, MOST, NEW, PAUSE, QUIET, Garbage, defer
from trainlint.server.worker import Worker


class Ring:
    """Something that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


def old_ring() -> weakref.ref[Ring]:
    """One that nobody can reach, but for which Python would have to look through all that is old."""
    ring = Ring()
    grow_old(2)
    return weakref.ref(ring)


def grow_old(count: int) -> None:
    """As many collections of the young as an analysis makes by what it builds."""
    for _ in range(count):
        gc.collect(1)


@pytest.fixture
def full() -> Iterator[list[str]]:
    """The threads that made full collections meanwhile; what the server changes is put back."""
    made: list[str] = []

    def note(phase: str, about: dict[str, Any]) -> None:
        if phase == "start" and about["generation"] == 2:
            made.append(threading.current_thread().name)

    thresholds = gc.get_threshold()
    gc.callbacks.append(note)
    yield made
    gc.callbacks.remove(note)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_nothing_but_the_young_is_collected_while_work_goes_on(full: list[str]) -> None:
    defer()
    kept: list[Ring] = []
    for _ in range(200):
        kept = [Ring() for _ in range(1500)]
    assert kept
    assert full == []


def test_the_worker_collects_when_it_rests(full: list[str]) -> None:
    defer()
    gc.collect()
    full.clear()
    rings: list[weakref.ref[Ring]] = []

    def job(_: object) -> list[str]:
        rings.append(old_ring())
        return list(full)

    async def work() -> list[str]:
        return await Worker(cast(Any, object)).run(job)

    assert asyncio.run(work()) == []
    end = time.monotonic() + 10
    while gc.get_freeze_count() == 0 and time.monotonic() < end:
        time.sleep(0.05)
    assert rings[0]() is None
    assert set(full) == {"trainlint-analysis"}


def test_what_is_new_is_freed_in_short_pauses(full: list[str]) -> None:
    defer()
    garbage = Garbage()
    garbage.rest()
    assert garbage.patience is None
    ring, kept = old_ring(), Ring()
    assert garbage.patience == QUIET
    old = weakref.ref(kept)
    grow_old(NEW)
    assert garbage.patience == PAUSE
    garbage.rest()
    assert ring() is None
    # it was in use then, so only a full collection looks at it again
    del kept
    grow_old(NEW)
    garbage.rest()
    assert old() is not None
    assert garbage.patience == QUIET
    garbage.rest()
    assert old() is None
    assert len(full) == 4


def test_without_any_pause_it_is_done_between_jobs(full: list[str]) -> None:
    defer()
    garbage = Garbage()
    garbage.rest()
    ring, kept = old_ring(), Ring()
    old = weakref.ref(kept)
    grow_old(NEW)
    garbage.relieve()
    assert ring() is not None
    for _ in range(MOST):
        grow_old(LATEST)
        garbage.relieve()
    del kept
    assert ring() is None
    assert old() is not None
    grow_old(LATEST)
    garbage.relieve()
    assert old() is None
    assert len(full) == MOST + 2
