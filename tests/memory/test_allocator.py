"""The caching allocator: its rules one by one, and a recording of the real one."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.memory.allocator import CachingAllocator, OutOfMemory, replayed

MIB = 1 << 20
SNAPSHOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "cuda-memory-snapshot.pickle"


@pytest.mark.parametrize(
    ("size", "allocated", "reserved"),
    [
        (1, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        # the rest of a segment stays with its block where it is too small to split
        (10 * MIB, 10 * MIB, 10 * MIB),
        (11 * MIB, 12 * MIB, 12 * MIB),
        (13 * MIB + 1, 14 * MIB, 14 * MIB),
    ],
)
def test_one_request(size: int, allocated: int, reserved: int) -> None:
    allocator = replayed([("x", size)])
    assert (allocator.allocated, allocator.reserved) == (allocated, reserved)


def test_a_request_of_nothing_takes_nothing() -> None:
    assert replayed([("x", 0)]).reserved == 0


def test_freed_neighbours_merge_and_the_best_fit_is_reused() -> None:
    allocator = replayed([("a", 4 * MIB), ("b", 4 * MIB), ("c", 4 * MIB)])
    assert allocator.reserved == 20 * MIB
    allocator.free("a")
    allocator.free("b")
    allocator.allocate("d", 8 * MIB)
    assert (allocator.allocated, allocator.reserved) == (12 * MIB, 20 * MIB)
    allocator.allocate("e", 8 * MIB)
    assert allocator.reserved == 20 * MIB
    allocator.allocate("f", 2 * MIB)
    assert allocator.reserved == 40 * MIB


def test_cached_segments_are_given_back_before_memory_runs_out() -> None:
    allocator = CachingAllocator(capacity=64 * MIB)
    allocator.allocate("a", 40 * MIB)
    allocator.free("a")
    allocator.allocate("b", 50 * MIB)
    assert allocator.reserved == 50 * MIB
    with pytest.raises(OutOfMemory):
        allocator.allocate("c", 20 * MIB)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40 * MIB)), max_size=60))
def test_what_is_freed_is_whole_again(events: list[tuple[int, int]]) -> None:
    """After everything was freed nothing is allocated, and all segments can be given back."""
    allocator = CachingAllocator()
    for key, size in events:
        allocator.free(key)
        allocator.allocate(key, size)
        assert 0 <= allocator.allocated <= allocator.reserved
    for key, _ in events:
        allocator.free(key)
    assert allocator.allocated == 0
    allocator.release_cached()
    assert allocator.reserved == 0


@pytest.mark.skipif(not SNAPSHOT.exists(), reason="the recording of a real device lies beside the project, not in it")
def test_a_recording_of_a_real_device() -> None:
    """The requests of a `torch.cuda.memory` snapshot make the simulation reserve what the device had reserved."""
    snapshot = pickle.loads(SNAPSHOT.read_bytes())
    trace = max(snapshot["device_traces"], key=len)
    actions = {"alloc": lambda e: (e["addr"], e["size"]), "free_completed": lambda e: (e["addr"], 0)}
    allocator = replayed(actions[event["action"]](event) for event in trace if event["action"] in actions)
    real = sum(segment["total_size"] for segment in snapshot["segments"])
    assert abs(allocator.reserved - real) <= 0.02 * real
