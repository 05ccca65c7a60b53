"""Checkpointed calls: what they keep is dropped after the forward, and computed again when backward comes to them.

torch/utils/checkpoint.py. The arguments of the call live until its backward is done. When the first of its operations
is differentiated the whole call is computed again with a graph; without reentrant autograd it stops after the last
tensor that backward needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from trainlint.analysis.tape import Entry, Region, Site
from trainlint.analysis.values import Value
from trainlint.memory.saved import Effect
from trainlint.memory.timeline import Node, Storage


@dataclass(slots=True, eq=False)
class Segment:
    """What a checkpointed call did in the step in progress."""

    region: Region
    sites: list[tuple[Site, Effect]] = field(default_factory=list)
    # the operations that have a graph, by the identity of the site
    nodes: dict[int, Node] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    inputs: list[Storage] = field(default_factory=list)
    again: bool = False

    def enter(self, site: Site, effect: Effect, of: dict[int, Storage]) -> None:
        """Note down an operation before its results are made; what it uses from outside is kept."""
        self.sites.append((site, effect))
        given = [of[id(a)] for a in (*site.operands, *site.casts) if id(a) in of and id(a) not in self.made]
        self.made |= {id(array) for array in site.results}
        fresh = [storage for storage in dict.fromkeys(given) if storage not in self.inputs]
        self.inputs += fresh
        if self.nodes:
            self.first.keep(fresh)

    def graph(self, site: Site, node: Node) -> None:
        """The node of an operation. The first one keeps the inputs, for its backward is the last."""
        self.nodes[id(site)] = node
        if len(self.nodes) == 1:
            node.keep(self.inputs)

    @property
    def first(self) -> Node:
        return next(iter(self.nodes.values()))

    def needed(self) -> Sequence[tuple[Site, Effect]]:
        """The operations that are computed again."""
        if self.region.reentrant:
            return self.sites
        keeping = [n for n, (site, effect) in enumerate(self.sites) if id(site) in self.nodes and keeps(effect)]
        return self.sites[: keeping[-1] + 1] if keeping else ()

    def keep_results(self, of: Mapping[int, Storage], flowing: Mapping[int, Storage]) -> None:
        """Reentrant autograd runs its own backward from the results: they and their gradients live until its end."""
        if self.region.reentrant and self.sites:
            results = [of[id(array)] for array in self.sites[-1][0].results if id(array) in of]
            self.first.keep([*results, *(storage for key, storage in flowing.items() if key in self.made)])

    def uses(self) -> dict[int, int]:
        """The last operation that uses a tensor, by its identity."""
        return {
            id(array): number for number, (site, _) in enumerate(self.sites) for array in (*site.operands, *site.casts)
        }


def keeps(effect: Effect) -> bool:
    return bool(effect.keeps or effect.extra)


def checkpointed(entries: Sequence[Entry], blocks: Sequence[Value], reentrant: bool = False) -> Sequence[Entry]:
    """The entries as if each call of one of the modules `blocks` were checkpointed.

    What the program checkpoints itself stays as it is.
    """
    wanted = {id(block) for block in blocks}
    result: list[Entry] = []
    regions: dict[tuple[int, int], Region] = {}
    for entry in entries:
        block = None
        if isinstance(entry, Site) and entry.region is None:
            block = next((module for module in entry.within if id(module) in wanted), None)
        if block is None or not isinstance(entry, Site):
            result.append(entry)
            continue
        # a block that is called from two statements is two regions
        depth = next(n for n, module in enumerate(entry.within) if module is block)
        key = (id(block), hash(tuple(map(id, entry.via[: depth + 1]))))
        region = regions.setdefault(key, Region(reentrant))
        result.append(replace(entry, region=region, whole=entry.whole or entry))
    return result
