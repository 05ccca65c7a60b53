"""The CUDA caching allocator of PyTorch, simulated: which segments a sequence of requests makes it reserve.

The rules are those of `c10/cuda/CUDACachingAllocator.cpp` and `c10/core/AllocatorConfig.h` with the default settings:
requests are rounded up to 512 bytes; those up to 1 MiB are served from segments of 2 MiB, those below 10 MiB from
segments of 20 MiB, larger ones get a segment of their own, rounded up to 2 MiB. A free block is reused where it fits
best (ties by address), split where enough is left, and merged with its free neighbours when it is freed. Not modelled:
expandable segments, several streams, rounding by powers of two.
"""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Iterable

KIB = 1 << 10
MIB = 1 << 20

ROUNDING = 512
SMALL_LIMIT = MIB
SMALL_SEGMENT = 2 * MIB
LARGE_SEGMENT = 20 * MIB
LARGE_LIMIT = 10 * MIB
LARGE_ROUNDING = 2 * MIB


class OutOfMemory(Exception):
    """A request that does not fit into the capacity, even after everything cached was given back."""


class Block:
    """A piece of a segment; `before` and `after` are its neighbours in it."""

    __slots__ = ("after", "before", "free", "offset", "segment", "size")

    def __init__(self, segment: int, offset: int, size: int) -> None:
        self.segment = segment
        self.offset = offset
        self.size = size
        self.free = True
        self.before: Block | None = None
        self.after: Block | None = None

    @property
    def order(self) -> tuple[int, int, int]:
        """Best fit first, then the lowest address (segments are taken to lie in the order they were made)."""
        return (self.size, self.segment, self.offset)


def rounded(size: int) -> int:
    """The bytes that a request of `size` bytes takes."""
    return max(ROUNDING, -(-size // ROUNDING) * ROUNDING)


def segment_size(size: int) -> int:
    """The bytes of a new segment for a rounded request."""
    if size <= SMALL_LIMIT:
        return SMALL_SEGMENT
    if size < LARGE_LIMIT:
        return LARGE_SEGMENT
    return -(-size // LARGE_ROUNDING) * LARGE_ROUNDING


class CachingAllocator:
    """One device, one stream. All sizes are bytes.

    `allocated` and `reserved` are comparable with `torch.cuda.memory_allocated()` and `torch.cuda.memory_reserved()`,
    the peaks with their `max_` forms. With a `capacity`, cached segments that are wholly free are given back before a
    request fails.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self.allocated = 0
        self.reserved = 0
        self.peak_allocated = 0
        self.peak_reserved = 0
        self._small: list[tuple[tuple[int, int, int], Block]] = []
        self._large: list[tuple[tuple[int, int, int], Block]] = []
        self._blocks: dict[Hashable, Block] = {}
        self._segments = 0

    def allocate(self, key: Hashable, size: int) -> int:
        """Serve a request; `key` names it for `free`. Gives the bytes of its block; no bytes take none.

        Raises `OutOfMemory` where the capacity does not suffice.
        """
        if size <= 0:
            return 0
        wanted = rounded(size)
        small = wanted <= SMALL_LIMIT
        block = self._take(small, wanted) or self._new_segment(wanted)
        rest = block.size - wanted
        if rest >= ROUNDING if small else rest > SMALL_LIMIT:
            self._split(block, wanted)
        block.free = False
        self._blocks[key] = block
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block.size

    def free(self, key: Hashable) -> None:
        """Give a block back; it is merged with its free neighbours and kept. Unknown keys are ignored."""
        block = self._blocks.pop(key, None)
        if block is None:
            return
        self.allocated -= block.size
        block.free = True
        before, after = block.before, block.after
        if before is not None and before.free:
            self._remove(before)
            block.offset, block.before = before.offset, before.before
            block.size += before.size
            if block.before is not None:
                block.before.after = block
        if after is not None and after.free:
            self._remove(after)
            block.after = after.after
            block.size += after.size
            if block.after is not None:
                block.after.before = block
        self._put(block)

    def _pool(self, block: Block) -> list[tuple[tuple[int, int, int], Block]]:
        return self._small if block.segment % 2 else self._large

    def _put(self, block: Block) -> None:
        bisect.insort(self._pool(block), (block.order, block), key=lambda item: item[0])

    def _remove(self, block: Block) -> None:
        pool = self._pool(block)
        del pool[bisect.bisect_left(pool, block.order, key=lambda item: item[0])]

    def _take(self, small: bool, size: int) -> Block | None:
        pool = self._small if small else self._large
        index = bisect.bisect_left(pool, (size, -1, -1), key=lambda item: item[0])
        return pool.pop(index)[1] if index < len(pool) else None

    def _new_segment(self, size: int) -> Block:
        length = segment_size(size)
        if self.capacity is not None and self.reserved + length > self.capacity:
            self.release_cached()
            if self.reserved + length > self.capacity:
                raise OutOfMemory(f"{length} bytes more than {self.reserved} reserved of {self.capacity}")
        self._segments += 1
        self.reserved += length
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        # odd numbers are segments of small blocks
        return Block(2 * self._segments + (size <= SMALL_LIMIT), 0, length)

    def _split(self, block: Block, size: int) -> None:
        rest = Block(block.segment, block.offset + size, block.size - size)
        rest.before, rest.after = block, block.after
        if block.after is not None:
            block.after.before = rest
        block.after, block.size = rest, size
        self._put(rest)

    def release_cached(self) -> None:
        """Give segments back that are wholly free, as `torch.cuda.empty_cache()` does."""
        for pool in (self._small, self._large):
            kept = []
            for item in pool:
                block = item[1]
                if block.before is None and block.after is None:
                    self.reserved -= block.size
                else:
                    kept.append(item)
            pool[:] = kept


def replayed(events: Iterable[tuple[Hashable, int]], capacity: int | None = None) -> CachingAllocator:
    """The allocator after `(key, size)` events: a positive size is a request, zero frees the key."""
    allocator = CachingAllocator(capacity)
    for key, size in events:
        if size > 0:
            allocator.allocate(key, size)
        else:
            allocator.free(key)
    return allocator
