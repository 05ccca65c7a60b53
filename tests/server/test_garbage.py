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

from trainlint.server.garbage import MOST, NEW, Garbage, defer
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


def test_what_is_new_is_freed_between_jobs_where_there_is_no_rest(full: list[str]) -> None:
    defer()
    garbage = Garbage()
    garbage.collect()
    ring = old_ring()
    grow_old(NEW)
    garbage.relieve()
    assert ring() is None
    kept = Ring()
    old = weakref.ref(kept)
    grow_old(NEW)
    garbage.relieve()
    assert len(full) == 3
    # it was in use then, so only a full collection looks at it again
    del kept
    for _ in range(MOST - 2):
        grow_old(NEW)
        garbage.relieve()
        assert old() is not None
    garbage.relieve()
    assert old() is None
    assert garbage.patience is None
