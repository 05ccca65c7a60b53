"""What keeps storages alive from operation to operation and from step to step, and when they die of it.

A storage lives as long as a name of the program, the expression in progress or a graph holds it. What the names held at
the end of a step lives on into the next one, until the body of the loop binds the name again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from trainlint.analysis.arrays import Array
from trainlint.analysis.tape import Live
from trainlint.memory.timeline import Graph, Storage, Timeline


class Holders:
    """The storages of values in the step in progress, and who holds them.

    `before` says whether a tensor was put on the GPU before the loop.
    """

    def __init__(self, timeline: Timeline, graph: Graph, before: Callable[[Array], bool]) -> None:
        self.timeline = timeline
        self.graph = graph
        self.before = before
        # the tape keeps the values, so that their identities stand for the storages
        self.of: dict[int, Storage] = {}
        # what names held at the end of the step before
        self.carried: dict[tuple[int, str], tuple[Storage, ...]] = {}
        # the values of the step before, under their names, on which a graph hangs
        self.hanging: dict[tuple[int, str], tuple[int, ...]] = {}
        # what the names hold at the head of the loop, and the values that the step in progress does not make anew
        self.bound: Live = {}
        self.skipped: set[int] = set()
        # what a name holds, and what may have lost its last holder since the sweep before
        self.named: dict[int, Storage] = {}
        self.loose: list[Storage] = []
        # the values that names hold, and the operands that may have lost their last holder, by their identity
        self.names: dict[int, None] = {}
        self.used: dict[int, None] = {}

    def begin(self, bound: Live, skipped: set[int], targets: Collection[str]) -> None:
        """A step begins.

        The names that the loop binds itself hold what it goes over, no longer what the round before put there.
        """
        self.bound, self.skipped = bound, skipped
        for key in [key for key in self.carried if key[1] in targets and key in bound]:
            # nothing, where the batch comes from the host: the one before dies here
            self.carried[key] = self.under(bound[key])

    def under(self, arrays: Iterable[Array]) -> tuple[Storage, ...]:
        """The storages of the values of a name that lie on the GPU."""
        return tuple(self.of[id(array)] for array in arrays if id(array) in self.of)

    def keep(self, live: Live) -> None:
        """What the names hold lives on under them."""
        for key, arrays in live.items():
            if storages := self.under(arrays):
                self.carried[key] = storages

    def put(self, array: Array, storage: Storage) -> None:
        """A tensor lies in a storage; until a name holds it, it lives for the expression that made it."""
        self.of[id(array)] = storage
        storage.flying = True

    def returned(self, arrays: Iterable[Array]) -> None:
        """The names of a function are gone, and the expression that called it has what it gives."""
        for array in arrays:
            if id(array) in self.of:
                self.of[id(array)].flying = True

    def consumed(self, arrays: Sequence[Array], results: Sequence[Array] = ()) -> None:
        """What no name holds dies after the operation or statement, unless its storage is that of a result."""
        given = {id(self.of[id(array)]) for array in results if id(array) in self.of}
        for array in arrays:
            storage = self.of.get(id(array))
            if storage is not None:
                storage.flying = id(storage) in given
                self.loose.append(storage)
                self.used[id(array)] = None

    def sweep(self, live: Live) -> None:
        """Let go of what no name, no graph and no expression in progress holds."""
        gone_before: list[int] = []
        for key in list(self.carried):
            if key in live and live[key] != self.bound.get(key) and not self.skipped.intersection(map(id, live[key])):
                del self.carried[key]
                gone_before += self.hanging.pop(key, ())
        if gone_before:
            hanging = {identity for each in self.hanging.values() for identity in each}
            for identity in gone_before:
                self.graph.forget(identity, hanging.__contains__, self.released)
        of = self.of
        # dictionaries, for their order
        names = {id(a): None for arrays in live.values() for a in arrays}
        held = {id(of[identity]): of[identity] for identity in names if identity in of}
        held.update((id(storage), storage) for storages in self.carried.values() for storage in storages)
        for storage in held.values():
            # a name has it: it no longer lives for the expression that made it
            storage.named, storage.flying = True, False
        gone = [storage for key, storage in self.named.items() if key not in held]
        self.named = held
        for storage in gone:
            storage.named = False
        gone += self.loose
        self.loose = []
        # in the order they were made
        for storage in sorted(gone, key=lambda each: each.born) if len(gone) > 1 else gone:
            self.released(storage)
        self.forget(names)

    def forget(self, names: dict[int, None]) -> None:
        """A graph on which nothing hangs any more dies without a backward: `fake = generator(noise).detach()`."""

        def lives(identity: int) -> bool:
            storage = self.of.get(identity)
            return identity in names or (storage is not None and storage.flying)

        perhaps = {**{identity: None for identity in self.names if identity not in names}, **self.used}
        self.names, self.used = names, {}
        for identity in perhaps:
            if not lives(identity):
                self.graph.forget(identity, lives, self.released)
            elif identity not in names:
                self.used[identity] = None

    def carry(self, start: Live, live: Live) -> None:
        """The end of a step: what the names hold lives on under their names."""
        self.keep(live)
        self.named = {id(storage): storage for storages in self.carried.values() for storage in storages}
        for storage in self.timeline.living.values():
            storage.flying, storage.named = False, id(storage) in self.named
        self.loose = list(self.timeline.living.values())
        hanging = {identity for each in self.hanging.values() for identity in each}
        self.graph.drop({id(a) for arrays in live.values() for a in arrays} | hanging, self.released)
        aged = self.graph.age()
        self.hanging = {key: tuple(aged.get(each, each) for each in ids) for key, ids in self.hanging.items()}
        for key, arrays in live.items():
            self.hanging[key] = tuple(aged[id(a)] for a in arrays if id(a) in aged)
        self.of.clear()
        self.names, self.used = {}, {}
        # what the next step finds under a name is what this one left there
        for key, arrays in start.items():
            storages = self.carried.get(key, ())
            if len(storages) == len(arrays) and all(map(self.before, arrays)):
                self.of.update((id(a), storage) for a, storage in zip(arrays, storages, strict=True))

    def released(self, storage: Storage) -> None:
        """Free what nothing keeps any more."""
        if not (storage.saved or storage.pinned or storage.named or storage.flying):
            self.timeline.free(storage)
